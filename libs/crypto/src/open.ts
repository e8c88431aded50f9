import {
  concat,
  encodeOpen,
  encodeOpenPayload,
  type Hello,
  lp,
  type Open,
  type OpenPayload,
  pad,
  type SuiteId,
  unpad,
  utf8,
} from "@portcullis/protocol";
import { MODE_BASE, MODE_PSK } from "hpke";
import { extract, H, L } from "./derive.ts";
import { CryptoError } from "./errors.ts";
import { hpkeSuite, type KemPrivateKey } from "./suites.ts";

/** What both sides have after `open`; erased when the handshake has its verdict. */
export interface HandshakeSecrets {
  /** Transcript hash of hello and open; not secret. */
  readonly th: Uint8Array;
  /** Pseudorandom key, 32 bytes. */
  readonly prk: Uint8Array;
}

/** The pre-shared key of an app key: `id` is `k:<keyId>`, `secret` Exp(K, "psk"). */
export interface Psk {
  readonly id: string;
  readonly secret: Uint8Array;
}

const pskBytes = 32;
const exportLabel = "session";

/** H0: the hello as received, each part length-prefixed. */
export function helloHash(hello: Hello): Promise<Uint8Array> {
  return H(L("h0"), lp(hello.bundle), lp(hello.sig), lp(utf8(hello.hid)), lp(hello.nonce));
}

/** TH: everything that was said in the clear. */
function transcriptHash(h0: Uint8Array, open: Open): Promise<Uint8Array> {
  return H(L("th"), h0, lp(utf8(open.suite)), lp(utf8(open.psk)), lp(open.enc), lp(open.box));
}

/** The library takes an absent or empty PSK for Base mode without a word, which would drop the proof of the key. */
function pskOptions(id: string, secret: Uint8Array | null): { psk?: Uint8Array; pskId?: Uint8Array } {
  if (id === "" && secret === null) return {};
  if (id === "" || secret === null || secret.length !== pskBytes) throw new CryptoError("psk");
  return { psk: secret, pskId: utf8(id) };
}

function assertMode(mode: number, psk: string): void {
  if (mode !== (psk === "" ? MODE_BASE : MODE_PSK)) throw new CryptoError("psk");
}

async function secretsOf(
  h0: Uint8Array,
  open: Open,
  context: { Export(context: Uint8Array, length: number): Promise<Uint8Array> },
): Promise<HandshakeSecrets> {
  const th = await transcriptHash(h0, open);
  return { th, prk: await extract(th, await context.Export(L(exportLabel), 32)) };
}

/**
 * The client's side of `open`.
 *
 * @param options.publicKey KEM public key from a bundle that `verifyBundle` let through.
 * @param options.psk null is Base mode: a choice, never a fallback.
 * @returns the text frame and what it was made of.
 * @throws {CryptoError} `psk`, `key` (a public key that the suite refuses)
 * @throws {ProtocolError} on a payload or PSK id that no server would take
 */
export async function sealOpen(options: {
  readonly hello: Hello;
  readonly suite: SuiteId;
  readonly publicKey: Uint8Array;
  readonly psk: Psk | null;
  readonly payload: OpenPayload;
}): Promise<{ readonly frame: string; readonly open: Open; readonly handshake: HandshakeSecrets }> {
  const { hello, suite: id, publicKey, psk, payload } = options;
  if (psk !== null && psk.id === "") throw new CryptoError("psk");
  const pskId = psk?.id ?? "";
  const keys = pskOptions(pskId, psk?.secret ?? null);
  const padded = pad(encodeOpenPayload(payload));
  const h0 = await helloHash(hello);
  const suite = await hpkeSuite(id);
  let sender: Awaited<ReturnType<typeof suite.SetupSender>>;
  try {
    const recipient = await suite.DeserializePublicKey(publicKey);
    sender = await suite.SetupSender(recipient, { info: concat(L("open"), h0), ...keys });
  } catch {
    throw new CryptoError("key");
  }
  assertMode(sender.ctx.mode, pskId);
  const open: Open = { suite: id, enc: sender.encapsulatedSecret, psk: pskId, box: await sender.ctx.Seal(padded) };
  return { frame: encodeOpen(open), open, handshake: await secretsOf(h0, open, sender.ctx) };
}

/**
 * The server's side. Opening under the PSK is the proof of the app key.
 *
 * @param options.h0 `helloHash` of the hello that this connection was sent.
 * @param options.psk Exp(K, "psk") of the key that `open.psk` names; null exactly where it names none.
 * @returns the payload's JSON bytes, unpadded, not yet parsed.
 * @throws {CryptoError} `box`, always the same
 */
export async function openBox(options: {
  readonly h0: Uint8Array;
  readonly privateKey: KemPrivateKey;
  readonly open: Open;
  readonly psk: Uint8Array | null;
}): Promise<{ readonly payload: Uint8Array; readonly handshake: HandshakeSecrets }> {
  const { h0, privateKey, open, psk } = options;
  try {
    if (privateKey.suite !== open.suite) throw new CryptoError("suite");
    const keys = pskOptions(open.psk, psk);
    const context = await privateKey.hpke.SetupRecipient(privateKey.pair, open.enc, {
      info: concat(L("open"), h0),
      ...keys,
    });
    assertMode(context.mode, open.psk);
    const payload = unpad(await context.Open(open.box));
    return { payload, handshake: await secretsOf(h0, open, context) };
  } catch {
    throw new CryptoError("box");
  }
}
