import type { Caller } from "@portcullis/bus";
import { checkSessions, closeNameOf, ServiceError } from "@portcullis/contracts";
import { closeCodes } from "@portcullis/protocol";
import type { Logger } from "@portcullis/runtime";
import type { SessionRegistry } from "./registry.ts";

const chunkSize = 1_000;
/** Until it asks again where it was not answered, or looks once more for what it found gone. */
const retryMs = 1_000;

export interface Sweep {
  /** The caller for everything else: it notices that the bus was gone and is back. */
  readonly caller: Caller;
  /** Asks now, unless that is being done already. Never rejects. */
  now(): Promise<void>;
  stop(): void;
}

/**
 * A push that says "close this session", or that it has gone on elsewhere, may be lost; this is where it is noticed, at intervals and as
 * soon as the bus works again after it did not.
 */
export function startSweep(options: {
  readonly caller: Caller;
  /** Who asks. */
  readonly edge: string;
  readonly registry: SessionRegistry;
  /** Closes a connection whose session has gone on over another one. */
  readonly displace: (hid: string) => void;
  readonly intervalMs: number;
  readonly log: Pick<Logger, "warn" | "info">;
}): Sweep {
  const { caller, edge, registry, displace, intervalMs, log } = options;
  let timer: NodeJS.Timeout | undefined;
  // Found gone once. Their push is most likely on its way, with the sealed word that says why: a sweep has none to give.
  let suspected: ReadonlySet<string> = new Set();
  let running: Promise<void> | null = null;
  let troubled = false;
  let stopped = false;

  const schedule = (delayMs: number) => {
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(() => void now(), delayMs);
  };
  const check = async () => {
    const held = registry.held();
    const found = new Set<string>();
    let closed = 0;
    try {
      // Also where there are none: whoever is let in next must be able to come back, should this edge die before it asks again.
      for (let start = 0; (start === 0 || start < held.length) && !stopped; start += chunkSize) {
        const { gone, replaced } = await caller.call(checkSessions, {
          edge,
          everyMs: intervalMs,
          held: held.slice(start, start + chunkSize),
        });
        for (const { sid, why } of gone) {
          if (why !== "expired" && !suspected.has(sid)) {
            found.add(sid);
            continue;
          }
          if (why === "expired") registry.expireLive(sid);
          else registry.endLive(sid, { frame: null, closeCode: closeCodes[closeNameOf(why)].code });
          closed += 1;
        }
        for (const hid of replaced) displace(hid);
        closed += replaced.length;
      }
      troubled = false;
      suspected = found;
      schedule(found.size === 0 ? intervalMs : Math.min(retryMs, intervalMs));
    } catch {
      if (!troubled) log.warn("sessions could not be checked; trying again");
      troubled = true;
      schedule(Math.min(retryMs, intervalMs));
    }
    if (closed > 0) log.info("sessions were over without a push", { closed });
  };
  const now = (): Promise<void> => {
    running ??= check().finally(() => {
      running = null;
    });
    return running;
  };
  const worked = () => {
    if (!troubled || stopped) return;
    troubled = false;
    void now();
  };
  const failed = (error: unknown) => {
    if (error instanceof ServiceError && error.code === "unavailable") troubled = true;
  };

  schedule(0);
  return {
    caller: {
      async call(contract, body, callOptions) {
        try {
          const reply = await caller.call(contract, body, callOptions);
          worked();
          return reply;
        } catch (error) {
          failed(error);
          throw error;
        }
      },
      emit(contract, body, route) {
        try {
          caller.emit(contract, body, route);
        } catch (error) {
          failed(error);
          throw error;
        }
        worked();
      },
    },
    now,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
