import type { z } from "zod";

/**
 * A document that is not there, read as one that is. A collection parses what it finds: whoever must not learn whether there was something is answered behind the same
 * parsing, of this instead.
 */
export function madeUp<T extends object>(schema: z.ZodType<T>, body: T): () => T {
  const json = JSON.stringify(schema.parse(body));
  return () => schema.parse(JSON.parse(json));
}
