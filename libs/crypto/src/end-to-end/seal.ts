import {
  base64url,
  concat,
  encodeContent,
  encodeSealedHeader,
  equalBytes,
  lp,
  pad,
  parseContent,
  type ReplyKey,
  type SealedBody,
  type SealedContent,
  type SuiteId,
  unpad,
  utf8,
} from "@portcullis/protocol";
import { L } from "../derive.ts";
import { CryptoError } from "../errors.ts";
import { type Identity, sign, verify } from "../identity.ts";
import { hpkeSuite, type KemPrivateKey } from "../suites.ts";

/** Where something is said: moved to another socket or session, it does not open, and its signature is wrong. */
export interface SealedPlace {
  /** Label of the socket's address. */
  readonly socket: string;
  /** The sender's session. */
  readonly sid: string;
}

export interface SealedTo {
  /** Fingerprint of the recipient's identity. */
  readonly fingerprint: string;
  readonly keyId: Uint8Array;
  readonly suite: SuiteId;
  readonly publicKey: Uint8Array;
}

function placeOf({ socket, sid }: SealedPlace): Uint8Array {
  return concat(lp(utf8(socket)), lp(utf8(sid)));
}

/** L("e2e") ‖ lp(socket) ‖ lp(sid) ‖ recipient: a key that somebody publishes as theirs, too, opens nothing that was for another. */
function infoOf(place: SealedPlace, recipient: Uint8Array): Uint8Array {
  return concat(L("e2e"), placeOf(place), recipient);
}

/** lp(socket) ‖ lp(sid) ‖ header ‖ content. The header names the recipient: who opened it cannot seal it to somebody else as if the sender had. */
function signedOf(place: SealedPlace, header: Uint8Array, content: Uint8Array): Uint8Array {
  return concat(placeOf(place), header, content);
}

/**
 * @param options.messageId 16 random bytes
 * @returns the body of a message. @throws {CryptoError} `key`: a public key that the suite refuses
 */
export async function sealBody(
  options: SealedPlace & {
    readonly to: SealedTo;
    readonly sender: Identity;
    readonly messageId: Uint8Array;
    readonly seq: number;
    readonly reply: ReplyKey | null;
    readonly body: Uint8Array;
  },
): Promise<Uint8Array> {
  const { to, sender, messageId, seq, reply, body } = options;
  const recipient = base64url.decode(to.fingerprint);
  const header = encodeSealedHeader({ recipient, keyId: to.keyId, suite: to.suite });
  const content = encodeContent({ sender: sender.publicKey, messageId, seq, reply, body });
  const signature = await sign(sender, "e2e", signedOf(options, header, content));
  const suite = await hpkeSuite(to.suite);
  try {
    const publicKey = await suite.DeserializePublicKey(to.publicKey);
    const { ctx, encapsulatedSecret } = await suite.SetupSender(publicKey, { info: infoOf(options, recipient) });
    return concat(header, encapsulatedSecret, await ctx.Seal(pad(concat(content, signature)), header));
  } catch {
    throw new CryptoError("key");
  }
}

/**
 * Opens and checks the signature. Who the sender is, and whether they have said it before, is the caller's to judge.
 *
 * @param options.recipient our fingerprint
 * @throws {CryptoError} `box`, whatever is wrong
 */
export async function openBody(
  options: SealedPlace & {
    readonly body: SealedBody;
    readonly recipient: string;
    readonly privateKey: KemPrivateKey;
  },
): Promise<SealedContent> {
  const { body, privateKey } = options;
  const { header, enc, box } = body;
  try {
    const recipient = base64url.decode(options.recipient);
    if (!equalBytes(recipient, body.recipient)) throw new CryptoError("key");
    if (privateKey.suite !== body.suite) throw new CryptoError("suite");
    const context = await privateKey.hpke.SetupRecipient(privateKey.pair, enc, { info: infoOf(options, recipient) });
    const content = parseContent(unpad(await context.Open(box, header)));
    const said = signedOf(options, header, content.signed);
    if (!(await verify(content.sender, "e2e", said, content.signature))) throw new CryptoError("signature");
    return content;
  } catch {
    throw new CryptoError("box");
  }
}
