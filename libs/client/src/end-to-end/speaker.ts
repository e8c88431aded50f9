import { type Identity, type SealedTo, sealBody, secureRandom } from "@portcullis/crypto";
import type { ReplyKey } from "@portcullis/protocol";
import { ownError, PortcullisError } from "../errors.ts";
import type { Session } from "../session.ts";

export interface Speaker {
  /**
   * Seals, and hands it on, in the order in which this is called.
   *
   * @returns what `send` returned. Rejects with `too-large`, and as `send` does
   */
  say(
    body: Uint8Array,
    to: SealedTo,
    reply: ReplyKey | null,
    send: (sealed: Uint8Array) => Promise<void>,
  ): Promise<void>;
}

const rememberedMax = 65_536;

/** @param recipientsMax of whom it is remembered what was said last. Default 65536 */
export function createSpeaker(
  session: Pick<Session, "label" | "sid" | "limits">,
  sender: Identity,
  recipientsMax: number = rememberedMax,
): Speaker {
  const { label: socket, sid, limits } = session;
  /** By fingerprint of the recipient: the next number. In order of last use. */
  const next = new Map<string, number>();
  /** Above what was said to anybody who is not remembered: a member can have us answer as many keys as it makes, and to whom we come back numbers must still rise. */
  let forgotten = 0;
  let sealing: Promise<unknown> = Promise.resolve();

  async function seal(body: Uint8Array, to: SealedTo, reply: ReplyKey | null): Promise<Uint8Array> {
    const seq = next.get(to.fingerprint) ?? forgotten;
    const sealed = await sealBody({ socket, sid, sender, to, messageId: secureRandom(16), seq, reply, body });
    // Before the number is used: the recipient would miss it.
    if (sealed.length > limits.maxBytes) throw new PortcullisError("too-large");
    next.delete(to.fingerprint);
    next.set(to.fingerprint, seq + 1);
    forget();
    return sealed;
  }

  function forget(): void {
    const [oldest] = next;
    if (next.size <= recipientsMax || oldest === undefined) return;
    const [fingerprint, number] = oldest;
    next.delete(fingerprint);
    forgotten = Math.max(forgotten, number);
  }

  return {
    async say(body, to, reply, send) {
      // One after the other: what has the smaller number must be sent first. That it arrives is not waited for.
      const sent = sealing.then(async () => ({ arrival: send(await seal(body, to, reply)) }));
      sealing = sent.catch(() => {});
      try {
        await (await sent).arrival;
      } catch (error) {
        throw ownError(error);
      }
    },
  };
}

/** Gone with their sessions. */
const speakers = new WeakMap<object, Map<string, Speaker>>();

/**
 * The one of an identity in a session, for what nobody answers: whoever hears it tells sessions by their names alone, so that one who begins anew in the same session must go on
 * where the one before has come to.
 */
export function speakerOf(session: Pick<Session, "label" | "sid" | "limits">, sender: Identity): Speaker {
  const own = speakers.get(session) ?? new Map<string, Speaker>();
  speakers.set(session, own);
  const speaker = own.get(sender.fingerprint) ?? createSpeaker(session, sender);
  own.set(sender.fingerprint, speaker);
  return speaker;
}
