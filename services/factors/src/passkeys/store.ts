import { createHash } from "node:crypto";
import { type AuthenticatorSubject, type PasskeyView, ServiceError } from "@portcullis/contracts";
import { type Collection, DuplicateError, insertWithin, type Stored } from "@portcullis/documents";
import { type Clock, type Vault, VaultShutError } from "@portcullis/runtime";
import { socketOf, subjectId } from "../authenticators/subject.ts";
import { type Credential, credential, type Passkey, passkeyPlace } from "./record.ts";

const passkeysPerSubjectMax = 10;

export interface FoundPasskey {
  readonly id: string;
  readonly subject: string;
  readonly ownerId: string | null;
  readonly credential: Credential;
}

export interface PasskeyStore {
  /**
   * @returns null where this passkey is enrolled already, with whomever
   * @throws {ServiceError} invalid: there are as many as may be
   */
  add(passkey: {
    readonly subject: AuthenticatorSubject;
    readonly relyingParty: string;
    readonly label: string;
    readonly synced: boolean;
    readonly credential: Credential;
  }): Promise<PasskeyView | null>;
  /** Before somebody is asked for one. @throws {ServiceError} invalid: there are as many as may be */
  requireRoom(subject: AuthenticatorSubject): Promise<void>;
  /** One read and, where it is there, one unwrapping. Null also for one whose blob does not open. */
  find(relyingParty: string, credentialId: string): Promise<FoundPasskey | null>;
  list(subject: AuthenticatorSubject): Promise<readonly PasskeyView[]>;
  /** What a browser is to look for. */
  credentials(subject: AuthenticatorSubject, relyingParty: string): Promise<readonly Credential[]>;
  noteUse(id: string): Promise<void>;
  /** @param id null: all of them. @returns how many went */
  forget(subject: AuthenticatorSubject, id: string | null): Promise<number>;
  forgetSocket(socketId: string): Promise<void>;
}

const pageSize = 500;
/** To the minute: a write on every use would be one too many. */
const useResolutionMs = 60_000;

export function createPasskeyStore({
  collection,
  vault,
  clock,
}: {
  readonly collection: Collection<Passkey>;
  readonly vault: Vault;
  readonly clock: Clock;
}): PasskeyStore {
  const all = (subject: AuthenticatorSubject) => collection.find({ subject: subjectId(subject) }, { limit: pageSize });

  function opened({ id, body: { subject, sealed } }: Stored<Passkey>): Credential | null {
    try {
      const bytes = vault.unwrap(Buffer.from(sealed, "base64url"), passkeyPlace(subject, id));
      return credential.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
    } catch (error) {
      if (error instanceof VaultShutError) throw error;
      return null;
    }
  }

  return {
    async add({ subject, relyingParty, label, synced, credential: made }) {
      const id = idOf(relyingParty, made.id);
      const whose = subjectId(subject);
      const sealed = vault.wrap(Buffer.from(JSON.stringify(credential.parse(made))), passkeyPlace(whose, id));
      try {
        const body: Passkey = {
          subject: whose,
          ownerId: subject.of === "owner" ? subject.ownerId : null,
          socketId: socketOf(subject),
          relyingParty,
          label,
          synced,
          sealed: Buffer.from(sealed).toString("base64url"),
          createdAtMs: clock(),
          lastUsedAtMs: null,
        };
        const limit = { max: passkeysPerSubjectMax, count: () => collection.count({ subject: whose }) };
        const stored = await insertWithin(collection, id, body, limit);
        if (stored === null) throw tooManyPasskeys();
        return viewOf(stored);
      } catch (error) {
        if (error instanceof DuplicateError) return null;
        throw error;
      }
    },
    async find(relyingParty, credentialId) {
      const stored = await collection.get(idOf(relyingParty, credentialId));
      const found = stored === null ? null : opened(stored);
      if (stored === null || found === null) return null;
      const { subject, ownerId } = stored.body;
      return { id: stored.id, subject, ownerId, credential: found };
    },
    async requireRoom(subject) {
      if ((await collection.count({ subject: subjectId(subject) })) >= passkeysPerSubjectMax) throw tooManyPasskeys();
    },
    list: async (subject) => (await all(subject)).map(viewOf),
    async credentials(subject, relyingParty) {
      const mine = (await all(subject)).filter(({ body }) => body.relyingParty === relyingParty);
      return mine.flatMap((stored) => opened(stored) ?? []);
    },
    async noteUse(id) {
      const stored = await collection.get(id);
      if (stored === null || clock() - (stored.body.lastUsedAtMs ?? 0) < useResolutionMs) return;
      // Losing the race to another use is fine: that one wrote about the same time.
      await collection.replace(id, stored.version, { ...stored.body, lastUsedAtMs: clock() });
    },
    async forget(subject, id) {
      const mine = (await all(subject)).filter((stored) => id === null || stored.id === id);
      for (const stored of mine) await collection.delete(stored.id);
      return mine.length;
    },
    async forgetSocket(socketId) {
      for (;;) {
        const page = await collection.find({ socketId }, { limit: pageSize });
        for (const { id } of page) await collection.delete(id);
        if (page.length < pageSize) return;
      }
    },
  };
}

/** Of SHA-256 over length-prefixed parts, base64url: a credential's own id is of any length, a document's is not. */
function idOf(relyingParty: string, credentialId: string): string {
  const hash = createHash("sha256");
  for (const part of ["portcullis/1 passkey", relyingParty, credentialId]) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(part));
    hash.update(length).update(part);
  }
  return hash.digest("base64url");
}

function tooManyPasskeys(): ServiceError {
  const message = `there are ${passkeysPerSubjectMax} passkeys, as many as may be: remove one first`;
  return new ServiceError("invalid", { issues: [{ path: "passkey", message }] });
}

function viewOf({ id, body }: Stored<Passkey>): PasskeyView {
  const { label, relyingParty, synced, createdAtMs, lastUsedAtMs } = body;
  return { id, label, relyingParty, synced, createdAtMs, lastUsedAtMs };
}
