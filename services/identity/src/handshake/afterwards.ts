import { setTimeout as pause } from "node:timers/promises";

/** By then whoever came has their answer: what is written before it, in the same process, could be told by the time it takes. */
const afterMs = 100;

/** What a refusal leads to and nobody waits for. A process that is killed before then has not done it. @param work never rejects */
export function afterwards(work: () => Promise<void>): void {
  void pause(afterMs).then(work);
}
