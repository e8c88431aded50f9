import { setTimeout as pause } from "node:timers/promises";

/**
 * By then whoever came has their answer, also from a machine that is busy: `keys` lets it leave 25 to 50 ms after they came. What is written before it, in the same
 * process, could be told by the time it takes.
 */
const afterMs = 200;

/** What a refusal leads to and nobody waits for. A process that is killed before then has not done it. @param work never rejects */
export function afterwards(work: () => Promise<void>): void {
  void pause(afterMs).then(work);
}
