import { groupStepsOn, openGroupRecord } from "@portcullis/crypto";
import { base64url, type GroupGrant, type GroupRecord } from "@portcullis/protocol";

/** A record of an epoch whose key is not here. */
export const unknownEpoch = Symbol("unknown epoch");

/** What opens that which is said to everybody, as long as it may be needed and no longer. */
export interface GroupKeys {
  /** Of another epoch; of one that is known nothing is learnt. */
  learn(grant: GroupGrant): void;
  /**
   * One record after the other.
   *
   * @returns null for one of long ago: what it held is asked for by its place
   * @throws {CryptoError}
   */
  open(record: GroupRecord): Promise<Uint8Array | typeof unknownEpoch | null>;
  erase(): void;
}

interface At {
  readonly step: number;
  readonly secret: Uint8Array;
}

interface Epoch {
  readonly socketId: string;
  readonly verifyKey: Uint8Array;
  /** The first step that can still be opened. */
  first: At;
  /** The last one of which something was opened, and when `first` fell behind; null: it has not. */
  last: (At & { readonly sinceMs: number }) | null;
}

/** Messages may still be on their way under the key before. */
const epochsMax = 3;
const stepKeptMs = 5_000;

/** @param clock epoch milliseconds */
export function createGroupKeys(clock: () => number): GroupKeys {
  const epochs = new Map<number, Epoch>();
  let newest = -1;

  /** Whoever takes the device later opens nothing with it that was said before: a key that is not needed any more is erased. */
  function forget(epoch: Epoch): void {
    const { first, last } = epoch;
    if (last === null || clock() < last.sinceMs + stepKeptMs) return;
    first.secret.fill(0);
    epoch.first = last;
    epoch.last = null;
  }

  function moveOn(epoch: Epoch, to: At): void {
    const { last } = epoch;
    last?.secret.fill(0);
    epoch.last = { ...to, sinceMs: last?.sinceMs ?? clock() };
  }

  return {
    learn({ socket, epoch, step, key, verify }) {
      if (epochs.has(epoch)) return;
      newest = Math.max(newest, epoch);
      const first = { step, secret: base64url.decode(key) };
      epochs.set(epoch, { socketId: socket, verifyKey: base64url.decode(verify), first, last: null });
      if (epochs.size <= epochsMax) return;
      // Not the one that came first: a grant may come late.
      const oldest = Math.min(...epochs.keys());
      eraseEpoch(epochs.get(oldest));
      epochs.delete(oldest);
    },
    async open(record) {
      const epoch = epochs.get(record.epoch);
      if (epoch === undefined) return record.epoch > newest ? unknownEpoch : null;
      forget(epoch);
      const { socketId, verifyKey, first, last } = epoch;
      const { step } = record;
      if (step < first.step) return null;
      const from = last !== null && step >= last.step ? last : first;
      let secret: Uint8Array = new Uint8Array();
      const reach = async () => {
        secret = await groupStepsOn(from.secret, step - from.step);
        return secret;
      };
      try {
        const plaintext = await openGroupRecord({ socketId, secret: reach, verifyKey, record });
        // It may have been erased meanwhile.
        const isHeld = epochs.get(record.epoch) === epoch;
        if (isHeld && step > (last ?? first).step) moveOn(epoch, { step, secret: secret.slice() });
        return plaintext;
      } finally {
        secret.fill(0);
      }
    },
    erase() {
      for (const epoch of epochs.values()) eraseEpoch(epoch);
      epochs.clear();
    },
  };
}

function eraseEpoch(epoch: Epoch | undefined): void {
  epoch?.first.secret.fill(0);
  epoch?.last?.secret.fill(0);
}
