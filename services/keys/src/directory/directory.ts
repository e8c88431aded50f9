import { type ListedIdentity, verifyIdentityStatement, verifyPrekeyStatement } from "@portcullis/crypto";
import { DuplicateError, insertWithin, type Stored } from "@portcullis/documents";
import {
  base64url,
  type DirectoryEntry,
  directoryHistoryMax,
  type Failure,
  type Publish,
  parseIdentityStatement,
  parsePrekeyStatement,
  type SignedIdentity,
} from "@portcullis/protocol";
import type { Clock } from "@portcullis/runtime";
import type { DirectoryCollection, StoredEntry } from "./store.ts";

/** Which identity a name is to stand for, by fingerprints; `before` is null for the first. */
export interface NewIdentity {
  readonly fingerprint: string;
  readonly before: string | null;
}

/** Who on a socket can be sealed to. What it checks protects the owner from a stolen app key; clients check all of it themselves, and more. */
export interface Directory {
  find(socketId: string, name: string): Promise<DirectoryEntry | null>;
  /**
   * A first identity, one that the identity before has signed, or a prekey of the identity that counts.
   *
   * @param record called once, before anybody can be told of another identity. What it throws is thrown, and nothing is published
   * @returns null: it is so. `conflict`: the name is another identity's, or what is published is older. `too-many`: names
   * @throws {CryptoError | ProtocolError} on what is not signed, or is no statement
   */
  publish(
    socketId: string,
    said: Pick<Publish, "name" | "identity" | "prekey">,
    record: (identity: NewIdentity) => Promise<void>,
  ): Promise<Failure | null>;
  all(socketId: string): Promise<Stored<StoredEntry>[]>;
  /** @param name null: all. @returns how many there were */
  drop(socketId: string, name: string | null): Promise<number>;
}

/** So many that nobody needs more, and that one answer names them all. */
export const namesMax = 16;
const triesMax = 5;

export function createDirectory(entries: DirectoryCollection, clock: Clock): Directory {
  // A name has no colon.
  const idOf = (socketId: string, name: string) => `${socketId}:${name}`;

  async function next(
    socketId: string,
    before: StoredEntry | null,
    said: Pick<Publish, "name" | "identity" | "prekey">,
  ) {
    const { name, identity, prekey } = said;
    let after = before;
    const known = before?.history.map(keyOf) ?? [];
    // Another replica has published the same.
    if (identity !== undefined && keyOf(identity) !== known.at(-1)) {
      // Clients take no history that goes round.
      if (known.includes(keyOf(identity))) return null;
      const history = [...(before?.history ?? []), await followed(identity, name, before)].slice(-directoryHistoryMax);
      // What the identity before has signed is nothing that this one is sealed to by.
      after = { socketId, name, history, prekey: null, prekeyUntilMs: null, changedAtMs: clock() };
    }
    if (after === null) return null;
    if (prekey === undefined) return after;
    const { key } = await currentOf(after);
    const { from, until } = await verifyPrekeyStatement(prekey, { socket: null, name, key, nowMs: clock() });
    // A replica that slept must not bring back what others have put aside.
    if (after.prekey !== null && from < parsePrekeyStatement(base64url.decode(after.prekey.statement)).from)
      return null;
    return { ...after, prekey, prekeyUntilMs: until };
  }

  /** @returns `taken`: somebody else has begun the name in this moment. */
  async function begun(id: string, body: StoredEntry): Promise<Failure | "taken" | null> {
    const { socketId } = body;
    try {
      const limit = { max: namesMax, count: () => entries.count({ socketId }) };
      return (await insertWithin(entries, id, body, limit)) === null ? "too-many" : null;
    } catch (error) {
      if (error instanceof DuplicateError) return "taken";
      throw error;
    }
  }

  return {
    async find(socketId, name) {
      const stored = await entries.get(idOf(socketId, name));
      if (stored === null) return null;
      const { history, prekey } = stored.body;
      return { name, history, ...(prekey === null ? {} : { prekey }) };
    },
    async publish(socketId, said, record) {
      const id = idOf(socketId, said.name);
      let isRecorded = false;
      for (let tries = 0; tries < triesMax; tries += 1) {
        const stored = await entries.get(id);
        const after = await next(socketId, stored?.body ?? null, said);
        if (after === null) return "conflict";
        if (JSON.stringify(after) === JSON.stringify(stored?.body)) return null;
        if (stored === null && (await entries.count({ socketId })) >= namesMax) return "too-many";
        // Should another one come first after all, the book has one that came to nothing, and never lacks one that counted.
        if (!isRecorded && after.history !== stored?.body.history) {
          await record(await newIdentityIn(stored?.body ?? null, after));
          isRecorded = true;
        }
        if (stored !== null) {
          if ((await entries.replace(id, stored.version, after)) !== null) return null;
        } else {
          const became = await begun(id, after);
          if (became !== "taken") return became;
        }
      }
      return "unavailable";
    },
    // There may be one more, where a process died behind its write: the owner is told the others all the same.
    all: (socketId) => entries.find({ socketId }, { limit: namesMax }),
    async drop(socketId, name) {
      if (name !== null) return (await entries.delete(idOf(socketId, name))) ? 1 : 0;
      let dropped = 0;
      for (;;) {
        const found = await entries.find({ socketId }, { limit: 1000 });
        if (found.length === 0) return dropped;
        for (const { id } of found) if (await entries.delete(id)) dropped += 1;
      }
    },
  };
}

function keyOf({ statement }: SignedIdentity): string {
  return base64url.encode(parseIdentityStatement(base64url.decode(statement)).key);
}

/** The identity that counts. */
export function currentOf({ name, history }: Pick<StoredEntry, "name" | "history">): Promise<ListedIdentity> {
  const last = history.at(-1);
  if (last === undefined) throw new Error("an entry without an identity");
  return verifyIdentityStatement(last, { socket: null, name }, null);
}

async function newIdentityIn(before: StoredEntry | null, after: StoredEntry): Promise<NewIdentity> {
  const [was, is] = await Promise.all([before === null ? null : currentOf(before), currentOf(after)]);
  return { fingerprint: is.fingerprint, before: was?.fingerprint ?? null };
}

/** A stolen app key of role `consumer` is not enough to take somebody's name: the identity before has to have signed. */
async function followed(identity: SignedIdentity, name: string, before: StoredEntry | null): Promise<SignedIdentity> {
  await verifyIdentityStatement(identity, { socket: null, name }, before === null ? null : await currentOf(before));
  return identity;
}
