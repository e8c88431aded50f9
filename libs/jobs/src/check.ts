import { attemptsMax, backoffMsMax, dataBytesMax, delayMsMax } from "./limits.ts";
import type { EnqueueOptions, Job } from "./port.ts";

/** @throws {TypeError} */
export function checkQueue(queue: string): string {
  if (!/^[a-z][a-z0-9-]{0,47}$/.test(queue)) throw new TypeError(`queue ${JSON.stringify(queue)}: not a valid name`);
  return queue;
}

/** @throws {TypeError} All digits would be taken for a number of BullMQ's own. */
export function checkId(id: string): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(id) || /^[0-9]+$/.test(id))
    throw new TypeError("a job id is [A-Za-z0-9_-]{1,64}, not all digits");
  return id;
}

/** @throws {TypeError} on nested or too large data; the data is not quoted. */
export function checkData(data: Job["data"]): Job["data"] {
  for (const [name, value] of Object.entries(data)) {
    const scalar = value === null || typeof value === "string" || typeof value === "boolean";
    if (!scalar && !Number.isFinite(value))
      throw new TypeError(`job data ${name} is not a string, number, boolean or null`);
  }
  if (Buffer.byteLength(JSON.stringify(data)) > dataBytesMax)
    throw new TypeError(`job data has more than ${dataBytesMax} bytes`);
  return data;
}

/** Fills in the defaults. @throws {TypeError} out of bounds. */
export function checkOptions(options: EnqueueOptions = {}): Required<EnqueueOptions> {
  const { delayMs = 0, attempts = 5, backoffMs = 1000 } = options;
  within("delayMs", delayMs, 0, delayMsMax);
  within("attempts", attempts, 1, attemptsMax);
  within("backoffMs", backoffMs, 0, backoffMsMax);
  return { delayMs, attempts, backoffMs };
}

export function checkConcurrency(concurrency = 4): number {
  within("concurrency", concurrency, 1, 1000);
  return concurrency;
}

function within(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new TypeError(`${name} is a whole number, ${min} to ${max}`);
}
