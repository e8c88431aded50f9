import type { Worker } from "@portcullis/jobs";

/**
 * A worker that lets what is under way finish for a while; then it is cut off by the signal, and tried again by whoever works next.
 *
 * @param stopMsMax in milliseconds
 */
export function stopsWithin(worker: Worker, stopping: AbortController, stopMsMax: number): Worker {
  return {
    async close() {
      const cutOff = setTimeout(() => stopping.abort(), stopMsMax);
      try {
        await worker.close();
      } finally {
        clearTimeout(cutOff);
      }
    },
  };
}
