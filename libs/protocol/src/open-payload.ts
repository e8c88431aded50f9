import * as z from "zod/mini";
import { utf8 } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { count, member, offeredAnswer, parameters, text, ticket } from "./fields.ts";
import { check, parseJson, textOf } from "./json.ts";
import { limits } from "./limits.ts";

const schema = z.strictObject({
  /** Where the client thinks it is; the server compares with what the edge says, so that no edge can redirect it. */
  dst: z.strictObject({
    label: text(limits.labelChars, 1),
    path: text(limits.pathChars),
    query: text(limits.queryChars),
    id: z.nullable(member),
  }),
  answers: z.optional(z.array(offeredAnswer).check(z.minLength(1), z.maxLength(limits.answers))),
  /** Of a session that goes on: the counter of the first message that may not have arrived. */
  resume: z.optional(z.strictObject({ next: count(Number.MAX_SAFE_INTEGER) })),
  parameters: z.optional(parameters),
  /** One-time, had elsewhere. Here and not in the URL: URLs are logged. */
  ticket: z.optional(ticket),
});

export type OpenPayload = z.infer<typeof schema>;
export type OfferedAnswer = z.infer<typeof offeredAnswer>;

/** @returns JSON bytes, not yet padded. @throws {ProtocolError} on what no server would take. */
export function encodeOpenPayload(payload: OpenPayload): Uint8Array {
  const bytes = utf8(JSON.stringify(check(schema, payload, "payload")));
  if (bytes.length > limits.handshakePlaintextBytes - 4) throw new ProtocolError("too-large", "payload");
  return bytes;
}

/** @param bytes unpadded. @throws {ProtocolError} */
export function parseOpenPayload(bytes: Uint8Array): OpenPayload {
  if (bytes.length > limits.handshakePlaintextBytes - 4) throw new ProtocolError("too-large", "payload");
  return parseJson(schema, textOf(bytes, "payload"), "payload");
}
