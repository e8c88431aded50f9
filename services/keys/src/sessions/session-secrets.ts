import type { DirectionSecrets } from "@portcullis/crypto";
import type { Clock, Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";

const bytes = z.string().transform((text): Uint8Array => new Uint8Array(Buffer.from(text, "base64url")));
const stored = z.strictObject({ client: bytes, server: bytes, expiresAtMs: z.number().int() });
export type StoredSecrets = z.output<typeof stored>;

/** For the word that the session has expired, which an edge asks for when it has. */
const afterlifeMs = 30_000;

/** Application keys of live sessions: under the vault, bound to the session, gone when it is, or a moment later. */
export interface SessionSecrets {
  put(sid: string, secrets: DirectionSecrets, expiresAtMs: number): Promise<void>;
  get(sid: string): Promise<StoredSecrets | null>;
  erase(sid: string): Promise<void>;
}

export function createSessionSecrets(state: State, vault: Vault, clock: Clock): SessionSecrets {
  const key = (sid: string) => `keys:session:${sid}`;
  const place = (sid: string) => `session:${sid}`;
  return {
    async put(sid, { client, server }, expiresAtMs) {
      const text = JSON.stringify({
        client: Buffer.from(client).toString("base64url"),
        server: Buffer.from(server).toString("base64url"),
        expiresAtMs,
      });
      const ttlMs = Math.max(0, expiresAtMs - clock()) + afterlifeMs;
      await state.create(key(sid), vault.wrap(Buffer.from(text), place(sid)), ttlMs);
    },
    async get(sid) {
      const found = await state.get(key(sid));
      return found === null
        ? null
        : stored.parse(JSON.parse(Buffer.from(vault.unwrap(found.value, place(sid))).toString("utf8")));
    },
    async erase(sid) {
      await state.delete(key(sid));
    },
  };
}
