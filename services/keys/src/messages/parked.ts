import { ServiceError } from "@portcullis/contracts";
import { encodeMessageUp, type MessageUp, ProtocolError, parseMessageUp } from "@portcullis/protocol";
import type { Clock, Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";

/**
 * What a session has said and is not placed before a step-up was passed, in the order in which it was said; under the vault, bound to the session.
 * Another connection says it again and it is there already; another replica finds it.
 */
export interface ParkedMessages {
  get(sid: string): Promise<readonly MessageUp[]>;
  /**
   * @param said.lastCounter of what is placed already; -1: nothing
   * @returns nothing for one that waits or is placed already
   * @throws {ProtocolError} `out-of-order` where one before it has not come, `rate` and `too-large` where too many wait
   */
  add(sid: string, message: MessageUp, said: { readonly lastCounter: number; readonly untilMs: number }): Promise<void>;
  /** Those up to this counter have their places. */
  drop(sid: string, counter: number, untilMs: number): Promise<void>;
  erase(sid: string): Promise<void>;
}

const stored = z.array(z.string()).max(64);
const messagesMax = 64;
/** A single message may have more: as much as its socket takes. */
const bytesMax = 256 * 1024;
const triesMax = 20;

/** More than a session may keep waiting. The client hears it as `rate`: it may come back, and is asked again. */
export class TooMany extends Error {}

export function createParkedMessages(state: State, vault: Vault, clock: Clock): ParkedMessages {
  const key = (sid: string) => `keys:parked:${sid}`;
  const place = (sid: string) => `parked:${sid}`;
  const seal = (sid: string, messages: readonly MessageUp[]) => {
    const texts = messages.map((message) => Buffer.from(encodeMessageUp(message)).toString("base64"));
    return vault.wrap(Buffer.from(JSON.stringify(texts)), place(sid));
  };

  async function find(sid: string): Promise<{ messages: readonly MessageUp[]; version: string | null }> {
    const found = await state.get(key(sid));
    if (found === null) return { messages: [], version: null };
    const texts = stored.parse(JSON.parse(Buffer.from(vault.unwrap(found.value, place(sid))).toString("utf8")));
    const messages = texts.map((text) => parseMessageUp(new Uint8Array(Buffer.from(text, "base64"))));
    return { messages, version: found.version };
  }

  /** @param change null: as it is */
  async function change(
    sid: string,
    untilMs: number,
    next: (messages: readonly MessageUp[]) => readonly MessageUp[] | null,
  ): Promise<void> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const { messages, version } = await find(sid);
      const changed = next(messages);
      if (changed === null) return;
      if (changed.length === 0) {
        if (version === null || (await state.delete(key(sid), version))) return;
        continue;
      }
      const value = seal(sid, changed);
      const ttlMs = Math.max(1, untilMs - clock());
      const written =
        version === null
          ? await state.create(key(sid), value, ttlMs)
          : await state.replace(key(sid), version, value, ttlMs);
      if (written !== null) return;
    }
    throw new ServiceError("busy");
  }

  return {
    get: async (sid) => (await find(sid)).messages,
    add: (sid, message, { lastCounter, untilMs }) =>
      change(sid, untilMs, (messages) => {
        const last = messages.at(-1)?.counter ?? lastCounter;
        if (message.counter <= last) return null;
        if (message.counter > last + 1) throw new ProtocolError("out-of-order", "message.counter");
        const bytes = messages.reduce((sum, { body }) => sum + body.length, 0);
        if (messages.length >= messagesMax) throw new TooMany();
        if (messages.length > 0 && bytes + message.body.length > bytesMax) throw new TooMany();
        return [...messages, message];
      }),
    drop: (sid, counter, untilMs) =>
      change(sid, untilMs, (messages) => {
        const left = messages.filter((message) => message.counter > counter);
        return left.length === messages.length ? null : left;
      }),
    async erase(sid) {
      await state.delete(key(sid));
    },
  };
}
