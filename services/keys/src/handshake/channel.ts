import { createHash } from "node:crypto";
import { type Step, step as stepSchema } from "@portcullis/contracts";
import type { Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";
import { startingSession } from "../sessions/session-secrets.ts";

/** Bytes as text inside the stored JSON. */
const bytes = z.string().transform((text): Uint8Array => new Uint8Array(Buffer.from(text, "base64url")));

/** A wait changes a few times between two steps of the client's; a step carries eight frames at most. */
export const pushedMax = 6;

/**
 * The cryptographic half of a handshake between two records: secrets, counters and chains. Any replica continues it; it is
 * stored only under the vault, bound to its handshake, and its secrets are erased with the verdict.
 */
const stored = z.strictObject({
  /** Id of the handshake: of the connection on which it began. */
  handshake: z.string(),
  th: bytes,
  prk: bytes,
  /** By which the client comes back over another connection; outlives `prk`, because a verdict may not have been heard. */
  park: bytes,
  keyId: z.string().nullable(),
  /** By which the client knows us on this connection: raw key of the identity that signed its bundle. */
  idKey: bytes,
  clientCount: z.number().int().nonnegative(),
  clientChain: bytes,
  serverCount: z.number().int().nonnegative(),
  serverChain: bytes,
  /** True after the verdict: nothing is opened any more. */
  done: z.boolean(),
  /** Of the last frame taken, and what was answered: the same frame again gets the same bytes. */
  lastFrameHash: z.string(),
  lastStep: z.string(),
  /** How often something was pushed, the step of the last time ("" for none), and frames that no step has repeated yet. */
  pushes: z.number().int().nonnegative(),
  lastPush: z.string(),
  pushed: z.array(z.strictObject({ data: bytes, n: z.number().int() })).max(pushedMax),
  /** Keys of the session to which this handshake led, until they are put where the session's keys are. */
  session: startingSession.nullable(),
  /** The session that goes on with this handshake; null where one is to be earned. */
  resumes: z
    .strictObject({
      sid: z.string(),
      /** The connection on which it was, the secret by which it came, and the place from which it counts. */
      hid: z.string(),
      secret: bytes,
      since: z.number().int(),
    })
    .nullable(),
});
export type Channel = z.output<typeof stored>;

export interface ChannelStore {
  create(hid: string, channel: Channel, ttlMs: number): Promise<boolean>;
  get(hid: string): Promise<{ readonly channel: Channel; readonly version: string } | null>;
  replace(hid: string, version: string, channel: Channel, ttlMs: number): Promise<boolean>;
  delete(hid: string): Promise<void>;
}

/** For as long as the step lets the client take, and a minute more for what is repeated. */
export function channelTtlMs(step: Step, nowMs: number): number {
  return Math.max(0, (step.deadlineMs ?? nowMs) - nowMs) + 60_000;
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

/** What was pushed since the last step, as frames. */
export function framesOf({ pushed }: Channel): Step["frames"] {
  return pushed.map(({ data, n }) => ({ kind: "binary" as const, data, n }));
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
