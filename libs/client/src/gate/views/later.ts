import { timeUntil } from "../clock.ts";
import { disable, h, setText } from "../dom.ts";
import type { Say, TextKey } from "../texts.ts";

/** A button that may be pressed from a moment on. The time until then stands above it: a name that counts would be read out each second. */
export interface Later {
  readonly nodes: readonly Node[];
  /** @param atMs epoch milliseconds of that moment; null: nobody knows of one */
  tick(atMs: number | null, nowMs: number): void;
}

/** @param given.announce is told `given.ready`, where there was a time to wait */
export function createLater(
  say: Say,
  given: {
    readonly go: HTMLButtonElement;
    readonly left: TextKey;
    readonly ready: TextKey;
    readonly announce: (text: string) => void;
  },
): Later {
  const { go, left, ready, announce } = given;
  const wait = h("p", { part: "retry", class: "status" });
  let hasWaited = false;
  return {
    nodes: [wait, go],
    tick(atMs, nowMs) {
      const isReady = atMs !== null && nowMs >= atMs;
      disable(go, !isReady);
      wait.hidden = atMs === null || isReady;
      if (atMs !== null && !isReady) setText(wait, say(left, { time: timeUntil(atMs, nowMs) }));
      if (isReady && hasWaited) announce(say(ready));
      hasWaited = !isReady;
    },
  };
}
