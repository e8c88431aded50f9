import { appKeyPsk, appKeyPskId, chooseSuite, CryptoError, parseAppKey, sealOpen, verifyBundle } from "@portcullis/crypto";
import {
  type Accepted,
  type Challenge,
  type CloseCodeName,
  closeCodes,
  type Hello,
  type OfferedAnswer,
  ProtocolError,
  parseDenied,
  parseHandshakeId,
  parseHello,
  type SuiteId,
} from "@portcullis/protocol";
import { type Channel, createChannel } from "./channel.ts";
import { errorOfClose, errorOfName, ownError, PortcullisError } from "./errors.ts";
import { type ConnectOptions, parametersOf, readOptions, type Settings } from "./options.ts";
import { askApplication, type Reply, type Server } from "./question.ts";
import { createScope, type Scope } from "./scope.ts";
import { beginSession, type Session } from "./session.ts";
import { openWire, type Wire } from "./wire.ts";

/** How long the close may take that a `denied` announces. */
const deniedGraceMs = 2_000;
// On top of what an accepted session may hold: messages can follow `accepted` before it is verified.
const handshakeFramesMax = 64;
const handshakeBytesMax = 128 * 1_024;

/**
 * Walks through the gates of a socket. The server is verified before anything is asked or sent; the promise settles once, and
 * leaves neither timers nor listeners behind when it rejects.
 *
 * @throws {PortcullisError} whatever the server, the network or the person did
 * @throws {TypeError} on arguments that can never work
 */
export async function connect(url: string | URL, options: ConnectOptions = {}): Promise<Session> {
  const settings = readOptions(url, options);
  const scope = createScope(options.signal);
  try {
    scope.failAfter(settings.timeoutMs, new PortcullisError("timeout"));
    return await enter(settings, scope);
  } finally {
    scope.end();
  }
}

interface Credentials {
  /** What HPKE gets; null is Base mode, because the application chose it. */
  readonly psk: { readonly id: string; readonly secret: Uint8Array } | null;
  readonly pin: string | null;
}

async function enter(settings: Settings, scope: Scope): Promise<Session> {
  const credentials = await scope.race(readCredentials(settings.options));
  const { queueMax, queueBytesMax, address, WebSocket } = settings;
  const stopWaiting = scope.failAfter(settings.helloTimeoutMs, new PortcullisError("unreachable"));
  // Whoever aborted while the key was fetched gets no connection.
  await scope.race(null);
  const wire = openWire({
    href: address.href,
    WebSocket,
    framesMax: handshakeFramesMax + queueMax,
    bytesMax: handshakeBytesMax + queueBytesMax,
    onBroken: scope.fail,
  });
  let channel: Channel | null = null;
  try {
    const hello = await readHello(wire, scope);
    stopWaiting();
    const opened = await open(hello, settings, credentials, wire, scope);
    channel = opened.channel;
    const accepted = await converse(opened, settings, wire, scope);
    const secret = await scope.race(channel.finish(accepted));
    return beginSession({ settings, wire, accepted, secret, ...opened, had: channel.had });
  } catch (error) {
    const own = ownError(error);
    const name = closeNameOf(error);
    settings.narrate("up", "close", { code: closeCodes[name].code });
    wire.close(closeCodes[name].code, name);
    throw own;
  } finally {
    channel?.erase();
    credentials.psk?.secret.fill(0);
  }
}

async function readCredentials({ appKey, pin, unpinned }: ConnectOptions): Promise<Credentials> {
  if (appKey === undefined) {
    if (pin === undefined && unpinned !== "allow") throw new PortcullisError("untrusted-server");
    return { psk: null, pin: pin ?? null };
  }
  const text = typeof appKey === "string" ? appKey : await callback(appKey);
  let key: ReturnType<typeof parseAppKey>;
  try {
    key = parseAppKey(text);
  } catch {
    throw new PortcullisError("key");
  }
  if (pin !== undefined && pin !== key.fingerprint) throw new PortcullisError("key");
  const secret = await appKeyPsk(key.secret);
  key.secret.fill(0);
  return { psk: { id: appKeyPskId(key.keyId), secret }, pin: key.fingerprint };
}

async function callback<T>(get: () => T | PromiseLike<T>): Promise<T> {
  try {
    return await get();
  } catch (cause) {
    throw new PortcullisError("cancelled", { cause });
  }
}

async function readHello(wire: Wire, scope: Scope): Promise<Hello> {
  const incoming = await scope.race(wire.next());
  if (incoming.kind === "closed") throw errorOfClose(incoming.code, null, false);
  if (incoming.kind === "binary") throw new ProtocolError("out-of-order", "frame");
  return parseHello(incoming.text);
}

interface Opened {
  readonly channel: Channel;
  readonly server: Server;
  readonly suite: SuiteId;
}

/** Pin, signature and expiry come before anything that concerns the person, the offer included. */
async function open(
  hello: Hello,
  settings: Settings,
  { psk, pin }: Credentials,
  wire: Wire,
  scope: Scope,
): Promise<Opened> {
  const { narrate, options, address } = settings;
  const { edgeId: edge } = parseHandshakeId(hello.hid);
  const verified = await scope.race(verifyBundle({ hello, pinnedFingerprint: pin, nowMs: settings.clock() }));
  const { fingerprint, pinned } = verified;
  narrate("down", "hello", { edge, fingerprint, pinned, suites: Object.keys(verified.bundle.suites).join(" ") });
  const { suite, publicKey } = await scope.race(chooseSuite(verified.bundle.suites, settings.suites));
  const answers = await scope.race(offered(options));
  const payload = { dst: address.dst, ...parametersOf(options), ...(answers.length === 0 ? {} : { answers }) };
  const { frame, handshake } = await scope.race(
    sealOpen({ hello, suite, publicKey, psk, payload }).catch((error: unknown) => {
      // Everything but the offer has been checked before.
      if (error instanceof ProtocolError && error.code === "malformed") throw new TypeError(`Not valid: ${error.field}.`);
      throw error;
    }),
  );
  wire.send(frame);
  narrate("up", "open", { suite, mode: psk === null ? "base" : "psk", answers: answers.length, bytes: frame.length });
  return { channel: await createChannel(handshake), server: { fingerprint, pinned, edge }, suite };
}

async function offered({ offer = [] }: ConnectOptions): Promise<OfferedAnswer[]> {
  const answers = typeof offer === "function" ? await callback(offer) : offer;
  return answers.map(({ gate, value, at }) => (at === undefined ? { gate, value } : { gate, value, at }));
}

type Asked = { readonly reply: Reply | null } | { readonly failed: unknown };

/** Answers challenges until the verdict. Reads on while a person thinks: the verdict may come first. */
async function converse(opened: Opened, settings: Settings, wire: Wire, scope: Scope): Promise<Accepted> {
  const { channel, server } = opened;
  const { narrate, options } = settings;
  let question: { readonly cid: string; readonly asked: Promise<Asked>; readonly stop: AbortController } | null = null;
  /** Somebody's word, not the server's: good for waiting longer, and for nothing else. */
  let hintMs: number | null = null;

  const ask = (challenge: Challenge) => {
    question?.stop.abort();
    const stop = new AbortController();
    const { answers = {}, onChallenge } = options;
    const answering = { answers, onChallenge, server, nowMs: settings.clock(), signal: stop.signal };
    const asked = askApplication(challenge, answering).then(
      (reply): Asked => ({ reply }),
      (failed: unknown): Asked => ({ failed }),
    );
    question = { cid: challenge.cid, asked, stop };
  };
  const reply = async (cid: string, asked: Asked) => {
    const answer = "reply" in asked ? asked.reply : null;
    question = null;
    if (answer !== null) {
      wire.send(await scope.race(channel.say({ t: "answer", cid, ...answer })));
      narrate("up", "answer", { gate: answer.gate, at: answer.at });
      return;
    }
    wire.send(await scope.race(channel.say({ t: "cancel" })));
    narrate("up", "cancel", {});
    throw "failed" in asked ? asked.failed : new PortcullisError("cancelled");
  };

  try {
    for (;;) {
      const current: typeof question = question;
      const event = await scope.race(
        current === null ? wire.next() : Promise.race([wire.next(), (current as { asked: Promise<Asked> }).asked]),
      );
    }
  } finally {
    question?.stop.abort();
  }
}
