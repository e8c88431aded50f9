import {
  type appKeyView,
  type liveSession,
  type MemberView,
  type SocketView,
  sessionRole,
  socketRole,
} from "@portcullis/contracts";
import { z } from "zod";
import { id, time, timeOf, timeOrNull, version } from "../http/fields.ts";
import type { Site } from "../site.ts";

/** Deep enough for any policy; what is deeper only costs stack on its way. */
const policyDepthMax = 32;

export const written = z
  .record(z.string(), z.unknown())
  .refine((value) => depthOf(value) <= policyDepthMax, { error: `must not nest deeper than ${policyDepthMax}` });

export const policy = written.describe(
  "gates, order, alternatives, deadlines, messaging; `gates` is required. Issues name the field, like `policy.gates.0.gate`",
);

export const advice = z.object({
  code: z.string().describe("names what is said, like `email-no-authenticator`"),
  severity: z.enum(["info", "warning", "danger"]),
  path: z.string(),
  message: z.string(),
});

export const socket = z.object({
  id,
  label: z.string(),
  role: socketRole.describe("what you are to it; only its owner changes anything"),
  path: z.string().nullable().describe("where it was just set; kept as an HMAC only"),
  url: z.string().describe("where clients connect; `{path}` stands for a path that is not known any more"),
  policy,
  advice: z
    .array(advice)
    .describe(
      "what in the policy is weaker than it may look, the gravest first; `path` names the place, like `gates.1`",
    ),
  idParameter: z.string().describe("query parameter by which a client names its member"),
  authenticator: z.boolean().describe("the socket's own is enrolled: `otp` of `socket` needs it"),
  createdAt: time,
  updatedAt: time,
  version,
});

export const keyRole = z.enum(["member", "consumer"]).describe("whom it lets in: members, or the owner's program");

export const appKey = z.object({
  keyId: id,
  label: z.string(),
  role: keyRole,
  canary: z.boolean().describe("planted: it opens nothing, and you hear of whoever uses it"),
  createdAt: time,
  revokedAt: time.nullable(),
  lastUsedAt: time.nullable(),
});

export const member = z.object({
  name: z.string(),
  canary: z.boolean().describe("planted: nobody is let in as it, and you hear of whoever tries"),
  contacts: z.object({ email: z.string().nullable(), phone: z.string().nullable() }),
  hasPassphrase: z.boolean(),
  authenticator: z.boolean().describe("enrolled: `otp` is mandatory for this member"),
  answerSecret: z.boolean().describe("there is one: the member can pass `question`"),
  passkey: z.boolean().describe("there is one at least: the member can pass `passkey`"),
  answerRule: z.boolean().describe("there is one: the member can pass `question` of the kind `rule`"),
  sign: z.boolean().describe("there is one: `ident` shows it to the member"),
  createdAt: time,
  version,
});

export const session = z.object({
  sid: id,
  member: z.string().nullable(),
  keyId: id.nullable(),
  edge: z.string(),
  role: sessionRole.describe("an owner, or a program of theirs, came by a ticket and is no member"),
  gates: z.array(z.string()).describe("passed, in order"),
  assurance: z
    .object({ key: z.boolean(), memberBound: z.boolean(), gates: z.array(z.string()) })
    .describe("whether an app key was proven, and which gates only this member can pass"),
  context: z
    .object({ rest: z.string(), query: z.string() })
    .describe("of the URL: what is behind the socket's path, and the query, as received"),
  parameters: z.record(z.string(), z.string()).describe("as the client stated them before it was let in"),
  acceptedAt: time,
  expiresAt: time,
  /** When it last passed what was asked of it while it lived. */
  steppedUpAt: time.nullable(),
  words: z
    .string()
    .nullable()
    .describe(
      "six words that the client shows as well: where they are the same, nobody sits between. Others after it came back. Null for everybody but the owner",
    ),
});

export function viewOfSocket(stored: SocketView, site: Site): z.infer<typeof socket> {
  const { createdAtMs, updatedAtMs, ...same } = stored;
  const url = site.socketUrl(stored.label, stored.path);
  return { ...same, url, createdAt: timeOf(createdAtMs), updatedAt: timeOf(updatedAtMs) };
}

export function viewOfAppKey(stored: z.infer<typeof appKeyView>): z.infer<typeof appKey> {
  const { createdAtMs, revokedAtMs, lastUsedAtMs, ...same } = stored;
  return {
    ...same,
    createdAt: timeOf(createdAtMs),
    revokedAt: timeOrNull(revokedAtMs),
    lastUsedAt: timeOrNull(lastUsedAtMs),
  };
}

export function viewOfMember({ createdAtMs, ...same }: MemberView): z.infer<typeof member> {
  return { ...same, createdAt: timeOf(createdAtMs) };
}

export function viewOfSession({
  acceptedAtMs,
  expiresAtMs,
  steppedUpAtMs,
  ...same
}: z.infer<typeof liveSession>): z.infer<typeof session> {
  return {
    ...same,
    acceptedAt: timeOf(acceptedAtMs),
    expiresAt: timeOf(expiresAtMs),
    steppedUpAt: timeOrNull(steppedUpAtMs),
  };
}

function depthOf(value: unknown): number {
  let depth = 0;
  let level: unknown[] = [value];
  while (level.length > 0 && depth <= policyDepthMax) {
    const objects = level.filter((item) => typeof item === "object" && item !== null);
    if (objects.length > 0) depth += 1;
    level = objects.flatMap((item) => Object.values(item));
  }
  return depth;
}
