import type { SessionState } from "@portcullis/client";

/** While a step-up stands, the terminal is for its answer and not for the chat. */
export interface Pauses {
  note(state: SessionState): void;
  /** Aborted while one stands. */
  readonly signal: AbortSignal;
  /** Resolves when none does. */
  over(): Promise<void>;
}

export function createPauses(): Pauses {
  let pause = new AbortController();
  let ended = Promise.withResolvers<void>();
  ended.resolve();
  return {
    note({ is }) {
      if (is === "step-up" && !pause.signal.aborted) {
        ended = Promise.withResolvers<void>();
        pause.abort();
      } else if (is === "stepped-up" && pause.signal.aborted) {
        pause = new AbortController();
        ended.resolve();
      }
    },
    get signal() {
      return pause.signal;
    },
    over: () => ended.promise,
  };
}
