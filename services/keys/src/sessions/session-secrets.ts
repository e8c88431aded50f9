import { endToEndMode, messagingMode, sessionRole } from "@portcullis/contracts";
import type { Clock, Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";

const bytes = z.string().transform((text): Uint8Array => new Uint8Array(Buffer.from(text, "base64url")));

/** What a session is and has, as long as it lives. */
const stored = z.strictObject({
  /** The connection under whose keys it speaks. */
  hid: z.string(),
  socketId: z.string(),
  /** Of a session in a room: the socket that is imitated there. */
  decoyOf: z.string().nullable(),
  /** Whether what its socket's messages look like is noted. */
  imitated: z.boolean(),
  /** The name with which its messages are marked: a proven one, or null. */
  member: z.string().nullable(),
  keyId: z.string().nullable(),
  role: sessionRole,
  mode: messagingMode,
  client: bytes,
  server: bytes,
  /** By which it goes on over another connection: the one of this connection, and the one by which this connection came, since the client may never have heard of the first. */
  resume: z.array(bytes).max(2),
  /** Transcript hash of what is asked over this connection while the session lives; and whether anything is. */
  stepUp: bytes,
  /** What both sides of this connection can show. */
  words: z.string(),
  during: z.boolean(),
  maxBytes: z.number().int(),
  sealed: z.boolean(),
  /** `required`: what a member says is taken only where its body is laid out as sealed. */
  endToEnd: endToEndMode,
  /** Whether what is said to everybody has a place. */
  placed: z.boolean(),
  history: z.strictObject({ messages: z.number().int(), ms: z.number().int() }).nullable(),
  /** The epoch whose key it was given first over this connection; earlier ones are not for it. Null where messages are not sealed. */
  epoch: z.number().int().nullable(),
  /** The step of that epoch; 0 where there is none. */
  step: z.number().int(),
  /** The place after which its messages begin: what was said before was not for it. */
  since: z.number().int(),
  expiresAtMs: z.number().int(),
});
export type StoredSession = z.output<typeof stored>;

/** Kept in the channel of the handshake until it is put where sessions are. */
export const startingSession = stored.extend({
  sid: z.string(),
  /** The connection from which this one takes over; null for the first. */
  replaces: z.string().nullable(),
});
export type StartingSession = z.output<typeof startingSession>;

/** For the word that the session has expired, which an edge asks for when it has. */
const afterlifeMs = 30_000;

/** Application keys of live sessions: under the vault, bound to the session, gone when it is, or a moment later. */
export interface SessionSecrets {
  /** Idempotent. @returns false where another connection has taken over meanwhile: this one is of no use. */
  put(session: StartingSession): Promise<boolean>;
  get(sid: string): Promise<StoredSession | null>;
  erase(sid: string): Promise<void>;
}

export function createSessionSecrets(state: State, vault: Vault, clock: Clock): SessionSecrets {
  const key = (sid: string) => `keys:session:${sid}`;
  const place = (sid: string) => `session:${sid}`;
  const asText = (_name: string, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("base64url") : value;

  async function find(sid: string) {
    const found = await state.get(key(sid));
    if (found === null) return null;
    const opened = vault.unwrap(found.value, place(sid));
    return { session: stored.parse(JSON.parse(Buffer.from(opened).toString("utf8"))), version: found.version };
  }

  return {
    async put({ sid, replaces, ...session }) {
      const value = vault.wrap(Buffer.from(JSON.stringify(session, asText)), place(sid));
      const ttlMs = Math.max(0, session.expiresAtMs - clock()) + afterlifeMs;
      if (replaces === null) {
        if ((await state.create(key(sid), value, ttlMs)) !== null) return true;
        return (await find(sid))?.session.hid === session.hid;
      }
      const found = await find(sid);
      if (found?.session.hid === session.hid) return true;
      if (found?.session.hid !== replaces) return false;
      return (await state.replace(key(sid), found.version, value, ttlMs)) !== null;
    },
    async get(sid) {
      return (await find(sid))?.session ?? null;
    },
    async erase(sid) {
      await state.delete(key(sid));
    },
  };
}
