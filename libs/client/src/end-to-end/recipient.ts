import {
  type Identity,
  importEndToEndIdentity,
  signIdentityStatement,
  signPrekeyStatement,
  verifyDirectoryEntry,
} from "@portcullis/crypto";
import { fingerprintWords } from "@portcullis/crypto/words";
import type { ReplyKey, SealedBody, SignedIdentity, SuiteId } from "@portcullis/protocol";
import type { ConsumerSession, Peer } from "../consumer.ts";
import { PortcullisError } from "../errors.ts";
import { bytesToSend } from "../message.ts";
import { suitesFrom } from "../options.ts";
import { createInOrder } from "./in-order.ts";
import { type KeyChangeCallback, tellChange } from "./key-change.ts";
import { contentOf, type Opened, openedOf, type SealedMessage, sealedFor } from "./opened.ts";
import { createPrekeys } from "./prekeys.ts";
import { speakerOf } from "./speaker.ts";
import { createPrekeyStore, createSeen, type PinStore, type PrekeyStore, type SeenStore } from "./stores.ts";

export interface RecipientOptions {
  /** `pe1.…`, of `portcullis e2e generate`. The same for all replicas; no server ever has it. */
  readonly identity: string;
  /** `pe1.…`: the identity that this one follows, where another one is published. It signs that, and can be erased then. */
  readonly before?: string | undefined;
  /** In the socket's directory. Default "consumer". */
  readonly name?: string | undefined;
  /** Default: forgotten with the program, and with it what was sealed to it and not yet opened. Replicas share one. */
  readonly prekeys?: PrekeyStore | undefined;
  /** Default: forgotten with the program: what was opened before could be given to the next one again. */
  readonly seen?: SeenStore | undefined;
  /** Identities of proven members, taken on first use. Default: none is remembered, for members that have another one in each session. */
  readonly members?: PinStore | undefined;
  /** A member whose identity was remembered has another one. It is opened all the same, and remembered from then on. */
  readonly onKeyChange?: KeyChangeCallback | undefined;
  /** How long a prekey is sealed to, in milliseconds. Default 86400000 (a day). */
  readonly rotateMs?: number | undefined;
  /** How long one that was followed still opens. Default 86400000: nothing that is kept for those who were away is older. */
  readonly graceMs?: number | undefined;
  /** The weakest suite under which we are sealed to, and answer. Default: the session's. */
  readonly minSuite?: SuiteId | undefined;
  /** Epoch milliseconds. Default: the platform's. */
  readonly clock?: (() => number) | undefined;
}

/** Who has sealed a message: whoever holds that identity, and not whom the server says. */
export interface Sender {
  readonly fingerprint: string;
  readonly words: string;
  /** Sealed to them alone. Rejects with `undelivered` where they are gone, `closed`, `too-large`, `unsupported` where they cannot be answered, or under no suite that is good enough. */
  reply(body: string | Uint8Array): Promise<void>;
}

export interface Letter extends Opened {
  readonly sender: Sender;
}

export interface Recipient {
  readonly fingerprint: string;
  readonly words: string;
  /**
   * Null: it is sealed for somebody else. Rejects with `unopened` where it is not sealed, was changed, moved or opened before, or its prekey is erased, and
   * with `unsupported` where what its suite takes cannot be loaded now. To be called in the order in which messages come; it need not be waited for in between.
   */
  open(
    message: SealedMessage & { readonly from: Pick<Peer, "sid" | "member" | "memberProven"> },
  ): Promise<Letter | null>;
  /** Publishes no more. Ends with the session, too. */
  end(): void;
}

/** When the server could not be told of a prekey. */
const againMs = 30_000;
const timerMsMax = 2 ** 31 - 1;

/**
 * Publishes who we are and what can be sealed to us, and opens it.
 *
 * @throws {PortcullisError} `unsupported` where the socket has no directory, or this runtime no suite that is good enough; `conflict` where the name is
 * another identity's, or the server says so; `unavailable` where the server cannot record it now; `key`
 */
export async function createRecipient(session: ConsumerSession, options: RecipientOptions): Promise<Recipient> {
  const { name = "consumer", clock = Date.now, rotateMs = 86_400_000, graceMs = 86_400_000 } = options;
  const { prekeys: store = createPrekeyStore(), seen = createSeen(), members, onKeyChange } = options;
  const suites = suitesFrom(options.minSuite ?? session.minSuite);
  if (session.endToEnd === "off") throw new PortcullisError("unsupported");
  const identity = await imported(options.identity);
  const before = options.before === undefined ? null : await imported(options.before);
  const { fingerprint } = identity;
  const whose = { socket: session.label, name };
  const prekeys = createPrekeys({ store, rotateMs, graceMs, clock, suites });
  const speaker = speakerOf(session, identity);
  const inOrder = createInOrder();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;

  async function publish(signed?: SignedIdentity): Promise<void> {
    const prekey = await signPrekeyStatement(identity, { ...whose, ...(await prekeys.current()) });
    await session.directory.publish(name, { ...(signed === undefined ? {} : { identity: signed }), prekey });
  }

  function schedule(delayMs: number): void {
    if (ended) return;
    timer = setTimeout(
      () => {
        publish().then(
          () => schedule(prekeys.dueAt - clock()),
          () => schedule(againMs),
        );
      },
      Math.min(Math.max(delayMs, 0), timerMsMax),
    );
    // Where timers keep a program: the connection does so, as long as it is there.
    (timer as { unref?: () => void }).unref?.();
  }

  function end(): void {
    ended = true;
    clearTimeout(timer);
  }

  async function remember({ member, memberProven }: Pick<Peer, "member" | "memberProven">, sender: string) {
    if (members === undefined || member === null || !memberProven) return;
    const pinName = `${session.label} ${member}`;
    const known = await members.get(pinName);
    if (known?.fingerprint === sender) return;
    await members.set(pinName, { given: null, fingerprint: sender, prekeyFrom: 0 });
    if (known !== null) tellChange(onKeyChange, { name: member, from: known.fingerprint, to: sender, vouched: false });
  }

  async function contentIn(body: SealedBody, sid: string) {
    const pair = await prekeys.pair(body.keyId, body.suite);
    if (pair === null) throw new PortcullisError("unopened");
    const place = { socket: session.label, sid, recipient: fingerprint };
    return contentOf({ ...place, privateKey: pair.privateKey, body });
  }

  function senderOf(sid: string, sender: string, key: ReplyKey | null): Sender {
    return {
      fingerprint: sender,
      words: fingerprintWords(sender),
      async reply(body) {
        const bytes = bytesToSend(body);
        if (key === null || !suites.includes(key.suite)) throw new PortcullisError("unsupported");
        await speaker.say(bytes, { fingerprint: sender, ...key }, null, (sealed) => session.sendTo(sid, sealed));
      },
    };
  }

  await publish(await unpublished(session, { ...whose, identity, before, nowMs: clock() }));
  schedule(prekeys.dueAt - clock());
  void session.closed.then(end);

  return {
    fingerprint,
    words: fingerprintWords(fingerprint),
    async open(message) {
      const body = sealedFor(fingerprint, message);
      if (body === null) return null;
      const { sid } = message.from;
      return inOrder(contentIn(body, sid), async ({ content, sender }) => {
        const opened = await openedOf(content, { sender, sid, seen });
        await remember(message.from, sender);
        return { ...opened, sender: senderOf(sid, sender, content.reply) };
      });
    },
    end,
  };
}

/** @returns what is to be published so that the identity is the one that counts; undefined: it is. */
async function unpublished(
  { directory }: Pick<ConsumerSession, "directory">,
  parts: {
    readonly socket: string;
    readonly name: string;
    readonly identity: Identity;
    readonly before: Identity | null;
    readonly nowMs: number;
  },
): Promise<SignedIdentity | undefined> {
  const { socket, name, identity, before, nowMs } = parts;
  const entry = await directory.find(name).catch((error: unknown) => {
    if (error instanceof PortcullisError && error.code === "not-found") return null;
    throw error;
  });
  if (entry === null) return signIdentityStatement({ socket, name, identity, before: null, atMs: nowMs });
  const { history } = entry;
  const current = await verifyDirectoryEntry({ entry: { name, history }, socket, name, pinned: null, nowMs }).catch(
    () => {
      throw new PortcullisError("conflict");
    },
  );
  if (current.fingerprint === identity.fingerprint) return undefined;
  if (current.fingerprint !== before?.fingerprint) throw new PortcullisError("conflict");
  return signIdentityStatement({ socket, name, identity, before, atMs: nowMs });
}

function imported(text: string): Promise<Identity> {
  return importEndToEndIdentity(text).catch(() => {
    throw new PortcullisError("key");
  });
}
