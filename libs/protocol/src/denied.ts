import * as z from "zod/mini";
import { closeCodeName, retryAfterMs } from "./fields.ts";
import { assertTextBytes, check, parseJson } from "./json.ts";
import { limits } from "./limits.ts";

const schema = z.strictObject({
  t: z.literal("denied"),
  /** Name of the close code that follows. */
  code: closeCodeName,
  retryAfterMs: z.optional(retryAfterMs),
});

/** Advisory: anybody between could have written it. A client waits longer because of it, and does nothing else. */
export type DeniedFrame = Omit<z.infer<typeof schema>, "t">;

/** @returns the text frame. */
export function encodeDenied(denied: DeniedFrame): string {
  return JSON.stringify(check(schema, { t: "denied", ...denied }, "denied"));
}

/** @throws {ProtocolError} */
export function parseDenied(frame: string): DeniedFrame {
  assertTextBytes(frame, limits.deniedBytes, "denied");
  const { t: _, ...denied } = parseJson(schema, frame, "denied");
  return denied;
}
