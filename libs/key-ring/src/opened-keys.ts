import type { Kms } from "@portcullis/kms";
import { type Root, rootOf, type VaultKeys } from "@portcullis/runtime";
import { currentOf, indexId, isGenuine, printOf, type Ring } from "./ring.ts";

/** The ring says something of itself that its index secret does not bear out. */
export class AlteredRingError extends Error {
  override readonly name = "AlteredRingError";
  readonly code = "ring_altered";
  constructor() {
    super("the key ring was altered by somebody who does not have its keys: put back what belongs there");
  }
}

/** Data keys as they are in memory: derived, and filled with zeros when they go. */
export interface OpenedKeys {
  /**
   * All or nothing. What is not in the ring any more is forgotten.
   *
   * @param anew asks the key service for every key, also for those that are open
   * @throws {KmsError} @throws {AlteredRingError} nothing has changed then
   */
  open(ring: Ring, anew: boolean): Promise<VaultKeys>;
  wipe(): void;
}

interface Opened {
  readonly wrapped: string;
  readonly root: Root;
}

export function createOpenedKeys(kms: Kms, service: string): OpenedKeys {
  let held = new Map<string, Opened>();

  async function openOne(id: string, wrapped: string): Promise<Opened> {
    const key = await kms.unwrap(wrapped, { service, key: id });
    try {
      return { wrapped, root: rootOf(key, service) };
    } finally {
      key.fill(0);
    }
  }

  return {
    async open(ring, anew) {
      const next = new Map<string, Opened>();
      const fresh: Opened[] = [];
      try {
        for (const { id, wrapped } of [...ring.keys, { id: indexId, wrapped: ring.index.wrapped }]) {
          const known = held.get(id);
          // A key that was wrapped anew is opened anew: whoever cannot must not find out at the end of a lease.
          const stays = !anew && known?.wrapped === wrapped ? known : null;
          const opened = stays ?? (await openOne(id, wrapped));
          if (stays === null) fresh.push(opened);
          next.set(id, opened);
        }
        const keys = vaultKeysOf(ring, next);
        if (!isGenuine(keys.index, service, ring, (id) => printOf(rootIn(next, id)))) throw new AlteredRingError();
        for (const [id, { root }] of held) if (next.get(id)?.root !== root) root.bytes.fill(0);
        held = next;
        return keys;
      } catch (error) {
        for (const { root } of fresh) root.bytes.fill(0);
        throw error;
      }
    },
    wipe() {
      for (const { root } of held.values()) root.bytes.fill(0);
      held = new Map();
    },
  };
}

function rootIn(opened: ReadonlyMap<string, Opened>, id: string): Root {
  const root = opened.get(id)?.root;
  // Of a data key the id is derived from the key.
  if (root === undefined || (id !== indexId && root.id !== id)) throw new AlteredRingError();
  return root;
}

function vaultKeysOf(ring: Ring, opened: ReadonlyMap<string, Opened>): VaultKeys {
  const current = currentOf(ring).id;
  return {
    current: rootIn(opened, current),
    others: ring.keys.filter(({ id }) => id !== current).map(({ id }) => rootIn(opened, id)),
    index: rootIn(opened, indexId),
  };
}
