import { applicationSecrets, openRecord, sealRecord } from "@portcullis/crypto";
import { type Accepted, encodeControl, parseRecord, recordTypes, utf8 } from "@portcullis/protocol";
import type { Close } from "./attacker.ts";
import { type Knock, knock, type OpenOptions } from "./knock.ts";

/** One frame as whoever looks at it from outside has it: the first byte, and how long it is. */
export type Shape = `${string} ${number}`;

/** Somebody who was let in, by whatever: they follow no rule, and have all keys of their connection. */
export interface Insider extends Knock {
  readonly accepted: Accepted;
  /** By which the session goes on over another connection. */
  readonly resume: Uint8Array;
  /** An application record, under the right key and the next counter, or, for what is not to be sent in its place, a chosen one. */
  up(plaintext: string | Uint8Array, counter?: number): Promise<Uint8Array>;
  /** What was sealed for them alone, opened. */
  told(): Promise<string[]>;
  /** Everything behind the accept, until nothing more is to come: what was sent was taken, and either answered or the end. */
  reaction(): Promise<{ readonly shapes: readonly Shape[]; readonly close: Close | null }>;
}

const settleMs = 150;

/** @param code asked for a value at each gate where one is typed */
export async function insider(
  url: string,
  { code = () => "000000", ...options }: Omit<OpenOptions, "dst"> & { readonly code?: () => string },
): Promise<Insider> {
  for (;;) {
    const own = await knock(url, options);
    let heard = await own.hear();
    for (let n = 1; heard?.t === "challenge"; n += 1) {
      const [option] = heard.options;
      await own.say({ n, t: "answer", cid: heard.cid, gate: option?.gate, value: code() });
      heard = await own.hear();
    }
    if (heard?.t === "accepted") return within(own, heard);
    if (heard === null) throw new Error("turned away");
    own.leave();
  }
}

async function within(own: Knock, accepted: Accepted): Promise<Insider> {
  const { client, server, resume } = await applicationSecrets(own.prk, Buffer.from(accepted.F, "base64url"));
  const before = own.heard.length;
  let next = 0;
  const up: Insider["up"] = (plaintext, chosen) => {
    const counter = chosen ?? next;
    if (chosen === undefined) next += 1;
    const bytes = typeof plaintext === "string" ? utf8(plaintext) : plaintext;
    return sealRecord({ type: recordTypes.applicationUp, generation: 0, counter, secret: client, plaintext: bytes });
  };
  const read = async (frame: unknown) => {
    if (!(frame instanceof Uint8Array) || frame[0] !== recordTypes.applicationDown) return "";
    return Buffer.from(await openRecord({ secret: server, record: parseRecord(frame) })).toString();
  };
  async function answered(): Promise<Close | null> {
    // What is asked is answered behind all that came before it.
    own.send(await up(encodeControl({ t: "catch-up", after: 0 })));
    let at = before;
    for (;;) {
      const close = await Promise.race([
        own.closed,
        new Promise<null>((resolve) => setTimeout(() => resolve(null), 20)),
      ]);
      if (close !== null) return close;
      for (; at < own.heard.length; at += 1) if ((await read(own.heard[at])).includes('"caught-up"')) return null;
    }
  }
  return {
    ...own,
    accepted,
    resume,
    up,
    told: () => Promise.all(own.heard.slice(before).map(read)),
    async reaction() {
      const close = await answered();
      // What goes to everybody comes by another way than an answer.
      if (close === null) await new Promise((resolve) => setTimeout(resolve, settleMs));
      const shapes = own.heard.slice(before).map((frame): Shape => {
        const type = typeof frame === "string" ? "text" : (frame[0] ?? 0).toString(16);
        return `${type} ${frame.length}`;
      });
      return { shapes: shapes.toSorted(), close };
    },
  };
}
