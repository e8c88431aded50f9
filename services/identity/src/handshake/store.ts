import { type Outcome, outcome, sessionContext, sessionRole, waitView } from "@portcullis/contracts";
import { handshakeStateSchema } from "@portcullis/policy";
import type { Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";
import { charged } from "../penalties/penalties.ts";
import { toText } from "../secrets.ts";
import { enrolment } from "../sessions/session.ts";
import { terms } from "../sessions/terms.ts";

/**
 * A handshake between two steps. It lives here and not in a process: any replica takes the next step. Answers are never part
 * of it; they pass through to `factors` and are gone.
 */
const handshake = z.strictObject({
  machine: handshakeStateSchema,
  /**
   * Null for a handshake that leads in. Otherwise what is asked of a session: under which id (answers are named after it, since its
   * connection has named others before), for which rule, for how long that holds, and how often something of it was written.
   */
  stepUp: z
    .strictObject({
      id: z.string(),
      sid: z.string(),
      rule: z.number().int(),
      forMs: z.number().int().nullable(),
      said: z.number().int(),
    })
    .nullable(),
  socketId: z.string(),
  /** Of a handshake that is played: the room of the decoy to which it leads. Null for a real one. */
  room: z.string().nullable(),
  label: z.string(),
  memberId: z.string().nullable(),
  member: z.string().nullable(),
  keyId: z.string().nullable(),
  role: sessionRole,
  context: sessionContext,
  /** What the client has stated for the owner's program, up to the verdict. */
  parameters: z.record(z.string(), z.string()),
  /** As they were when it began, of what its gates may ask for. */
  enrolments: z.array(enrolment),
  /** SHA-256 of the policy that this handshake began with, base64url. */
  policyHash: z.string(),
  sessionMs: z.number().int(),
  terms,
  startedAtMs: z.number().int(),
  /** Id of the connection on which the client is now. Another one that comes from it is of the past. */
  connection: z.string(),
  /** Transcript hash of that connection, base64url. */
  transcript: z.string(),
  /** HMAC of the network from which the first connection came. */
  network: z.string(),
  /** When the last step, or connection, was taken. */
  takenAtMs: z.number().int(),
  /** Verifications asked for and not yet answered: a replica that takes over asks for the same ones again. */
  pending: z.array(
    z.strictObject({
      ref: z.string(),
      at: z.string(),
      gate: z.string(),
      config: z.record(z.string(), z.unknown()),
      waitId: z.string().nullable(),
    }),
  ),
  /** A wait that is to be begun, and one whose message is to be sent again; likewise. */
  beginning: z
    .strictObject({
      waitId: z.string(),
      gate: z.string(),
      config: z.record(z.string(), z.unknown()),
      byMs: z.number().int(),
    })
    .nullable(),
  resending: z.strictObject({ waitId: z.string(), ref: z.string() }).nullable(),
  /** A question that could not be prepared when its turn came; likewise. */
  unasked: z.strictObject({ retry: z.boolean() }).nullable(),
  /** What was last heard of the wait that goes on. */
  wait: waitView.nullable(),
  /** Number of the last step taken, and an HMAC of what came with it: only the very same is a repetition. */
  n: z.number().int(),
  given: z.string(),
  /** As they stood when it began: nothing is held against them; they came in from here before. And whether the work that they were asked for has bought its answer. */
  counted: z.strictObject({ exempt: z.boolean(), known: z.boolean(), usedWork: z.boolean() }),
  /** What the answers that are being looked at were charged to. */
  charges: z.array(charged),
  /** Why nothing is looked at any more, and until when; null while it is. */
  hold: z.strictObject({ gate: z.string().nullable(), isLockout: z.boolean(), untilMs: z.number().int() }).nullable(),
  /** Null while something has to be asked first. */
  outcome: outcomeSchema().nullable(),
  /** What the client was last told to do, by a step or a push: it is told again where it comes back. */
  standing: outcomeSchema().nullable(),
  /** How often it was told something over this connection that it had not asked for. */
  pushes: z.number().int(),
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

/** The connection on which the client is, as a handshake remembers it. */
export function placeOf(hid: string, transcript: Uint8Array): Pick<Handshake, "connection" | "transcript"> {
  return { connection: hid, transcript: toText(transcript) };
}

export function whereOf({ connection, transcript }: Handshake): {
  readonly hid: string;
  readonly transcript: Uint8Array;
} {
  return { hid: connection, transcript: new Uint8Array(Buffer.from(transcript, "base64url")) };
}

export interface HandshakeStore {
  /** @returns the version, or null where this handshake exists already. */
  create(hid: string, value: Handshake, ttlMs: number): Promise<string | null>;
  get(hid: string): Promise<{ readonly value: Handshake; readonly version: string } | null>;
  replace(hid: string, version: string, value: Handshake, ttlMs: number): Promise<string | null>;
  /** Remembers that a handshake is to go on over this connection. */
  follow(hid: string, id: string, ttlMs: number): Promise<void>;
  /** Which handshake a connection is of: its own, unless it took one over. */
  idOf(hid: string): Promise<string>;
}

/** @param vault what stands is kept wrapped: a member's sign is among what was asked, and contacts, masked, among what is waited for. */
export function createHandshakeStore(state: State, vault: Pick<Vault, "wrap" | "unwrap">): HandshakeStore {
  const key = (hid: string) => `identity:handshake:${hid}`;
  const sealed = (hid: string, value: Handshake) => vault.wrap(encode(value), key(hid));
  const connectionKey = (hid: string) => `identity:connection:${hid}`;
  return {
    create: (hid, value, ttlMs) => state.create(key(hid), sealed(hid, value), ttlMs),
    async get(hid) {
      const found = await state.get(key(hid));
      if (found === null) return null;
      const text = Buffer.from(vault.unwrap(found.value, key(hid))).toString("utf8");
      return { value: handshake.parse(JSON.parse(text)), version: found.version };
    },
    replace: (hid, version, value, ttlMs) => state.replace(key(hid), version, sealed(hid, value), ttlMs),
    async follow(hid, id, ttlMs) {
      await state.create(connectionKey(hid), Buffer.from(id), ttlMs);
    },
    async idOf(hid) {
      const found = await state.get(connectionKey(hid));
      return found === null ? hid : Buffer.from(found.value).toString("utf8");
    },
  };
}

function encode(value: Handshake): Uint8Array {
  const { outcome: said, standing, ...rest } = value;
  return Buffer.from(JSON.stringify({ ...rest, outcome: asText(said), standing: asText(standing) }));
}

function asText(said: Outcome | null): string | null {
  return said === null ? null : JSON.stringify(said, bytesAsText);
}

function bytesAsText(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("base64url") : value;
}
