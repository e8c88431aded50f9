import * as z from "zod/mini";
import { directory, entry, publish } from "./end-to-end/controls.ts";
import { count, epochMs, gateName, label, member, parameters, text } from "./fields.ts";
import { limits } from "./limits.ts";

/** What a session may be: who came through the gates, the socket's owner, the owner's program. */
export const roles = ["member", "owner", "consumer"] as const;
export type Role = (typeof roles)[number];
export const role = z.enum(roles);

/** How the messages of a socket go: everybody to everybody, or members to the owner's program and back. */
export const messagingModes = ["broadcast", "consumer"] as const;
export type MessagingMode = (typeof messagingModes)[number];
export const messagingMode = z.enum(messagingModes);

/** Chosen by the client, repeated in the answer. */
const ref = label;
const counter = count(Number.MAX_SAFE_INTEGER);

/** C→S, record 20: who is behind a session of this socket. */
const who = z.strictObject({ t: z.literal("who"), ref, sid: label });

/** C→S, record 20: puts a member out. */
const kick = z.strictObject({ t: z.literal("kick"), ref, sid: label });

/** C→S, record 20: a member has to pass gates again before it is heard on. `rule`: index of an `on: "demand"` of the policy's `during`; without: the first. */
const stepUp = z.strictObject({
  t: z.literal("step-up"),
  ref,
  sid: label,
  rule: z.optional(count(7)),
});

/** S→C, record 21: the answer to `who`. */
const about = z.strictObject({
  t: z.literal("about"),
  ref,
  sid: label,
  member: z.nullable(member),
  /** False: the member is merely claimed. */
  memberProven: z.boolean(),
  role,
  /** All gates passed, in order. */
  gates: z.array(gateName).check(z.maxLength(64)),
  assurance: z.strictObject({
    key: z.boolean(),
    memberBound: z.boolean(),
    gates: z.array(gateName).check(z.maxLength(64)),
  }),
  /** What the address said beyond the socket's path. */
  context: z.strictObject({ rest: text(limits.pathChars), query: text(limits.queryChars) }),
  parameters,
  acceptedAt: epochMs,
  expiresAt: epochMs,
  /** When it last passed a step-up; null: never. */
  steppedUpAt: z.nullable(epochMs),
  /** Of the connection that it is on by now; null: it cannot be told. */
  words: z.nullable(text(64)),
});
export type About = z.infer<typeof about>;

/** S→C, record 21: what was asked for is so. */
const done = z.strictObject({ t: z.literal("done"), ref });

export const failures = ["not-found", "unsupported", "too-many", "unavailable", "conflict"] as const;
const failed = z.strictObject({ t: z.literal("failed"), ref, code: z.enum(failures) });
export type Failure = (typeof failures)[number];

/** S→C, record 21: each message for one, up to this counter of the client's, was handed over, or is told to be `undelivered`. */
const arrived = z.strictObject({ t: z.literal("arrived"), counter });
/** S→C, record 21: this message was handed to nobody, and never will be. */
const undelivered = z.strictObject({ t: z.literal("undelivered"), counter });

/** S→C, record 21: a member's connection stands, or does no more. To consumers, as far as it can be told. */
const joined = z.strictObject({ t: z.literal("joined"), sid: label });
const left = z.strictObject({ t: z.literal("left"), sid: label });

export const consumerUp = [who, kick, stepUp, directory, publish] as const;
export const consumerDown = [about, entry, done, failed, arrived, undelivered, joined, left] as const;

export type ConsumerUp = z.infer<(typeof consumerUp)[number]>;
export type ConsumerDown = z.infer<(typeof consumerDown)[number]>;
