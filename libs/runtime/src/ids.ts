import { randomBytes } from "node:crypto";

/** Now, in epoch milliseconds. */
export type Clock = () => number;

/** `size` unpredictable bytes. */
export type Random = (size: number) => Uint8Array;

export const systemClock: Clock = () => Date.now();

export const systemRandom: Random = (size) => new Uint8Array(randomBytes(size));

export interface Ids {
  /**
   * 128 random bits as 22 characters of base64url, after `prefix_` where a prefix is given. Fits `[A-Za-z0-9_-]{1,64}`,
   * which is what job ids and routes on the bus demand.
   * @param prefix 1 to 16 letters a to z: says to a reader what the id names; carries no meaning for programs.
   * @throws {TypeError} on any other prefix.
   */
  id(prefix?: string): string;
}

const idBytes = 16;
const prefixPattern = /^[a-z]{1,16}$/;

export function createIds(random: Random = systemRandom): Ids {
  return {
    id(prefix) {
      if (prefix !== undefined && !prefixPattern.test(prefix))
        throw new TypeError("an id's prefix is 1 to 16 letters a to z");
      const bytes = random(idBytes);
      // A source that runs dry must not silently make shorter, guessable ids.
      if (bytes.length !== idBytes)
        throw new RangeError(`the random source gave ${bytes.length} bytes, not ${idBytes}`);
      const text = Buffer.from(bytes).toString("base64url");
      return prefix === undefined ? text : `${prefix}_${text}`;
    },
  };
}
