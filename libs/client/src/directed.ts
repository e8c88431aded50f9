import {
  type About,
  type ConsumerDown,
  type ConsumerUp,
  type Entry,
  encodeControl,
  type Failure,
} from "@portcullis/protocol";
import { assertValid, PortcullisError, type PortcullisErrorCode } from "./errors.ts";

type Refless<Control> = Control extends unknown ? Omit<Control, "ref"> : never;

/** What is answered: `who`, `kick`, `step-up` and `publish` of a consumer's, `directory` of anybody's. */
export type Asked = Refless<ConsumerUp>;

export type PresenceCallback = (is: "joined" | "left", sid: string) => void;

/** Messages for one session, and what the owner's program asks for: what is answered, and not only sent. */
export interface Directed {
  /** Resolves when that message was handed to whom it is for. Rejects with `undelivered`, `closed`. */
  arrival(counter: number): Promise<void>;
  /** Asks, and again over the next connection where one is lost. Rejects with `not-found`, `unsupported`, `conflict`, `unavailable`, `timeout`, `closed`. */
  ask(control: Asked): Promise<About | Entry | null>;
  hear(said: ConsumerDown): void;
  /** There is another connection. */
  attached(): void;
  /** From now on; what came before is said at once. */
  listen(listener: PresenceCallback): void;
  end(): void;
}

interface Pending<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

interface OpenRequest extends Pending<About | Entry | null> {
  readonly control: ConsumerUp;
  readonly timer: ReturnType<typeof setTimeout>;
}

const requestsMax = 1_024;
const answerMsMax = 30_000;
/** What may be said before somebody listens, and counters that nobody has asked for yet. */
const rememberedMax = 1_024;

export function createDirected(options: {
  readonly send: (control: ConsumerUp) => void;
  /** Everything up to this counter has gone where it was to go. */
  readonly onArrived: (counter: number) => void;
  readonly onUndelivered: (counter: number) => void;
}): Directed {
  const { send, onArrived, onUndelivered } = options;
  const arrivals = new Map<number, Pending<void>>();
  const requests = new Map<string, OpenRequest>();
  const undelivered = new Set<number>();
  let through = -1;
  let asked = 0;
  let unheard: (readonly ["joined" | "left", string])[] = [];
  let listener: PresenceCallback | null = null;
  let ended = false;

  function settle(counter: number, waiting: Pending<void>): void {
    arrivals.delete(counter);
    if (undelivered.has(counter)) waiting.reject(new PortcullisError("undelivered"));
    else waiting.resolve();
  }

  function answer(ref: string, act: (request: OpenRequest) => void): void {
    const request = requests.get(ref);
    if (request === undefined) return;
    requests.delete(ref);
    clearTimeout(request.timer);
    act(request);
  }

  function presence(is: "joined" | "left", sid: string): void {
    if (listener === null) {
      unheard.push([is, sid]);
      if (unheard.length > rememberedMax) unheard.shift();
      return;
    }
    try {
      listener(is, sid);
    } catch {
      // A listener that throws is its own problem.
    }
  }

  return {
    arrival(counter) {
      if (ended) return Promise.reject(new PortcullisError("closed"));
      return new Promise((resolve, reject) => {
        arrivals.set(counter, { resolve, reject });
        if (counter <= through) settle(counter, { resolve, reject });
      });
    },
    async ask(control) {
      if (ended) throw new PortcullisError("closed");
      if (requests.size >= requestsMax) throw new PortcullisError("unavailable");
      asked += 1;
      const ref = `q${asked}`;
      const whole: ConsumerUp = { ...control, ref };
      // What is asked again over the next connection must not be what that fails by.
      assertValid(() => encodeControl(whole));
      return new Promise((resolve, reject) => {
        const late = () => answer(ref, (request) => request.reject(new PortcullisError("timeout")));
        requests.set(ref, { control: whole, resolve, reject, timer: setTimeout(late, answerMsMax) });
        send(whole);
      });
    },
    hear(said) {
      switch (said.t) {
        case "arrived":
          through = Math.max(through, said.counter);
          onArrived(said.counter);
          for (const [counter, waiting] of arrivals) if (counter <= through) settle(counter, waiting);
          break;
        case "undelivered": {
          const isNew = !undelivered.has(said.counter);
          undelivered.add(said.counter);
          const [oldest] = undelivered;
          if (undelivered.size > rememberedMax && oldest !== undefined) undelivered.delete(oldest);
          // At once: when `arrived` comes it may not be remembered any more.
          const waiting = arrivals.get(said.counter);
          if (waiting !== undefined) settle(said.counter, waiting);
          if (isNew) onUndelivered(said.counter);
          break;
        }
        case "about":
        case "entry":
          answer(said.ref, ({ resolve }) => resolve(said));
          break;
        case "done":
          answer(said.ref, ({ resolve }) => resolve(null));
          break;
        case "failed":
          answer(said.ref, ({ reject }) => reject(new PortcullisError(byFailure[said.code])));
          break;
        case "joined":
        case "left":
          presence(said.t, said.sid);
      }
    },
    attached() {
      for (const { control } of requests.values()) send(control);
    },
    listen(next) {
      listener = next;
      const before = unheard;
      unheard = [];
      for (const [is, sid] of before) presence(is, sid);
    },
    end() {
      ended = true;
      for (const { reject } of arrivals.values()) reject(new PortcullisError("closed"));
      arrivals.clear();
      for (const { reject, timer } of requests.values()) {
        clearTimeout(timer);
        reject(new PortcullisError("closed"));
      }
      requests.clear();
    },
  };
}

const byFailure: Readonly<Record<Failure, PortcullisErrorCode>> = {
  "not-found": "not-found",
  unsupported: "unsupported",
  "too-many": "unavailable",
  unavailable: "unavailable",
  conflict: "conflict",
};
