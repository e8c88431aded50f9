import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { PrekeyStore } from "@portcullis/client";

/**
 * Prekeys in a file that nobody else reads. For one process: nothing comes between reading and writing. Replicas share a database that can compare and set. Who backs the
 * file up keeps what was to be erased.
 */
export function fileStore(path: string): PrekeyStore {
  const read = () => {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  };
  return {
    get: read,
    put(next, before) {
      if (read() !== before) return false;
      // Whole or not at all: half a file is no prekey.
      writeFileSync(`${path}.new`, next, { mode: 0o600 });
      renameSync(`${path}.new`, path);
      return true;
    },
  };
}
