import type { Clock } from "@portcullis/runtime";

/** Allows `perSecond` on average and as many at once. */
export function createTokenBucket(perSecond: number, clock: Clock): { take(): boolean } {
  let tokens = perSecond;
  let filledAtMs = clock();
  return {
    take() {
      const nowMs = clock();
      // A clock that was set back refills nothing.
      tokens = Math.min(perSecond, tokens + (Math.max(0, nowMs - filledAtMs) * perSecond) / 1_000);
      filledAtMs = nowMs;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
