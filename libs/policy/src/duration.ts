import { z } from "zod";

const units = { s: 1000, m: 60_000, h: 3_600_000 } as const;
const pattern = /^([1-9][0-9]{0,5})([smh])$/;

/** "30s", "10m", "12h" in milliseconds; null for anything else. */
export function durationMs(text: string): number | null {
  const match = pattern.exec(text);
  const unit = match?.[2];
  return unit === "s" || unit === "m" || unit === "h" ? Number(match?.[1]) * units[unit] : null;
}

/** A duration as an owner writes it, read as milliseconds; both bounds are allowed values. */
export function duration(min: string, max: string) {
  const error = `must be a duration from ${min} to ${max}, written like 30s, 10m or 12h`;
  const minMs = durationMs(min);
  const maxMs = durationMs(max);
  if (minMs === null || maxMs === null) throw new TypeError("bounds of a duration must be durations");
  return z
    .string({ error })
    .regex(pattern, { error, abort: true })
    .transform((text, context) => {
      const ms = durationMs(text);
      if (ms !== null && ms >= minMs && ms <= maxMs) return ms;
      context.issues.push({ code: "custom", message: error, input: text });
      return z.NEVER;
    });
}

/** The same bounds for the stored form, which counts in milliseconds. */
export function milliseconds(min: string, max: string) {
  return z
    .number()
    .int()
    .min(durationMs(min) ?? Number.NaN)
    .max(durationMs(max) ?? Number.NaN);
}
