/** `m:ss`, of what is left until then; never below 0:00. */
export function timeUntil(untilMs: number, nowMs: number): string {
  const left = secondsUntil(untilMs, nowMs);
  return `${Math.floor(left / 60)}:${`${left % 60}`.padStart(2, "0")}`;
}

export function secondsUntil(untilMs: number, nowMs: number): number {
  return Math.max(0, Math.ceil((untilMs - nowMs) / 1_000));
}
