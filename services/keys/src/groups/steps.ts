import { limits } from "@portcullis/protocol";
import type { State } from "@portcullis/state";
import { z } from "zod";

/** How far an epoch is, and whether a message was sealed under that step: then whoever comes needs another one. */
const stored = z.strictObject({ step: z.number().int().min(0).max(limits.epochSteps), isUsed: z.boolean() });
type Step = z.output<typeof stored>;

const triesMax = 20;
const first: Step = { step: 0, isUsed: false };

/**
 * Where the replicas agree on the step of an epoch. It moves when somebody comes and something was said since the last one came, so that a
 * thousand who come in between cost one step, and nobody has a key under which something was said before they came.
 */
export interface Steps {
  current(epoch: string): Promise<number | null>;
  /** Before anything is sealed under it. */
  toSeal(epoch: string): Promise<number | null>;
  /** @returns null: the epoch has had all its steps */
  toEnter(epoch: string): Promise<number | null>;
}

/** @param livesForMs as long as the key of an epoch */
export function createSteps(state: State, livesForMs: number): Steps {
  async function find(epoch: string): Promise<{ readonly at: Step; readonly version: string | null }> {
    const found = await state.get(keyOf(epoch));
    if (found === null) return { at: first, version: null };
    return { at: stored.parse(JSON.parse(Buffer.from(found.value).toString("utf8"))), version: found.version };
  }

  /** @param change null leaves it as it is */
  async function move(epoch: string, change: (at: Step) => Step | null): Promise<number | null> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const { at, version } = await find(epoch);
      const next = change(at);
      if (next === null) return at.step;
      if (next.step > limits.epochSteps) return null;
      const value = Buffer.from(JSON.stringify(next));
      const written =
        version === null
          ? await state.create(keyOf(epoch), value, livesForMs)
          : await state.replace(keyOf(epoch), version, value, livesForMs);
      if (written !== null) return next.step;
    }
    return null;
  }

  return {
    current: async (epoch) => (await find(epoch)).at.step,
    toSeal: (epoch) => move(epoch, (at) => (at.isUsed ? null : { ...at, isUsed: true })),
    toEnter: (epoch) => move(epoch, (at) => (at.isUsed ? { step: at.step + 1, isUsed: false } : null)),
  };
}

function keyOf(epoch: string): string {
  return `${epoch}:step`;
}
