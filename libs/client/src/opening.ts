import {
  appKeyPsk,
  appKeyPskId,
  chooseSuite,
  formatAppKey,
  parseAppKey,
  randomart,
  sealOpen,
  verifyBundle,
} from "@portcullis/crypto";
import { type Hello, ProtocolError, parseHandshakeId, parseHello, type SuiteId } from "@portcullis/protocol";
import { type Channel, createChannel } from "./channel.ts";
import { blameApplication, errorOfClose, ofCallback, PortcullisError } from "./errors.ts";
import { createOffers, type Offers } from "./offers.ts";
import { onDemand } from "./on-demand.ts";
import { type ConnectOptions, parametersOf, type Settings } from "./options.ts";
import type { Known } from "./prompts/prompt.ts";
import type { Server } from "./question.ts";
import type { Scope } from "./scope.ts";
import { openWire, type Wire } from "./wire.ts";

// Beside what an accepted session may hold: messages can follow `accepted` before it has been verified.
const handshakeFramesMax = 64;
const handshakeBytesMax = 128 * 1_024;

const ticketShape = /^pt1\.[A-Za-z0-9_-]{43}$/;

export interface Credentials {
  /** What HPKE gets, erased after use; null is Base mode, because the application chose it. */
  readonly psk: { readonly id: string; readonly secret: Uint8Array } | null;
  readonly pin: string | null;
}

/** @throws {PortcullisError} `untrusted-server` where nothing would say whose server it is, and the application did not allow that. */
export async function readCredentials({ appKey, pin, ticket, unpinned }: ConnectOptions): Promise<Credentials> {
  if (typeof ticket === "string") await readTicket(ticket);
  if (appKey === undefined) {
    if (pin === undefined && (ticket !== undefined || unpinned !== "allow"))
      throw new PortcullisError("untrusted-server", {
        message: "Nothing vouches for the server: give appKey or pin.",
      });
    return { psk: null, pin: pin ?? null };
  }
  const key = keyOf(typeof appKey === "string" ? appKey : await callback(appKey));
  if (pin !== undefined && pin !== key.fingerprint) throw new PortcullisError("key");
  const secret = await appKeyPsk(key.secret);
  key.secret.fill(0);
  return { psk: { id: appKeyPskId(key.keyId), secret }, pin: key.fingerprint };
}

function keyOf(text: string): ReturnType<typeof parseAppKey> {
  try {
    return parseAppKey(text);
  } catch {
    throw new PortcullisError("key");
  }
}

/**
 * The app key with another pin, for who was led to a key that followed the pinned one (`server.successorOf`).
 *
 * @throws {PortcullisError} `key`
 */
export function withPin(appKey: string, fingerprint: string): string {
  const moved = formatAppKey({ ...keyOf(appKey), fingerprint });
  keyOf(moved);
  return moved;
}

export interface Opened {
  readonly channel: Channel;
  readonly server: Server & Known;
  /** By which that server was verified. */
  readonly idKey: Uint8Array;
  readonly suite: SuiteId;
  /** What is left of them; null after a comeback. */
  readonly offers: Offers | null;
  /** Id of this connection. */
  readonly hid: string;
}

/** @throws {PortcullisError} `unreachable` where the platform does not even try */
export function dial({ address, WebSocket, queueMax, queueBytesMax }: Settings, scope: Scope): Wire {
  return openWire({
    href: address.href,
    WebSocket,
    framesMax: handshakeFramesMax + queueMax,
    bytesMax: handshakeBytesMax + queueBytesMax,
    onBroken: scope.fail,
  });
}

/** Pin, signature and expiry come before anything that concerns the person, the offer included. */
export async function open(parts: {
  readonly credentials: Credentials;
  readonly settings: Settings;
  readonly wire: Wire;
  readonly scope: Scope;
  /** A handshake or a session goes on: nothing is offered a second time. Of a session, the counter of its next message. */
  readonly goesOn: { readonly next?: number } | null;
}): Promise<Opened> {
  const { credentials, settings, wire, scope, goesOn } = parts;
  const { narrate, options, address, helloTimeoutMs } = settings;
  const waitNoLonger = scope.failAfter(helloTimeoutMs, new PortcullisError("unreachable"));
  const words = wordList();
  const hello = await scope.race(readHello(wire));
  waitNoLonger();

  const pinnedFingerprint = credentials.pin;
  const verified = await scope.race(verifyBundle({ hello, pinnedFingerprint, nowMs: settings.clock() }));
  const { fingerprint, pinned, bundle, successorOf } = verified;
  const { edgeId: edge } = parseHandshakeId(hello.hid);
  narrate("down", "hello", { edge, fingerprint, pinned, suites: Object.keys(bundle.suites).join(" ") });

  const { suite, publicKey } = await scope.race(chooseSuite(bundle.suites, settings.suites));
  const { fingerprintWords } = await scope.race(words);
  const server = serverOf({ fingerprint, pinned, successorOf, edge }, fingerprintWords);
  options.onServer?.(server);
  const offers = goesOn !== null ? null : createOffers(options.offer, server);
  if (offers !== null) scope.atEnd(offers.stop);
  const answers = (offers === null ? null : await scope.race(offers.next())) ?? [];
  const { psk } = credentials;
  const { ticket } = options;
  const isFresh = goesOn === null && ticket !== undefined;
  const presented = isFresh ? await scope.race(readTicket(ticket)) : null;
  const payload = {
    dst: address.dst,
    ...parametersOf(options),
    ...(answers.length === 0 ? {} : { answers }),
    ...(presented === null ? {} : { ticket: presented }),
    ...(goesOn?.next === undefined ? {} : { resume: { next: goesOn.next } }),
  };
  // All but the offer was checked when the options were read.
  const sealing = sealOpen({ hello, suite, publicKey, psk, payload }).catch(blameApplication);
  const { frame, handshake } = await scope.race(sealing);
  wire.send(frame);
  narrate("up", "open", { suite, mode: psk === null ? "base" : "psk", answers: answers.length, bytes: frame.length });
  return { channel: await createChannel(handshake), server, idKey: bundle.idKey, suite, offers, hid: hello.hid };
}

/** @throws {PortcullisError} `ticket`: what the application got is none; never repeated. */
async function readTicket(ticket: NonNullable<ConnectOptions["ticket"]>): Promise<string> {
  const text = typeof ticket === "string" ? ticket : await callback(ticket);
  if (typeof text !== "string" || !ticketShape.test(text)) throw new PortcullisError("ticket");
  return text;
}

/** A seventh of this library, and not needed before there is a server to name: it comes while that is dialled. */
function wordList() {
  const list = onDemand(() => import("@portcullis/crypto/words"));
  // Where the server is not there either, that is what is told.
  list.catch(() => {});
  return list;
}

function serverOf(
  verified: Pick<Server, "fingerprint" | "pinned" | "successorOf" | "edge">,
  fingerprintWords: (fingerprint: string) => string,
): Server & Known {
  const { fingerprint, successorOf } = verified;
  const words = fingerprintWords(fingerprint);
  const allWords = successorOf === null ? [words] : [words, fingerprintWords(successorOf)];
  return { ...verified, words, allWords, randomart: randomart(fingerprint) };
}

async function readHello(wire: Wire): Promise<Hello> {
  const incoming = await wire.next();
  if (incoming.kind === "closed") throw errorOfClose(incoming.code, null, false);
  if (incoming.kind === "binary") throw new ProtocolError("out-of-order", "frame");
  return parseHello(incoming.text);
}

async function callback<T>(get: () => T | PromiseLike<T>): Promise<T> {
  try {
    return await get();
  } catch (thrown) {
    // What it is to fetch may be there then.
    throw ofCallback(thrown, true);
  }
}
