import type { Caller } from "@portcullis/bus";
import { serverBundle } from "@portcullis/contracts";
import type { Clock, Logger } from "@portcullis/runtime";

export interface ServerBundle {
  readonly bundle: Uint8Array;
  readonly signature: Uint8Array;
  readonly kid: string;
  /** Where `open` goes: it alone has the secret keys. */
  readonly replica: string;
  readonly expiresAtMs: number;
}

export interface BundleKeeper {
  /** What a hello is made of; null while there is none that lasts long enough to be answered. */
  current(): ServerBundle | null;
  /**
   * Its key is forgotten, or its replica does not answer: no hello must name it again. Asks for another one at once.
   */
  discard(bundle: Pick<ServerBundle, "kid" | "replica">, what: "key" | "replica"): void;
  /** Asks now, unless that is being done already. Never rejects. */
  refresh(): Promise<void>;
  stop(): void;
}

export interface BundleKeeperOptions {
  readonly caller: Pick<Caller, "call">;
  readonly clock: Clock;
  readonly log: Pick<Logger, "info" | "warn">;
  /** In [0, 1): edges that started together must not ask together. */
  readonly jitter: () => number;
}

// A hello that is handed out must still be good when the client has read it.
const spareMs = 2_000;
const lifeMsMax = 60_000;
const retryMsFirst = 200;
const retryMsMax = 5_000;

/** Keeps one fresh bundle, so that nothing before `open` waits for the bus or depends on who asks. */
export function createBundleKeeper({ caller, clock, log, jitter }: BundleKeeperOptions): BundleKeeper {
  let held: ServerBundle | null = null;
  let running: Promise<void> | null = null;
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  let stopped = false;

  const again = (delayMs: number) => {
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(() => void refresh(), delayMs);
  };
  const fetch = async () => {
    try {
      const fetched = await caller.call(serverBundle, {});
      if (failures > 0) log.info("the server bundle is there again");
      failures = 0;
      held = fetched;
      const lifeMs = Math.min(lifeMsMax, Math.max(0, fetched.expiresAtMs - clock()));
      again(Math.max(retryMsFirst, lifeMs * (0.4 + 0.2 * jitter())));
    } catch {
      failures += 1;
      // The first of a row: an outage is one event, however often it is noticed.
      if (failures === 1)
        log.warn("no server bundle could be had; new connections are put off once the last one expires");
      again(Math.min(retryMsMax, retryMsFirst * 2 ** Math.min(failures - 1, 10)) * (0.5 + jitter() / 2));
    }
  };
  const refresh = (): Promise<void> => {
    running ??= fetch().finally(() => {
      running = null;
    });
    return running;
  };

  return {
    current() {
      if (held !== null && held.expiresAtMs - spareMs > clock()) return held;
      // The clock was set or the machine slept, which no timer notices. An outage has its own, slower rhythm.
      if (failures === 0) void refresh();
      return null;
    },
    discard({ kid, replica }, what) {
      if (what === "key" ? held?.kid !== kid : held?.replica !== replica) return;
      held = null;
      void refresh();
    },
    refresh,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
