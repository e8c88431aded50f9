import { ServiceError } from "@portcullis/contracts";
import { type Collection, DuplicateError } from "@portcullis/documents";
import { signProblemOf } from "@portcullis/protocol";
import { type Clock, createDecoy, type Ids, type Random, type Vault, VaultShutError } from "@portcullis/runtime";
import { subjectId } from "../authenticators/subject.ts";
import { emblemOf } from "./emblem.ts";
import { type SignContent, type StoredSign, signContent, signPlace } from "./record.ts";

export interface MemberOfSocket {
  readonly socketId: string;
  readonly member: string;
}

/** Members' signs, wrapped by the vault. */
export interface SignStore {
  /**
   * Replaces the one before, and with it everything among which it is picked.
   *
   * @param art null: one is made
   * @returns the sign
   * @throws {ServiceError} invalid: the text is no sign
   */
  put(whose: MemberOfSocket, art: string | null): Promise<string>;
  /** One read and one unwrapping, whether or not there is one: who has a sign is nobody's business. Null also where it does not open. */
  find(whose: MemberOfSocket | null): Promise<SignContent | null>;
  forget(whose: MemberOfSocket): Promise<boolean>;
  forgetSocket(socketId: string): Promise<void>;
}

export interface SignStoreOptions {
  readonly collection: Collection<StoredSign>;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly onUnreadable: (enrolmentId: string) => void;
}

const writeAttemptsMax = 5;
const pageSize = 500;
const nobody = "nobody";
const seedBytes = 32;

export function createSignStore(options: SignStoreOptions): SignStore {
  const { collection, vault, clock, ids, random, onUnreadable } = options;
  const idOf = ({ socketId, member }: MemberOfSocket) => subjectId({ of: "member", socketId, member });
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");
  const freshSeed = () => text(random(seedBytes));
  const written = (content: SignContent) => Buffer.from(JSON.stringify(content));
  const wrapped = (subject: string, enrolmentId: string, content: SignContent) =>
    text(vault.wrap(written(content), signPlace(subject, enrolmentId)));
  const noSign = () => written({ art: emblemOf(random(seedBytes)), seed: freshSeed() });
  const decoy = createDecoy(vault, noSign, signPlace(nobody, nobody));

  function opened(subject: string, enrolmentId: string, sealed: Uint8Array): SignContent | null {
    try {
      const bytes = vault.unwrap(sealed, signPlace(subject, enrolmentId));
      const parsed = signContent.safeParse(JSON.parse(Buffer.from(bytes).toString("utf8")));
      bytes.fill(0);
      return parsed.success ? parsed.data : null;
    } catch (error) {
      if (error instanceof VaultShutError) throw error;
      return null;
    }
  }

  return {
    async put(whose, given) {
      const art = given ?? emblemOf(random(seedBytes));
      const problem = signProblemOf(art);
      if (problem !== null) throw new ServiceError("invalid", { issues: [{ path: "art", message: problem }] });
      const id = idOf(whose);
      for (let attempt = 0; attempt < writeAttemptsMax; attempt += 1) {
        const current = await collection.get(id);
        const enrolmentId = ids.id();
        const sealed = wrapped(id, enrolmentId, { art, seed: freshSeed() });
        const next: StoredSign = { socketId: whose.socketId, enrolmentId, sealed, createdAtMs: clock() };
        const isWritten =
          current === null
            ? await inserted(collection, id, next)
            : (await collection.replace(id, current.version, next)) !== null;
        if (isWritten) return art;
      }
      throw new ServiceError("conflict");
    },

    async find(whose) {
      const id = whose === null ? nobody : idOf(whose);
      const found = (await collection.get(id))?.body ?? null;
      if (found === null) {
        opened(nobody, nobody, decoy());
        return null;
      }
      const content = opened(id, found.enrolmentId, Buffer.from(found.sealed, "base64url"));
      if (content === null) onUnreadable(found.enrolmentId);
      return content;
    },

    forget: (whose) => collection.delete(idOf(whose)),

    async forgetSocket(socketId) {
      for (;;) {
        const page = await collection.find({ socketId }, { limit: pageSize });
        for (const { id } of page) await collection.delete(id);
        if (page.length < pageSize) return;
      }
    },
  };
}

async function inserted(collection: Collection<StoredSign>, id: string, next: StoredSign): Promise<boolean> {
  try {
    await collection.insert(id, next);
    return true;
  } catch (error) {
    if (error instanceof DuplicateError) return false;
    throw error;
  }
}
