import { type AuthenticatorSubject, ServiceError } from "@portcullis/contracts";
import { type Collection, DuplicateError, type Stored } from "@portcullis/documents";
import { type Clock, createDecoy, type Ids, type Random, type Vault, VaultShutError } from "@portcullis/runtime";
import { type Authenticator, type Enrolment, placeOf } from "./record.ts";
import { socketOf, subjectId } from "./subject.ts";

export type EnrolmentStatus = "active" | "pending";

export interface FoundEnrolment {
  readonly id: string;
  /** Null where there is none, or where its blob does not open. The caller wipes it. */
  readonly secret: Uint8Array | null;
  /** There is an enrolment, but its blob was altered, moved or sealed under a lost key. */
  readonly unreadable: boolean;
}

/** Secrets that somebody has enrolled with, wrapped by the vault. */
export interface AuthenticatorStore {
  /**
   * @param given instead of a random secret, of the same length
   * @returns the new secret, to be shown once and wiped. A pending one replaces a pending one only.
   */
  enrol(subject: AuthenticatorSubject, status: EnrolmentStatus, given?: Uint8Array): Promise<Uint8Array>;
  /** One read and one unwrapping, whether or not there is anything: an unknown subject takes as long as a known one. */
  find(subject: AuthenticatorSubject | null, status: EnrolmentStatus): Promise<FoundEnrolment | null>;
  /** The pending secret comes into force. @returns false when it is not the pending one any more. */
  activate(subject: AuthenticatorSubject, enrolmentId: string): Promise<boolean>;
  /** @returns whether there was one, active or pending. */
  forget(subject: AuthenticatorSubject): Promise<boolean>;
  forgetSocket(socketId: string): Promise<void>;
}

export interface AuthenticatorStoreOptions {
  /** What the secrets are, `authenticators`: a blob of one kind opens as no other. */
  readonly kind: string;
  readonly secretBytes: number;
  readonly collection: Collection<Authenticator>;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
}

/** Of authenticator apps: 160 bits (RFC 4226 section 4). */
export const secretBytes = 20;
const writeAttemptsMax = 5;
const pageSize = 500;
/** No subject hashes to it: an id of the store has 43 characters. */
const nobody = "nobody";

export function createAuthenticatorStore(options: AuthenticatorStoreOptions): AuthenticatorStore {
  const { kind, secretBytes, collection, vault, clock, ids, random } = options;
  const place = (subject: string, enrolmentId: string) => placeOf(kind, subject, enrolmentId);
  const decoy = createDecoy(vault, () => random(secretBytes), place(nobody, nobody));

  const wrapped = (subject: string, secret: Uint8Array): Enrolment => {
    const id = ids.id();
    const blob = Buffer.from(vault.wrap(secret, place(subject, id)));
    return { id, secret: blob.toString("base64url"), createdAtMs: clock() };
  };

  const unwrapped = (blob: Uint8Array, context: string): Uint8Array | null => {
    try {
      return vault.unwrap(blob, context);
    } catch (error) {
      if (error instanceof VaultShutError) throw error;
      return null;
    }
  };

  return {
    async enrol(subject, status, given) {
      const id = subjectId(subject);
      const secret = given ?? random(secretBytes);
      if (secret.length !== secretBytes) throw new RangeError("a secret of another length");
      const next = wrapped(id, secret);
      for (let attempt = 0; attempt < writeAttemptsMax; attempt += 1) {
        const current = await collection.get(id);
        const before = current?.body ?? { socketId: socketOf(subject), active: null, pending: null };
        const after: Authenticator =
          status === "active" ? { ...before, active: next, pending: null } : { ...before, pending: next };
        if (await written(collection, id, current, after)) return secret;
      }
      throw new ServiceError("conflict");
    },

    async find(subject, status) {
      const id = subject === null ? nobody : subjectId(subject);
      const found = (await collection.get(id))?.body[status] ?? null;
      if (found === null) {
        unwrapped(decoy(), place(nobody, nobody))?.fill(0);
        return null;
      }
      const secret = unwrapped(Buffer.from(found.secret, "base64url"), place(id, found.id));
      return { id: found.id, secret, unreadable: secret === null };
    },

    async activate(subject, enrolmentId) {
      const id = subjectId(subject);
      const current = await collection.get(id);
      const pending = current?.body.pending ?? null;
      if (current === null || pending?.id !== enrolmentId) return false;
      const next: Authenticator = { ...current.body, active: pending, pending: null };
      return (await collection.replace(id, current.version, next)) !== null;
    },

    forget: (subject) => collection.delete(subjectId(subject)),

    async forgetSocket(socketId) {
      for (;;) {
        const page = await collection.find({ socketId }, { limit: pageSize });
        for (const { id } of page) await collection.delete(id);
        if (page.length < pageSize) return;
      }
    },
  };
}

async function written(
  collection: Collection<Authenticator>,
  id: string,
  current: Stored<Authenticator> | null,
  next: Authenticator,
): Promise<boolean> {
  if (current !== null) return (await collection.replace(id, current.version, next)) !== null;
  try {
    await collection.insert(id, next);
    return true;
  } catch (error) {
    if (error instanceof DuplicateError) return false;
    throw error;
  }
}
