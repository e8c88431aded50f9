import { type DownRecordType, limits } from "@portcullis/protocol";
import { type Random, secureRandom } from "./derive.ts";
import { sealRecord } from "./record.ts";

/** Seals S→C records for one replica. */
export interface RecordWriter {
  /** The id now in use, 16 bytes. */
  readonly id: Uint8Array;
  /** @returns the binary frame; a repeated step sends it again rather than sealing anew. */
  seal(type: DownRecordType, secret: Uint8Array, plaintext: Uint8Array, generation?: number): Promise<Uint8Array>;
  /** For records that are sealed elsewhere under this writer: its id, and a counter that nobody else gets. */
  next(): { readonly writer: Uint8Array; readonly counter: number };
}

const idBytes = 16;

/**
 * A writer id lives and dies with its counter: both are in memory only, so a restart, a copy or an older store can never
 * bring back a (key, nonce). One counter serves all sessions of the replica; when it is used up, a new id is drawn.
 *
 * @param recordsPerIdMax at most, and by default, 2^23.
 */
export function createRecordWriter(
  random: Random = secureRandom,
  recordsPerIdMax: number = limits.recordsPerKey,
): RecordWriter {
  let id = random(idBytes);
  let next = 0;
  const take = () => {
    if (next >= recordsPerIdMax) {
      id = random(idBytes);
      next = 0;
    }
    return { writer: id, counter: next++ };
  };
  return {
    get id() {
      return id.slice();
    },
    // The counter is taken before anything awaits: two calls at once must not see one.
    seal: (type, secret, plaintext, generation = 0) => sealRecord({ type, secret, plaintext, generation, ...take() }),
    next: take,
  };
}
