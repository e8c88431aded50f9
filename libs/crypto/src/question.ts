import { base64url, concat, equalBytes, lp, utf8 } from "@portcullis/protocol";
import { expand, H, L } from "./derive.ts";
import { CryptoError } from "./errors.ts";

const shape = /^pa1\.([A-Za-z0-9_-]{43})$/;

/** A member's answer secret (32 bytes) as it is shown, once. */
export function formatAnswerSecret(secret: Uint8Array): string {
  return `pa1.${base64url.encode(secret)}`;
}

/** @throws {CryptoError} `key`; the error does not repeat the text. */
export function parseAnswerSecret(text: string): Uint8Array {
  const secret = shape.exec(text)?.[1];
  if (secret === undefined) throw new CryptoError("key");
  try {
    return base64url.decode(secret);
  } catch {
    throw new CryptoError("key");
  }
}

/** What is answered to a question, and everything that the answer is bound to. */
export interface AnswerProof {
  readonly secret: Uint8Array;
  /** Of the connection on which the answer is given. */
  readonly th: Uint8Array;
  /** Of the challenge. */
  readonly cid: string;
  readonly statement: string;
  readonly choice: string;
}

/**
 * HMAC(Exp(secret, "q"), L("question") ‖ TH ‖ lp(cid) ‖ H(statement) ‖ lp(choice)), base64url: good for this challenge on this
 * connection and for nothing else.
 */
export async function answerProof({ secret, th, cid, statement, choice }: AnswerProof): Promise<string> {
  const key = await expand(secret, "q");
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", concat(key), hmac, false, ["sign"]);
  key.fill(0);
  const said = concat(L("question"), th, lp(utf8(cid)), await H(utf8(statement)), lp(utf8(choice)));
  return base64url.encode(new Uint8Array(await crypto.subtle.sign("HMAC", imported, concat(said))));
}

/** In constant time. False for what is no proof at all. */
export async function isAnswerProof(proof: AnswerProof, received: string): Promise<boolean> {
  return equalBytes(utf8(await answerProof(proof)), utf8(received));
}
