import type { Documents } from "@portcullis/documents";
import { openEmbeddedDocuments } from "@portcullis/documents/embedded";
import { type Kms, KmsError } from "@portcullis/kms";
import { createLocalKms } from "@portcullis/kms/local";
import { createLogger, systemRandom } from "@portcullis/runtime";
import { z } from "zod";
import { type KeyRing, openKeyRing, type RotationOptions, sealedStore } from "../../src/mod.ts";

export const leaseMs = 3_600_000;
const secret = z.strictObject({ sealed: z.string(), note: z.string() });
export const secretsDefinition = { name: "test_secrets", schema: secret, indexes: [] };
export const placeOf = (id: string) => `secrets/${id}`;
export const sealedSecrets = sealedStore(secretsDefinition, ({ id, body }, again) => ({
  ...body,
  sealed: again(body.sealed, placeOf(id)),
}));

/** Replicas of one service, over one store and one key service; the test is their clock. */
export function createWorld(service = "keys") {
  let now = Date.UTC(2026, 0, 1);
  const clock = () => now;
  const documents = openEmbeddedDocuments({ file: ":memory:", clock });
  const masterKeys = { current: systemRandom(32), previous: [] as Uint8Array[] };
  const local = createLocalKms(async () => masterKeys, "MASTER_KEY");
  const lines: string[] = [];
  const logged: string[] = [];
  const log = createLogger({ service, destination: { write: (line) => void logged.push(line) } });
  const rings: KeyRing[] = [];
  let refuses: KmsError | null = null;
  const asked = { unwraps: 0 };

  const kms: Kms = {
    ...local,
    wrap: async (...given) => {
      if (refuses !== null) throw refuses;
      return local.wrap(...given);
    },
    unwrap: async (...given) => {
      asked.unwraps += 1;
      if (refuses !== null) throw refuses;
      return local.unwrap(...given);
    },
  };

  const world = {
    documents,
    kms,
    masterKeys,
    logged,
    lines,
    asked,
    clock,
    advance(ms: number) {
      now += ms;
    },
    kmsSays(code: KmsError["code"] | null) {
      refuses = code === null ? null : new KmsError(code, "of the test");
    },
    async replica(instance: string, of: Partial<{ documents: Documents; service: string; kms: Kms }> = {}) {
      const ring = await openKeyRing({
        documents,
        kms,
        service,
        instance,
        clock,
        random: systemRandom,
        log,
        leaseMs,
        rereadMs: 600_000,
        leaseClock: clock,
        ...of,
      });
      rings.push(ring);
      return ring;
    },
    rotation(ring: KeyRing, of: Partial<RotationOptions> = {}): RotationOptions {
      const { signal } = new AbortController();
      return {
        ring,
        documents,
        stores: [sealedSecrets],
        clock,
        say: (line) => void lines.push(line),
        signal,
        pollMs: 1,
        ...of,
      };
    },
    async put(ring: KeyRing, id: string, text: string) {
      const collection = await documents.collection(secretsDefinition);
      await collection.insert(id, { sealed: sealed(ring, id, text), note: text });
    },
    async open(ring: KeyRing, id: string) {
      const collection = await documents.collection(secretsDefinition);
      const found = await collection.get(id);
      return found === null ? null : opened(ring, id, found.body.sealed);
    },
    async close() {
      for (const ring of rings) await ring.close().catch(() => undefined);
      await documents.close();
    },
  };
  return world;
}
export type World = ReturnType<typeof createWorld>;

export function sealed(ring: KeyRing, id: string, text: string): string {
  return Buffer.from(ring.vault.wrap(Buffer.from(text), placeOf(id))).toString("base64url");
}

export function opened(ring: KeyRing, id: string, text: string): string {
  return Buffer.from(ring.vault.unwrap(Buffer.from(text, "base64url"), placeOf(id))).toString();
}

export async function statesOf(ring: KeyRing): Promise<string[]> {
  return (await ring.read()).body.keys.map(({ state }) => state);
}
