import { outcome } from "@portcullis/contracts";
import { handshakeStateSchema } from "@portcullis/policy";
import type { State } from "@portcullis/state";
import { z } from "zod";
import { enrolment } from "../sessions/registry.ts";

/**
 * A handshake between two steps. It lives here and not in a process: any replica takes the next step. Answers are never part
 * of it; they pass through to `factors` and are gone.
 */
const handshake = z.strictObject({
  machine: handshakeStateSchema,
  socketId: z.string(),
  memberId: z.string().nullable(),
  member: z.string().nullable(),
  keyId: z.string().nullable(),
  /** Enrolments, as they were when it began, of the authenticators that it may ask for. */
  enrolments: z.array(enrolment),
  /** SHA-256 of the policy that this handshake began with, base64url. */
  policyHash: z.string(),
  sessionMs: z.number().int(),
  maxBytes: z.number().int(),
  perSecond: z.number().int(),
  startedAtMs: z.number().int(),
  /** Verifications asked for and not yet answered: a replica that takes over asks for the same ones again. */
  pending: z.array(z.strictObject({ ref: z.string(), gate: z.string(), config: z.record(z.string(), z.unknown()) })),
  /** Number of the last step taken, and an HMAC of what came with it: only the very same is a repetition. */
  n: z.number().int(),
  given: z.string(),
  /** Null while answers are being verified. */
  outcome: outcomeSchema().nullable(),
});
export type Handshake = z.infer<typeof handshake>;

/** The outcome as JSON: its one binary field is kept as text. */
function outcomeSchema() {
  return z.string().transform((text, context) => {
    const parsed = outcome.safeParse(
      JSON.parse(text, (key, value) =>
        key === "policyHash" ? new Uint8Array(Buffer.from(value, "base64url")) : value,
      ),
    );
    if (parsed.success) return parsed.data;
    context.addIssue({ code: "custom", message: "is not an outcome" });
    return z.NEVER;
  });
}

export interface HandshakeStore {
  /** @returns the version, or null where this handshake exists already. */
  create(hid: string, value: Handshake, ttlMs: number): Promise<string | null>;
  get(hid: string): Promise<{ readonly value: Handshake; readonly version: string } | null>;
  replace(hid: string, version: string, value: Handshake, ttlMs: number): Promise<string | null>;
}

export function createHandshakeStore(state: State): HandshakeStore {
  const key = (hid: string) => `identity:handshake:${hid}`;
  return {
    create: (hid, value, ttlMs) => state.create(key(hid), encode(value), ttlMs),
    async get(hid) {
      const found = await state.get(key(hid));
      return found === null
        ? null
        : { value: handshake.parse(JSON.parse(Buffer.from(found.value).toString("utf8"))), version: found.version };
    },
    replace: (hid, version, value, ttlMs) => state.replace(key(hid), version, encode(value), ttlMs),
  };
}

function encode(value: Handshake): Uint8Array {
  const kept = value.outcome === null ? null : JSON.stringify(value.outcome, bytesAsText);
  return Buffer.from(JSON.stringify({ ...value, outcome: kept }));
}

function bytesAsText(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("base64url") : value;
}
