import { removalsKey, removalsTtlMs, ServiceError } from "@portcullis/contracts";
import { generateIdentity, groupStepsOn, type Identity, importIdentity, type Random } from "@portcullis/crypto";
import { base64url, type GroupGrant } from "@portcullis/protocol";
import type { Clock, Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";
import { createHeights, type Height, isBelow } from "./heights.ts";
import { createLately } from "./lately.ts";
import { createSteps, type Moved } from "./steps.ts";

/** What everybody on a socket shares until somebody is put out, from the step at which the last of them came. */
export interface Epoch {
  readonly socketId: string;
  readonly epoch: number;
  readonly step: number;
  /** G of this step, 32 bytes. */
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
const triesMax = 5;

export interface Groups {
  /**
   * The epoch that holds now, at its step. A new one is random, and never derived from the one before: nobody who had that one has this one.
   * Which it is, is a count that `identity` moves in one step with the end of a session, so that it has moved before anybody is told
   * that the session has ended.
   */
  current(socketId: string): Promise<Epoch>;
  /** The same, to seal a message: who comes from now on comes at a later step. */
  toSeal(socketId: string): Promise<Epoch>;
  /** The same, for who comes in: at a step under which no message was sealed before. */
  toEnter(socketId: string): Promise<Epoch>;
  /** One under which something was sealed, at a step of it. Null where there is no such key, or not any more. */
  used(socketId: string, epoch: number, step: number): Promise<Epoch | null>;
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
  /** An epoch never changes, so that what is remembered is right. */
  const remembered = createLately<Remembered>({ max: rememberedMax, forMs: rememberedForMs, clock });
  const steps = createSteps(state, livesForMs);
  const heights = createHeights();

  /** Of step 0. @param below what was seen before this was asked */
  async function holding(socketId: string, below: Height): Promise<Remembered> {
    const count = await state.sum(removalsKey(socketId));
    const behind = count < below.epoch ? below.epoch + 1 - count : 0;
    const holds = behind === 0 ? count : await state.add(removalsKey(socketId), behind, removalsTtlMs);
    const found = await at(socketId, holds);
    if (clock() < found.epoch.createdAtMs + givenForMs) return found;
    // Replicas that notice at once skip a number, which costs nothing.
    return at(socketId, await next(socketId));
  }

  function next(socketId: string): Promise<number> {
    return state.add(removalsKey(socketId), 1, removalsTtlMs);
  }

  /** @param read what is to be done about the step of the epoch that holds; null: this epoch has no step left */
  async function stepped(socketId: string, read: (epoch: number) => Promise<Moved | null>): Promise<Epoch> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const below = heights.of(socketId);
      const found = await holding(socketId, below);
      const { epoch } = found.epoch;
      const moved = await read(epoch);
      if (moved !== null && !isBelow({ epoch, ...moved.from }, below)) {
        heights.reached(socketId, { epoch, ...moved.to });
        return onStep(found, moved.to.step);
      }
      await next(socketId);
    }
    throw new ServiceError("busy");
  }

  async function at(socketId: string, epoch: number): Promise<Remembered> {
    return (await found(socketId, epoch)) ?? whole(socketId, epoch, await create(nameOf(socketId, epoch)));
  }

  async function found(socketId: string, epoch: number): Promise<Remembered | null> {
    const name = nameOf(socketId, epoch);
    const known = remembered.get(name);
    if (known !== null) return known;
    const kept = await read(name);
    return kept === null ? null : whole(socketId, epoch, kept);
  }

  async function whole(socketId: string, epoch: number, found: z.output<typeof stored>): Promise<Remembered> {
    const { secret, seed, createdAtMs } = found;
    const made = { socketId, epoch, step: 0, secret, signing: await importIdentity(seed), createdAtMs };
    return remember(nameOf(socketId, epoch), made);
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

  function remember(name: string, epoch: Epoch): Remembered {
    const held: Remembered = { epoch, last: epoch };
    remembered.put(name, held);
    return held;
  }

  return {
    current: (socketId) => stepped(socketId, (epoch) => steps.current(nameOf(socketId, epoch))),
    toSeal: (socketId) => stepped(socketId, (epoch) => steps.toSeal(nameOf(socketId, epoch))),
    toEnter: (socketId) => stepped(socketId, (epoch) => steps.toEnter(nameOf(socketId, epoch))),
    async used(socketId, epoch, step) {
      const known = await found(socketId, epoch);
      return known === null ? null : onStep(known, step);
    },
    async renew(socketId) {
      await next(socketId);
    },
  };
}

interface Remembered {
  /** Of step 0. */
  readonly epoch: Epoch;
  /** The last step that was asked for: the next one asked for is most often this one, or the one behind it. */
  last: Epoch;
}

async function onStep(held: Remembered, step: number): Promise<Epoch> {
  const from = step >= held.last.step ? held.last : held.epoch;
  if (step === from.step) return from;
  const on = { ...from, step, secret: await groupStepsOn(from.secret, step - from.step) };
  if (from === held.last) held.last = on;
  return on;
}

/** What a session is told of it. */
export function grantOf({ socketId, epoch, step, secret, signing }: Epoch): GroupGrant {
  return {
    socket: socketId,
    epoch,
    step,
    key: base64url.encode(secret),
    verify: base64url.encode(signing.publicKey),
  };
}
