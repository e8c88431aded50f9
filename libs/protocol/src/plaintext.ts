import * as z from "zod/mini";
import { utf8 } from "./bytes.ts";
import { messagingMode, role } from "./consumer-controls.ts";
import { endToEndMode } from "./end-to-end/controls.ts";
import { ProtocolError } from "./errors.ts";
import {
  answerValue,
  bytes32,
  bytes64,
  closeCodeName,
  count,
  epochMs,
  gateName,
  label,
  member,
  offeredAnswer,
  parameters,
  position,
  retryAfterMs,
} from "./fields.ts";
import { check, parseJson, textOf } from "./json.ts";
import { limits } from "./limits.ts";

/** From 1, strictly +1 in each direction of a handshake. */
const n = count(0xffff_ffff, 1);

function isShallow(value: unknown, depth: number): boolean {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  return depth > 0 && Object.values(value).every((inner) => isShallow(inner, depth - 1));
}

/** What the gate's own prompt shows; the gate defines it (docs/protocol.md, "Gates"). */
const prompt = z
  .record(z.string().check(z.regex(/^[A-Za-z0-9]{1,32}$/)), z.unknown())
  .check(z.refine((value) => isShallow(value, limits.promptDepth)));

export const challenge = z.strictObject({
  n,
  t: z.literal("challenge"),
  /** Random; the answer repeats it. One challenge is outstanding at a time. */
  cid: label,
  /** Any one of these takes the handshake on. */
  options: z
    .array(z.strictObject({ at: position, gate: gateName, prompt: z.optional(prompt) }))
    .check(z.minLength(1), z.maxLength(limits.options)),
  /** Wrong answers left, this one included. */
  attemptsLeft: count(1000),
  /** Time to answer from receipt, in milliseconds. */
  answerMs: count(86_400_000),
  /** True: the answer before this was wrong. */
  retry: z.boolean(),
});

/** How the message of a wait fares (docs/protocol.md, "Waits"). */
export const waitStatuses = ["queued", "sent", "delayed", "failed", "refused"] as const;
export type WaitStatus = (typeof waitStatuses)[number];

export const wait = z.strictObject({
  n,
  t: z.literal("wait"),
  /** As of a challenge: takes its place. The options are those of the last challenge. */
  cid: label,
  at: position,
  gate: gateName,
  prompt: z.optional(prompt),
  status: z.enum(waitStatuses),
  /** After so many milliseconds `resend` has an effect; null: never. */
  resendMs: z.nullable(count(86_400_000)),
  attemptsLeft: count(1000),
  /** Until the wait is over, in milliseconds. */
  answerMs: count(86_400_000),
  retry: z.boolean(),
});

/** What opens the group records of an epoch (record 30). */
export const groupGrant = z.strictObject({
  /** Id of the socket, which is bound into keys and signatures. */
  socket: label,
  epoch: count(2 ** 32 - 1),
  step: count(limits.epochSteps),
  /** G of this step: all that is sealed from here to the end of the epoch comes from it, and nothing that was sealed before. */
  key: bytes32,
  /** Raw Ed25519 key under which the server signs in this epoch: who can open cannot forge. */
  verify: bytes32,
});
export type GroupGrant = z.infer<typeof groupGrant>;

const accepted = z.strictObject({
  n,
  t: z.literal("accepted"),
  /** The client's plaintexts that the server has taken in: the last `n` of the client, 0 for none. */
  nC: count(0xffff_ffff),
  /** The finish value, base64url. */
  F: bytes32,
  /** Public label of the session. */
  sid: label,
  member: z.optional(z.nullable(member)),
  /** What the session is; absent: a member's. */
  role: z.optional(role),
  /** How messages go; absent: everybody to everybody. */
  mode: z.optional(messagingMode),
  assurance: z.strictObject({
    /** An app key was proven. */
    key: z.boolean(),
    /** Some gate that only this member can pass was passed: `member` is more than a claim. */
    memberBound: z.boolean(),
    /** The gates passed that are bound to the member. */
    gates: z.array(gateName).check(z.maxLength(64)),
  }),
  /** All gates passed, in order. */
  gates: z.array(gateName).check(z.maxLength(64)),
  /** SHA-256 of the policy version that was applied, base64url. */
  policyHash: bytes32,
  /** Messages are sealed: upwards in records 20, downwards in records 30. */
  sealed: z.boolean(),
  /** Bodies may, or must, be sealed beyond the server; absent: there is no directory for that. */
  endToEnd: z.optional(endToEndMode),
  /** Exactly where they are: what opens them. */
  group: z.optional(groupGrant),
  /** Where messages have places: that of the last one before this session, or before it went on. */
  place: z.optional(count(Number.MAX_SAFE_INTEGER)),
  /** How long after its connection is lost the session can go on over another one, in milliseconds; absent: not at all. */
  resumeMs: z.optional(count(86_400_000, 1)),
  /** Of a session that went on: the counter of the next message that the server takes. */
  next: z.optional(count(Number.MAX_SAFE_INTEGER)),
  /** Epoch milliseconds; never extended. */
  expiresAt: epochMs,
  limits: z.strictObject({ maxBytes: count(limits.messageBytes, 1), perSecond: count(1_000_000, 1) }),
  /** Signed by the server's identity key over F, `sid`, `member`, `at` and `policyHash`; absent: that key changes in this moment. */
  receipt: z.optional(z.strictObject({ at: epochMs, sig: bytes64 })),
});

const denied = z.strictObject({
  n,
  t: z.literal("denied"),
  code: closeCodeName,
  retryAfterMs: z.optional(retryAfterMs),
});

export const revocations = [
  "kicked",
  "key-revoked",
  "member-removed",
  "socket-deleted",
  "policy-changed",
  "expired",
  "step-up",
] as const;
export type Revocation = (typeof revocations)[number];

export const revoked = z.strictObject({
  n: z.optional(n),
  t: z.literal("revoked"),
  what: z.enum(revocations),
});

export const goodbye = z.strictObject({
  n: z.optional(n),
  t: z.literal("goodbye"),
  /** Name of the close code that follows. */
  code: closeCodeName,
  retryAfterMs: z.optional(retryAfterMs),
});

export const answer = z.strictObject({
  n,
  t: z.literal("answer"),
  cid: label,
  gate: gateName,
  value: answerValue,
  at: z.optional(position),
});

const offer = z.strictObject({
  n,
  t: z.literal("offer"),
  answers: z.array(offeredAnswer).check(z.minLength(1), z.maxLength(limits.answers)),
  /** For the owner's program: added to those that came before. */
  parameters: z.optional(parameters),
});

export const start = z.strictObject({ n, t: z.literal("start"), cid: label, gate: gateName, at: z.optional(position) });

export const resend = z.strictObject({ n, t: z.literal("resend"), cid: label });

/** `not-recognised`: a person did not recognise the server. Its owner is told. */
export const cancelReasons = ["not-recognised"] as const;

export const cancel = z.strictObject({ n, t: z.literal("cancel"), why: z.optional(z.enum(cancelReasons)) });

const server = z.discriminatedUnion("t", [challenge, wait, accepted, denied, revoked, goodbye]);
const client = z.discriminatedUnion("t", [answer, offer, start, resend, cancel]);
const either = z.discriminatedUnion("t", [
  challenge,
  wait,
  accepted,
  denied,
  revoked,
  goodbye,
  answer,
  offer,
  start,
  resend,
  cancel,
]);

export type Challenge = z.infer<typeof challenge>;
export type Wait = z.infer<typeof wait>;
export type Accepted = z.infer<typeof accepted>;
export type Denied = z.infer<typeof denied>;
export type Revoked = z.infer<typeof revoked>;
export type Goodbye = z.infer<typeof goodbye>;
export type Answer = z.infer<typeof answer>;
export type Offer = z.infer<typeof offer>;
export type Start = z.infer<typeof start>;
export type Resend = z.infer<typeof resend>;
export type Cancel = z.infer<typeof cancel>;
export type ServerPlaintext = z.infer<typeof server>;
export type ClientPlaintext = z.infer<typeof client>;

const jsonBytesMax = limits.handshakePlaintextBytes - 4;

function parse<Output>(schema: z.ZodMiniType<Output>, bytes: Uint8Array): Output {
  if (bytes.length > jsonBytesMax) throw new ProtocolError("too-large", "plaintext");
  return parseJson(schema, textOf(bytes, "plaintext"), "plaintext");
}

/** @param bytes unpadded. @throws {ProtocolError} */
export function parseServerPlaintext(bytes: Uint8Array): ServerPlaintext {
  return parse(server, bytes);
}

/** @param bytes unpadded. @throws {ProtocolError} */
export function parseClientPlaintext(bytes: Uint8Array): ClientPlaintext {
  return parse(client, bytes);
}

/** @returns JSON bytes, not yet padded: what the chains hash. @throws {ProtocolError} on what the other side would refuse. */
export function encodePlaintext(plaintext: ServerPlaintext | ClientPlaintext): Uint8Array {
  const bytes = utf8(JSON.stringify(check(either, plaintext, "plaintext")));
  if (bytes.length > jsonBytesMax) throw new ProtocolError("too-large", "plaintext");
  return bytes;
}
