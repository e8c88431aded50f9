import { createHash } from "node:crypto";
import { type Step, step as stepSchema } from "@portcullis/contracts";
import type { Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";

/** Bytes as text inside the stored JSON. */
const bytes = z.string().transform((text): Uint8Array => new Uint8Array(Buffer.from(text, "base64url")));

/**
 * The cryptographic half of a handshake between two records: secrets, counters and chains. Any replica continues it; it is
 * stored only under the vault, bound to its handshake, and its secrets are erased with the verdict.
 */
const stored = z.strictObject({
  th: bytes,
  prk: bytes,
  keyId: z.string().nullable(),
  clientCount: z.number().int().nonnegative(),
  clientChain: bytes,
  serverCount: z.number().int().nonnegative(),
  serverChain: bytes,
  /** True after the verdict: nothing is opened any more. */
  done: z.boolean(),
  /** Of the last frame taken, and what was answered: the same frame again gets the same bytes. */
  lastFrameHash: z.string(),
  lastStep: z.string(),
});
export type Channel = z.output<typeof stored>;

export interface ChannelStore {
  create(hid: string, channel: Channel, ttlMs: number): Promise<boolean>;
  get(hid: string): Promise<{ readonly channel: Channel; readonly version: string } | null>;
  replace(hid: string, version: string, channel: Channel, ttlMs: number): Promise<boolean>;
  delete(hid: string): Promise<void>;
}

export function createChannelStore(state: State, vault: Vault): ChannelStore {
  const key = (hid: string) => `keys:handshake:${hid}`;
  const place = (hid: string) => `handshake:${hid}`;
  const encode = (hid: string, channel: Channel) =>
    vault.wrap(Buffer.from(JSON.stringify(channel, bytesAsText)), place(hid));
  return {
    create: async (hid, channel, ttlMs) => (await state.create(key(hid), encode(hid, channel), ttlMs)) !== null,
    async get(hid) {
      const found = await state.get(key(hid));
      if (found === null) return null;
      const opened = vault.unwrap(found.value, place(hid));
      return { channel: stored.parse(JSON.parse(Buffer.from(opened).toString("utf8"))), version: found.version };
    },
    replace: async (hid, version, channel, ttlMs) =>
      (await state.replace(key(hid), version, encode(hid, channel), ttlMs)) !== null,
    async delete(hid) {
      await state.delete(key(hid));
    },
  };
}

/** SHA-256 of a client's frame, base64url. */
export function frameHash(frame: Uint8Array): string {
  return createHash("sha256").update(frame).digest("base64url");
}

export function storeStep(step: Step): string {
  return JSON.stringify(step, bytesAsText);
}

export function restoreStep(text: string): Step {
  return stepSchema.parse(
    JSON.parse(text, (name, value) => (name === "data" ? new Uint8Array(Buffer.from(value, "base64url")) : value)),
  );
}

function bytesAsText(_name: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("base64url") : value;
}
