import * as z from "zod/mini";
import { utf8 } from "./bytes.ts";
import { type ConsumerUp, consumerDown, consumerUp } from "./consumer-controls.ts";
import { ProtocolError } from "./errors.ts";
import { count, epochMs, gateName } from "./fields.ts";
import { check, parseJson, textOf } from "./json.ts";
import { limits } from "./limits.ts";
import { isMessageUp, type MessageDown, type MessageUp, parseMessageDown, parseMessageUp } from "./message.ts";
import { answer, cancel, challenge, goodbye, groupGrant, resend, revoked, start, wait } from "./plaintext.ts";
import { recordTypes } from "./record.ts";

const place = count(Number.MAX_SAFE_INTEGER);

/** C→S, record 20: what came behind this place, once more. */
const catchUp = z.strictObject({ t: z.literal("catch-up"), after: place });

/** S→C, record 21, behind the messages that were asked for. */
const caughtUp = z.strictObject({
  t: z.literal("caught-up"),
  /** Everything up to here has been said, as far as it is still there. */
  through: place,
  /** False: something between is not kept any more, or never was. */
  complete: z.boolean(),
  /** There is more behind `through`: ask again. */
  more: z.boolean(),
  group: z.optional(groupGrant),
});

/** S→C, record 21: a new epoch. */
const grant = z.strictObject({ t: z.literal("grant"), group: groupGrant });

/** S→C, record 30: how far it has come. */
const tick = z.strictObject({ t: z.literal("tick"), place });

/** C→S, record 20: as in a handshake, but numbered by the record. */
const numberless = { n: true } as const;
const stepUp = [
  z.omit(answer, numberless),
  z.omit(start, numberless),
  z.omit(resend, numberless),
  z.omit(cancel, numberless),
] as const;

/** Rises with whatever is said of step-ups over a connection: what does not rise was overtaken. */
const numbered = { n: count(Number.MAX_SAFE_INTEGER, 1) } as const;

/** S→C, record 21: what was asked for while the session lives was passed. */
const steppedUp = z.strictObject({
  t: z.literal("stepped-up"),
  ...numbered,
  /** Those that were passed now, in order. */
  gates: z.array(gateName).check(z.maxLength(64)),
  /** Of a class of messages: so long it is not asked for again, epoch milliseconds. */
  until: z.optional(epochMs),
});

const down = z.discriminatedUnion("t", [
  caughtUp,
  grant,
  revoked,
  goodbye,
  z.extend(challenge, numbered),
  z.extend(wait, numbered),
  steppedUp,
  ...consumerDown,
]);
const up = z.discriminatedUnion("t", [catchUp, ...consumerUp, ...stepUp]);

export type CatchUp = z.infer<typeof catchUp>;
export type CaughtUp = z.infer<typeof caughtUp>;
export type Grant = z.infer<typeof grant>;
export type Tick = z.infer<typeof tick>;
export type SteppedUp = z.infer<typeof steppedUp>;
export type StepUpAction = z.infer<(typeof stepUp)[number]>;
/** What a client asks. */
export type ControlUp = CatchUp | ConsumerUp | StepUpAction;
export type ApplicationControl = z.infer<typeof down> | ControlUp | Tick;

/** What an application or group record holds: a message, laid out as an unsealed one, or JSON. The first byte says which. */
export type ApplicationUp = ({ readonly t: "message" } & MessageUp) | ControlUp;
export type ApplicationDown = ({ readonly t: "message" } & MessageDown) | z.infer<typeof down>;
export type GroupDown = ({ readonly t: "message" } & MessageDown) | Tick;

const jsonBytesMax = limits.handshakePlaintextBytes - 4;

function parse<Output>(schema: z.ZodMiniType<Output>, bytes: Uint8Array, bytesMax = jsonBytesMax): Output {
  if (bytes.length > bytesMax) throw new ProtocolError("too-large", "plaintext");
  return parseJson(schema, textOf(bytes, "plaintext"), "plaintext");
}

/** Of a record 20. @param bytes unpadded. @throws {ProtocolError} */
export function parseApplicationUp(bytes: Uint8Array): ApplicationUp {
  return isMessageUp(bytes) ? { t: "message", ...parseMessageUp(bytes) } : parse(up, bytes);
}

/** Of a record 21. @param bytes unpadded. @throws {ProtocolError} */
export function parseApplicationDown(bytes: Uint8Array): ApplicationDown {
  if (bytes[0] === recordTypes.messageDown) return { t: "message", ...parseMessageDown(bytes) };
  const said = parse(down, bytes, limits.aboutBytes);
  if (bytes.length > bytesMaxOf(said)) throw new ProtocolError("too-large", "plaintext");
  return said;
}

/** Of a record 30. @param bytes unpadded. @throws {ProtocolError} */
export function parseGroupDown(bytes: Uint8Array): GroupDown {
  return bytes[0] === recordTypes.messageDown ? { t: "message", ...parseMessageDown(bytes) } : parse(tick, bytes);
}

/** @returns JSON bytes, not yet padded. @throws {ProtocolError} on what the other side would refuse. */
export function encodeControl(control: ApplicationControl): Uint8Array {
  const either = z.discriminatedUnion("t", [up, tick, down]);
  const bytes = utf8(JSON.stringify(check(either, control, "plaintext")));
  if (bytes.length > bytesMaxOf(control)) throw new ProtocolError("too-large", "plaintext");
  return bytes;
}

/** Who somebody is may take more words than anything else. */
function bytesMaxOf({ t }: { readonly t: string }): number {
  return t === "about" ? limits.aboutBytes : jsonBytesMax;
}
