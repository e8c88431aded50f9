import { createCipheriv } from "node:crypto";
import {
  appKeyPsk,
  appKeyPskId,
  expand,
  handshakeKeys,
  openRecord,
  type Psk,
  parseAppKey,
  sealOpen,
  sealRecord,
} from "@portcullis/crypto";
import {
  encodeMessageUp,
  encodeRecordHeader,
  type Hello,
  type OpenPayload,
  parseBundle,
  parseServerPlaintext,
  type ServerPlaintext,
  type SuiteId,
  utf8,
} from "@portcullis/protocol";
import { type Attacker, dial } from "./attacker.ts";

/** The address that a URL of the form `ws://host/label/path?query` means. */
export function destinationIn(url: string): OpenPayload["dst"] {
  const { pathname, search, searchParams } = new URL(url);
  const [label = "", ...path] = pathname.slice(1).split("/");
  return { label, path: path.join("/"), query: search.slice(1), id: searchParams.get("id") };
}

export async function pskOf(appKey: string): Promise<Psk> {
  const { keyId, secret } = parseAppKey(appKey);
  return { id: appKeyPskId(keyId), secret: await appKeyPsk(secret) };
}

export interface OpenOptions {
  /** Null: Base mode. */
  readonly appKey: string | null;
  readonly dst: OpenPayload["dst"];
  readonly answers?: OpenPayload["answers"];
  readonly ticket?: string;
  readonly suite?: SuiteId;
  /** The address from which a trusted proxy says that it comes. */
  readonly from?: string;
}

/** What an honest client would send as `open`, made by hand. */
export async function makeOpen(hello: Hello, { appKey, dst, answers, ticket, suite = "0020" }: OpenOptions) {
  const publicKey = parseBundle(hello.bundle).suites[suite];
  if (publicKey === undefined) throw new Error(`the server does not offer ${suite}`);
  const psk = appKey === null ? null : await pskOf(appKey);
  const payload = { dst, ...(answers === undefined ? {} : { answers }), ...(ticket === undefined ? {} : { ticket }) };
  return sealOpen({ hello, suite, publicKey, psk, payload });
}

export interface RecordChoices {
  readonly counter?: number;
  readonly generation?: number;
  readonly type?: 0x10 | 0x20;
}

export interface Knock extends Attacker {
  readonly openFrame: string;
  /** Transcript hash of this connection, which proofs are bound to. */
  readonly th: Uint8Array;
  /** Of which all keys of this connection are made. */
  readonly prk: Uint8Array;
  /** Seals whatever it is given, under the right key and by default the next counter. */
  seal(plaintext: unknown, choices?: RecordChoices): Promise<Uint8Array>;
  /** The same for bytes that are padded already, or not. */
  sealPadded(padded: Uint8Array): Promise<Uint8Array>;
  say(plaintext: unknown, choices?: RecordChoices): Promise<void>;
  /** A record that came, opened. */
  read(record: Uint8Array): Promise<ServerPlaintext>;
  /** The next frame, opened. Null when the connection is closed. */
  hear(): Promise<ServerPlaintext | null>;
  /** The next frame, which has to be a challenge. */
  challenge(): Promise<Extract<ServerPlaintext, { t: "challenge" }>>;
}

/** Through hello and `open`, as somebody who knows `appKey`. */
export async function knock(
  url: string,
  { dst = destinationIn(url), ...options }: Omit<OpenOptions, "dst"> & { readonly dst?: OpenPayload["dst"] },
): Promise<Knock> {
  const { from } = options;
  const attacker = await dial(url, from === undefined ? {} : { headers: { "x-forwarded-for": from } });
  const hello = await attacker.hello();
  const { frame, handshake } = await makeOpen(hello, { ...options, dst });
  const { client, server } = await handshakeKeys(handshake.prk);
  let next = 0;
  attacker.send(frame);

  const own: Knock = {
    ...attacker,
    openFrame: frame,
    th: handshake.th,
    prk: handshake.prk,
    async seal(plaintext, { counter = next, generation = 0, type = 0x10 } = {}) {
      next = counter + 1;
      const bytes = plaintext instanceof Uint8Array ? plaintext : utf8(JSON.stringify(plaintext));
      return sealRecord({ type, generation, counter, secret: client, plaintext: bytes });
    },
    async sealPadded(padded) {
      const header = encodeRecordHeader({ type: 0x10, generation: 0, counter: next });
      const nonce = Buffer.alloc(12);
      nonce.writeUInt32BE(next, 8);
      const cipher = createCipheriv("aes-256-gcm", await expand(client, "key"), nonce).setAAD(header);
      return Buffer.concat([header, cipher.update(padded), cipher.final(), cipher.getAuthTag()]);
    },
    say: async (plaintext, choices) => attacker.send(await own.seal(plaintext, choices)),
    read: async (record) => parseServerPlaintext(await openRecord({ secret: server, record })),
    async hear() {
      const received = await attacker.next();
      if (received === null) return null;
      if (typeof received === "string") throw new Error("a text frame came");
      return own.read(received);
    },
    async challenge() {
      const plaintext = await own.hear();
      if (plaintext?.t !== "challenge") throw new Error(`not a challenge: ${plaintext?.t ?? "closed"}`);
      return plaintext;
    },
  };
  return own;
}

export const message = (counter: number, body: string | Uint8Array): Uint8Array =>
  encodeMessageUp({ counter, body: typeof body === "string" ? utf8(body) : body });
