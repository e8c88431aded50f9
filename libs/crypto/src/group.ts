import {
  concat,
  encodeGroupHeader,
  type GroupHeader,
  type GroupRecord,
  groupWriterBytes,
  lp,
  pad,
  unpad,
  utf8,
} from "@portcullis/protocol";
import { expand } from "./derive.ts";
import { CryptoError } from "./errors.ts";
import { type Identity, sign, verify } from "./identity.ts";
import { aeadKey, nonceOf } from "./record.ts";

/** What everybody on a socket shares in one epoch. */
export interface GroupSecret {
  /** Id of the socket: a record of one is nothing on another. */
  readonly socketId: string;
  /** G of the record's step, 32 bytes. */
  readonly secret: Uint8Array;
}

/**
 * G(e, s) so many steps on: a new key, from which nothing leads back.
 *
 * @param secret left as it is
 */
export async function groupStepsOn(secret: Uint8Array, steps: number): Promise<Uint8Array> {
  let on: Uint8Array = secret.slice();
  for (let taken = 0; taken < steps; taken += 1) {
    const next = await expand(on, "step");
    on.fill(0);
    on = next;
  }
  return on;
}

/** Exp(G, "g", lp(socketId) ‖ type, epoch, step and writer): writers that share G never share a key. */
async function recordKey({ socketId, secret }: GroupSecret, header: Uint8Array, usage: "encrypt" | "decrypt") {
  const context = concat(lp(utf8(socketId)), header.subarray(0, groupWriterBytes));
  return aeadKey(await expand(secret, "g", context), usage);
}

function signed({ socketId }: Pick<GroupSecret, "socketId">, header: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  return concat(lp(utf8(socketId)), header, ciphertext);
}

/**
 * Seals once for everybody, and signs: whoever holds G can open, and must not be able to forge. Stateless: the caller owns the
 * writer and its counter.
 *
 * @param options.signing of the epoch.
 * @returns the binary frame
 */
export async function sealGroupRecord(
  options: GroupSecret & GroupHeader & { readonly signing: Identity; readonly plaintext: Uint8Array },
): Promise<Uint8Array> {
  const header = encodeGroupHeader(options);
  const key = await recordKey(options, header, "encrypt");
  const parameters = { name: "AES-GCM", iv: concat(nonceOf(options.counter)), additionalData: concat(header) };
  const ciphertext = new Uint8Array(await crypto.subtle.encrypt(parameters, key, concat(pad(options.plaintext))));
  const signature = await sign(options.signing, "group", signed(options, header, ciphertext));
  return concat(header, ciphertext, signature);
}

/**
 * @param options.secret G of the record's step, or a function that derives it: asked only once the signature is right, since it may take a thousand steps to get there
 * @param options.verifyKey raw Ed25519 key of the epoch.
 * @throws {CryptoError} `record`, whatever is wrong inside
 */
export async function openGroupRecord(options: {
  readonly socketId: string;
  readonly secret: Uint8Array | (() => Promise<Uint8Array>);
  readonly verifyKey: Uint8Array;
  readonly record: GroupRecord;
}): Promise<Uint8Array> {
  const { socketId, secret: given, verifyKey, record } = options;
  const { header, ciphertext, signature } = record;
  if (!(await verify(verifyKey, "group", signed(options, header, ciphertext), signature)))
    throw new CryptoError("record");
  try {
    const secret = typeof given === "function" ? await given() : given;
    const key = await recordKey({ socketId, secret }, header, "decrypt");
    const parameters = { name: "AES-GCM", iv: concat(nonceOf(record.counter)), additionalData: concat(header) };
    return unpad(new Uint8Array(await crypto.subtle.decrypt(parameters, key, concat(ciphertext))));
  } catch {
    throw new CryptoError("record");
  }
}
