import {
  chooseSuite,
  generateEndToEndIdentity,
  generateKemKeyPair,
  importEndToEndIdentity,
  type KemKeyPair,
  secureRandom,
} from "@portcullis/crypto";
import { fingerprintWords } from "@portcullis/crypto/words";
import { equalBytes, type ReplyKey, type SealedBody, type SuiteId } from "@portcullis/protocol";
import { ownError, PortcullisError } from "../errors.ts";
import { bytesToSend } from "../message.ts";
import { suitesFrom } from "../options.ts";
import type { OwnSession, Session } from "../session.ts";
import { createInOrder } from "./in-order.ts";
import type { KeyChangeCallback } from "./key-change.ts";
import { contentOf, type Opened, openedOf, type SealedMessage, sealedFor } from "./opened.ts";
import { createRecipients } from "./recipients.ts";
import { createSpeaker } from "./speaker.ts";
import { createPins, createSeen, type PinStore } from "./stores.ts";

export interface EndToEndOptions {
  /** By name in the socket's directory: fingerprint of the recipient's identity, 22 characters, which came by another way than through the server. */
  readonly recipients?: Readonly<Record<string, string>> | undefined;
  /** Whether to seal to a recipient that nothing vouches for, and take what the server says of it the first time. Default "refuse". */
  readonly unpinned?: "refuse" | "allow" | undefined;
  /** What is learnt of recipients, for the next session. Default: forgotten with this one. */
  readonly pins?: PinStore | undefined;
  /** `pe1.…`: who we are to recipients. Default: another one for each session, by which nobody recognises us. */
  readonly identity?: string | undefined;
  readonly onKeyChange?: KeyChangeCallback | undefined;
  /** The weakest suite to seal under, and to be answered under. Default: the session's. */
  readonly minSuite?: SuiteId | undefined;
  /** Epoch milliseconds. Default: the platform's. */
  readonly clock?: (() => number) | undefined;
}

export interface Answer extends Opened {
  readonly sender: { readonly name: string; readonly fingerprint: string; readonly words: string };
}

/** Messages that the server carries and cannot read, forge, move or say twice. */
export interface EndToEnd {
  /** Ours, 22 characters, and in six words for people to compare. */
  readonly fingerprint: string;
  readonly words: string;
  /**
   * Seals to a recipient, and sends. Resolves and rejects as `session.send`; besides with `untrusted-recipient` where its identity is not the pinned one nor follows it,
   * `not-found` where it has published none, `unavailable` where it has no prekey, `unsupported` where the socket has no directory, or the prekey no suite that is good enough.
   * What is refused as `full` has its number already: the recipient is told that something is missing.
   *
   * @param about.to name in the directory. Default "consumer"
   */
  send(
    body: string | Uint8Array,
    about?: { readonly to?: string | undefined; readonly class?: string | undefined },
  ): Promise<void>;
  /**
   * Opens an answer to us. Null: it is sealed for somebody else. Rejects with `unopened` where it is not sealed, was changed, moved, or opened before, and with
   * `untrusted-recipient` where it was signed by none of those whom we seal to. To be called in the order in which messages come; it need not be waited for in between.
   */
  open(message: SealedMessage): Promise<Answer | null>;
  /** Who is behind a name, verified. Rejects as `send`. */
  who(name?: string): Promise<{ readonly fingerprint: string; readonly words: string }>;
  /** Erases what opens answers. Where it is not called, that goes with the session: at once where it is closed here, a minute later where it ends otherwise. */
  end(): void;
}

/** So long what opens answers outlives a session that was not ended here. */
const unreadMs = 60_000;
const fingerprintShape = /^[A-Za-z0-9_-]{22}$/;

/**
 * Seals end to end over a session, beyond the server.
 *
 * @throws {PortcullisError} `unsupported` where the socket has no directory, `key` @throws {TypeError} on a pin or a suite that is none
 */
export async function createEndToEnd(session: Session, options: EndToEndOptions = {}): Promise<EndToEnd> {
  const { recipients: given = {}, unpinned = "refuse", onKeyChange, minSuite = session.minSuite } = options;
  const suites = suitesFrom(minSuite);
  const { pins = createPins(), clock = Date.now, identity: text = generateEndToEndIdentity() } = options;
  for (const pin of Object.values(given))
    if (!fingerprintShape.test(pin)) throw new TypeError("recipients holds what is not a fingerprint.");
  if (session.endToEnd === "off") throw new PortcullisError("unsupported");
  const identity = await importEndToEndIdentity(text).catch(() => {
    throw new PortcullisError("key");
  });
  const { fingerprint } = identity;
  const recipients = createRecipients({ session, given, unpinned, pins, onKeyChange, clock });
  const speaker = createSpeaker(session, identity);
  const seen = createSeen();
  const inOrder = createInOrder();
  const keyId = secureRandom(8);
  const pairs = new Map<SuiteId, Promise<KemKeyPair>>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;

  /** By which we are answered: for this session, in the suite of what is answered. */
  async function pairOf(suite: SuiteId): Promise<KemKeyPair> {
    if (ended) throw new PortcullisError("closed");
    const pair = pairs.get(suite) ?? generateKemKeyPair(suite);
    pairs.set(suite, pair);
    return pair;
  }

  async function replyKey(suite: SuiteId): Promise<ReplyKey> {
    return { keyId, suite, publicKey: (await pairOf(suite)).publicKey };
  }

  async function answerIn(body: SealedBody, sid: string) {
    if (!equalBytes(body.keyId, keyId)) throw new PortcullisError("unopened");
    const { privateKey } = await pairOf(body.suite).catch(() => {
      throw new PortcullisError("unopened");
    });
    const { content, sender } = await contentOf({
      socket: session.label,
      sid,
      recipient: fingerprint,
      privateKey,
      body,
    });
    const name = await recipients.nameOf(sender);
    if (name === null) throw new PortcullisError("untrusted-recipient");
    return { content, sender, name };
  }

  function end(): void {
    ended = true;
    clearTimeout(timer);
    pairs.clear();
  }

  void session.closed.then(({ reason }) => {
    if (ended || reason === "local") return end();
    // What has come and was not read yet can still be read.
    timer = setTimeout(end, unreadMs);
    // Where timers keep a program: not for this.
    (timer as { unref?: () => void }).unref?.();
  });
  // Also of a session that had ended before.
  void (session as Partial<OwnSession>).loggedOut?.then(end);

  return {
    fingerprint,
    words: fingerprintWords(fingerprint),
    async send(body, { to: name = "consumer", class: kind } = {}) {
      const bytes = bytesToSend(body);
      const { fingerprint: recipient, prekey } = await recipients.find(name);
      if (prekey === null) throw new PortcullisError("unavailable");
      const { suite, publicKey } = await chooseSuite(prekey.suites, suites).catch((error: unknown) => {
        throw ownError(error);
      });
      const to = { fingerprint: recipient, keyId: prekey.id, suite, publicKey };
      await speaker.say(bytes, to, await replyKey(suite), (sealed) => session.send(sealed, { class: kind }));
    },
    async open(message) {
      const body = sealedFor(fingerprint, message);
      if (body === null) return null;
      const { sid } = message.from;
      return inOrder(answerIn(body, sid), async ({ content, sender, name }) => {
        const opened = await openedOf(content, { sender, sid, seen });
        return { ...opened, sender: { name, fingerprint: sender, words: fingerprintWords(sender) } };
      });
    },
    async who(name = "consumer") {
      const { fingerprint: found } = await recipients.find(name);
      return { fingerprint: found, words: fingerprintWords(found) };
    },
    end,
  };
}
