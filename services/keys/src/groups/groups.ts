import { removalsKey, removalsTtlMs } from "@portcullis/contracts";
import { generateIdentity, type Identity, importIdentity, type Random } from "@portcullis/crypto";
import { base64url, type GroupGrant } from "@portcullis/protocol";
import type { Clock, Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";

/** What everybody on a socket shares until somebody is put out. */
export interface Epoch {
  readonly socketId: string;
  readonly epoch: number;
  /** G, 32 bytes. */
  readonly secret: Uint8Array;
  readonly signing: Identity;
  readonly createdAtMs: number;
}

const bytes = z.string().transform((text): Uint8Array => new Uint8Array(Buffer.from(text, "base64url")));
const stored = z.strictObject({ secret: bytes, seed: bytes, createdAtMs: z.number().int() });

/** A key is given to newcomers for so long; then there is another one, also where nobody was put out. */
const givenForMs = 12 * 3_600_000;
/** Whoever got it last may have it for the longest session. */
const livesForMs = givenForMs + 25 * 3_600_000;
const rememberedMax = 1_000;
const rememberedForMs = 60_000;

export interface Groups {
  /**
   * The epoch that holds now. A new one is random, and never derived from the one before: nobody who had that one has this one.
   * Which it is, is a count that `identity` moves in one step with the end of a session, so that it has moved before anybody is told
   * that the session has ended.
   */
  current(socketId: string): Promise<Epoch>;
  /** One under which something was sealed. Null where there is no such key, or not any more. */
  used(socketId: string, epoch: number): Promise<Epoch | null>;
  /** Another epoch, for another reason than that somebody was put out. */
  renew(socketId: string): Promise<void>;
}

/** @param random of 32 bytes and more; the system's. */
export function createGroups(parts: {
  readonly state: State;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly random: Random;
}): Groups {
  const { state, vault, clock, random } = parts;
  /** In order of age. An epoch never changes, so that what is remembered is right, and gone soon after it was last asked for. */
  const remembered = new Map<string, { readonly epoch: Epoch; readonly untilMs: number }>();

  async function current(socketId: string): Promise<Epoch> {
    const epoch = await at(socketId, await state.sum(removalsKey(socketId)));
    if (clock() < epoch.createdAtMs + givenForMs) return epoch;
    // Replicas that notice at once skip a number, which costs nothing.
    return at(socketId, await count(socketId));
  }

  function count(socketId: string): Promise<number> {
    return state.add(removalsKey(socketId), 1, removalsTtlMs);
  }

  async function at(socketId: string, epoch: number): Promise<Epoch> {
    return (await used(socketId, epoch)) ?? whole(socketId, epoch, await create(nameOf(socketId, epoch)));
  }

  async function used(socketId: string, epoch: number): Promise<Epoch | null> {
    const name = nameOf(socketId, epoch);
    const known = remembered.get(name);
    if (known !== undefined && clock() < known.untilMs) return known.epoch;
    const found = await read(name);
    return found === null ? null : whole(socketId, epoch, found);
  }

  async function whole(socketId: string, epoch: number, found: z.output<typeof stored>): Promise<Epoch> {
    const { secret, seed, createdAtMs } = found;
    const made = { socketId, epoch, secret, signing: await importIdentity(seed), createdAtMs };
    remember(nameOf(socketId, epoch), made);
    return made;
  }

  function nameOf(socketId: string, epoch: number): string {
    return `keys:group:${socketId}:${epoch}`;
  }

  async function read(name: string): Promise<z.output<typeof stored> | null> {
    const found = await state.get(name);
    if (found === null) return null;
    return stored.parse(JSON.parse(Buffer.from(vault.unwrap(found.value, name)).toString("utf8")));
  }

  /** Of replicas that make it at once, one does; the others take what it made. */
  async function create(name: string): Promise<z.output<typeof stored>> {
    const { seed } = await generateIdentity(random);
    const made = { secret: random(32), seed, createdAtMs: clock() };
    const text = JSON.stringify(made, (_name, value: unknown) =>
      value instanceof Uint8Array ? base64url.encode(value) : value,
    );
    const wrapped = vault.wrap(Buffer.from(text), name);
    if ((await state.create(name, wrapped, livesForMs)) !== null) return made;
    const winner = await read(name);
    if (winner === null) throw new Error("the key of a group vanished while it was made");
    return winner;
  }

  function remember(name: string, epoch: Epoch): void {
    remembered.delete(name);
    remembered.set(name, { epoch, untilMs: clock() + rememberedForMs });
    for (const [oldest, { untilMs }] of remembered) {
      if (remembered.size <= rememberedMax && clock() < untilMs) return;
      remembered.delete(oldest);
    }
  }

  return {
    current,
    used,
    async renew(socketId) {
      await count(socketId);
    },
  };
}

/** What a session is told of it. */
export function grantOf({ socketId, epoch, secret, signing }: Epoch): GroupGrant {
  return {
    socket: socketId,
    epoch,
    key: base64url.encode(secret),
    verify: base64url.encode(signing.publicKey),
  };
}
