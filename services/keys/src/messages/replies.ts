import { type ConsumerDown, encodeControl } from "@portcullis/protocol";

/** What a client is told of what it has just sent, for it alone. */
export interface Replies {
  answer(said: ConsumerDown): void;
  /** A message of its own for one session. */
  directed(counter: number, isDelivered: boolean): void;
  /** In the order in which it was said; how far its messages have come stands last. */
  seal(): Promise<Uint8Array[]>;
}

/** Of answers in one reply. The client asks again for what was too much. */
const bytesMax = 512 * 1024;

/** @param sealOne for the client */
export function createReplies(sealOne: (plaintext: Uint8Array) => Promise<Uint8Array>): Replies {
  const plaintexts: Uint8Array[] = [];
  let bytes = 0;
  let arrived: number | null = null;

  const push = (said: ConsumerDown): void => {
    const plaintext = encodeControl(said);
    bytes += plaintext.length;
    if (bytes > bytesMax && (said.t === "about" || said.t === "entry")) {
      bytes -= plaintext.length;
      push({ t: "failed", ref: said.ref, code: "too-many" });
    } else plaintexts.push(plaintext);
  };

  return {
    answer: push,
    directed(counter, isDelivered) {
      arrived = Math.max(arrived ?? counter, counter);
      if (!isDelivered) push({ t: "undelivered", counter });
    },
    async seal() {
      if (arrived !== null) push({ t: "arrived", counter: arrived });
      const frames: Uint8Array[] = [];
      for (const plaintext of plaintexts) frames.push(await sealOne(plaintext));
      return frames;
    },
  };
}
