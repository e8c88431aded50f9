import { randomInt } from "node:crypto";
import { createServer } from "node:net";

// Below what Linux (32768 and up), macOS and Windows (49152 and up) give to outgoing connections: on a busy machine one of
// those would soon have the port that was free a moment ago.
const lowest = 15_000;
const beyondHighest = 32_768;
const triesMax = 100;

/** A TCP port of 127.0.0.1 that was free a moment ago. Somebody else may have it by the time it is used. */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < triesMax; tried += 1) {
    const port = randomInt(lowest, beyondHighest);
    if (await isFree(port)) return port;
  }
  throw new Error(`of ${triesMax} ports between ${lowest} and ${beyondHighest - 1} none is free`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
