import { z } from "zod";

/** An object that refuses unknown fields and says which ones there are. */
export function strict<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys" ? `not known here; allowed: ${Object.keys(shape).join(", ")}` : undefined,
  });
}

/** A whole number within bounds, both included. */
export function integer(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error });
}
