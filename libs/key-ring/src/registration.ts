import { type Collection, DuplicateError, type Stored } from "@portcullis/documents";
import type { Clock, Random } from "@portcullis/runtime";
import type { Reader } from "./store.ts";

/**
 * That this process works with the ring, for whoever rotates: a key may come into use only when all know it. Written behind every change, and else a few times in a lease;
 * gone a minute after the lease, by which time the process has erased its keys.
 */
export interface Registration {
  /** Renews it where that is due. @returns when the one that counts now was written, by the lease clock */
  hold(knows: number): Promise<number>;
  tell(knows: number): Promise<void>;
  /** This process uses no keys any more. */
  end(): Promise<void>;
}

/** By how much clocks of machines may be off. */
const marginMs = 60_000;
const triesMax = 3;

export function createRegistration(options: {
  readonly readers: Collection<Reader>;
  readonly instance: string;
  readonly random: Random;
  readonly clock: Clock;
  readonly leaseClock: Clock;
  readonly leaseMs: number;
}): Registration {
  const { readers, instance, random, clock, leaseClock, leaseMs } = options;
  // Another process of the same name is another reader.
  const id = `${instance}.${Buffer.from(random(9)).toString("base64url")}`;
  let stored: Stored<Reader> | null = null;
  let writtenAt: number | null = null;

  async function write(knows: number): Promise<number> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const startedAt = leaseClock();
      const body: Reader = { instance, knows, expiresAtMs: clock() + leaseMs + marginMs };
      stored = stored === null ? await inserted(body) : await readers.replace(id, stored.version, body);
      if (stored === null) continue;
      writtenAt = startedAt;
      return startedAt;
    }
    throw new Error("this process cannot be registered with its key ring");
  }

  async function inserted(body: Reader): Promise<Stored<Reader> | null> {
    try {
      return await readers.insert(id, body);
    } catch (error) {
      // Written by an attempt whose answer was lost.
      if (error instanceof DuplicateError)
        return readers.get(id).then((found) => found && readers.replace(id, found.version, body));
      throw error;
    }
  }

  return {
    hold: async (knows) =>
      writtenAt === null || leaseClock() - writtenAt >= leaseMs / 4 ? write(knows) : Promise.resolve(writtenAt),
    async tell(knows) {
      await write(knows);
    },
    async end() {
      await readers.delete(id);
    },
  };
}
