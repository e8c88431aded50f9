import { limits } from "@portcullis/protocol";
import type { State } from "@portcullis/state";
import { z } from "zod";

/** How far an epoch is, and whether a message was sealed under that step: then whoever comes needs another one. */
const stored = z.strictObject({ step: z.number().int().min(0).max(limits.epochSteps), isUsed: z.boolean() });
export type Step = z.output<typeof stored>;

export interface Moved {
  /** As the store had it. */
  readonly from: Step;
  readonly to: Step;
}

const triesMax = 20;
const first: Step = { step: 0, isUsed: false };

/**
 * Where the replicas agree on the step of an epoch. It moves when somebody comes and something was said since the last one came, so that a
 * thousand who come in between cost one step, and nobody has a key under which something was said before they came.
 */
export interface Steps {
  current(epoch: string): Promise<Moved>;
  /** Before anything is sealed under it. Null: too many do so at once. */
  toSeal(epoch: string): Promise<Moved | null>;
  /** Null: likewise, or the epoch has had all its steps. */
  toEnter(epoch: string): Promise<Moved | null>;
}

/** @param livesForMs as long as the key of an epoch */
export function createSteps(state: State, livesForMs: number): Steps {
  async function find(epoch: string): Promise<{ readonly at: Step; readonly version: string | null }> {
    const found = await state.get(keyOf(epoch));
    if (found === null) return { at: first, version: null };
    return { at: stored.parse(JSON.parse(Buffer.from(found.value).toString("utf8"))), version: found.version };
  }

  /** @param change null leaves it as it is */
  async function move(epoch: string, change: (at: Step) => Step | null): Promise<Moved | null> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const { at, version } = await find(epoch);
      const next = change(at);
      if (next === null) return { from: at, to: at };
      if (next.step > limits.epochSteps) return null;
      const value = Buffer.from(JSON.stringify(next));
      const written =
        version === null
          ? await state.create(keyOf(epoch), value, livesForMs)
          : await state.replace(keyOf(epoch), version, value, livesForMs);
      if (written !== null) return { from: at, to: next };
    }
    return null;
  }

  return {
    async current(epoch) {
      const { at } = await find(epoch);
      return { from: at, to: at };
    },
    toSeal: (epoch) => move(epoch, (at) => (at.isUsed ? null : { ...at, isUsed: true })),
    toEnter: (epoch) => move(epoch, (at) => (at.isUsed ? { step: at.step + 1, isUsed: false } : null)),
  };
}

function keyOf(epoch: string): string {
  return `${epoch}:step`;
}
