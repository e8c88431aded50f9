import { openUnder, type Random, rootOf, sealUnder, systemRandom, VaultError } from "@portcullis/runtime";
import { type Kms, type KmsContext, KmsError, keyBytes } from "../port.ts";

export interface MasterKeys {
  /** 32 bytes. */
  readonly current: Uint8Array;
  /** Still open what they wrapped, never wrap. */
  readonly previous: readonly Uint8Array[];
}

const kind = "local";
const prefix = `${kind}:`;
const purpose = "kms";

/**
 * Master keys of one's own: of the environment or of a file. The envelope is that of the vault (`libs/runtime/src/envelope.ts`), under a purpose of its own.
 *
 * @param keys is asked for each call, so that a file is read again and its keys are nowhere in between
 * @param where names the setting or the file, for people
 */
export function createLocalKms(keys: () => Promise<MasterKeys>, where: string, random: Random = systemRandom): Kms {
  const place = ({ service, key }: KmsContext) => `${service}/${key}`;
  return {
    kind,
    async wrap(key, context) {
      if (key.length !== keyBytes) throw new TypeError(`a data key has ${keyBytes} bytes`);
      const root = rootOf((await keys()).current, purpose);
      try {
        const sealed = sealUnder(root, key, place(context), random);
        return { wrapped: prefix + Buffer.from(sealed).toString("base64url"), by: `local ${root.id}` };
      } finally {
        root.bytes.fill(0);
      }
    },
    async unwrap(wrapped, context) {
      if (!wrapped.startsWith(prefix)) throw unopened(where);
      const { current, previous } = await keys();
      const roots = [current, ...previous].map((key) => rootOf(key, purpose));
      try {
        return openUnder(roots, Buffer.from(wrapped.slice(prefix.length), "base64url"), place(context));
      } catch (error) {
        throw error instanceof VaultError ? unopened(where) : error;
      } finally {
        for (const root of roots) root.bytes.fill(0);
      }
    },
    describe: () => `local ${where}`,
  };
}

function unopened(where: string): KmsError {
  return new KmsError(
    "unopened",
    `a key of the ring does not open under ${where}: it was wrapped under another master key, which has to stand behind the new one until keys rewrap is done, or it is damaged`,
  );
}
