import { createHmac, timingSafeEqual } from "node:crypto";

/** Standard Webhooks (https://www.standardwebhooks.com), symmetric signatures: `v1,` and an HMAC-SHA256 over id, time and body. */

/** A secret as its receiver is given it: `whsec_` and 32 bytes in base64. */
export const secretBytes = 32;
/** The clocks of two who are honest differ by less; an older message is one that was kept. */
const toleranceS = 5 * 60;
/** A header names one signature for each secret of a rotation, and room for schemes to come. */
const signaturesMax = 8;
/** As many as an endpoint ever has: comparing always costs the same. */
export const secretsMax = 2;
const idShape = /^[\x21-\x7e]{1,128}$/;
const timestampShape = /^[0-9]{1,12}$/;

export interface SignedMessage {
  /** The three headers, as they came. */
  readonly id: string;
  readonly timestamp: string;
  readonly signature: string;
  readonly body: Uint8Array;
}

export function formatSecret(secret: Uint8Array): string {
  return `whsec_${Buffer.from(secret).toString("base64")}`;
}

/** @param secrets the current one and, for a while after a rotation, the one before: a receiver takes either */
export function signedHeaders(
  secrets: readonly Uint8Array[],
  { id, body, nowMs }: { readonly id: string; readonly body: string; readonly nowMs: number },
): Record<string, string> {
  const timestamp = `${Math.floor(nowMs / 1_000)}`;
  const tags = secrets.map((secret) => `v1,${tag(secret, id, timestamp, Buffer.from(body)).toString("base64")}`);
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": tags.join(" "),
  };
}

/**
 * Whether the message is signed under one of the secrets, and of now. Without a secret it does the same work under one that nobody
 * has: whether there is anything behind an address cannot be told by the time.
 */
export function isSigned(
  secrets: readonly Uint8Array[],
  decoy: Uint8Array,
  { id, timestamp, signature, body }: SignedMessage,
  nowMs: number,
): boolean {
  const isShaped = idShape.test(id) && timestampShape.test(timestamp);
  const isFresh = isShaped && Math.abs(Math.floor(nowMs / 1_000) - Number(timestamp)) <= toleranceS;
  const given = signature.split(" ").slice(0, signaturesMax).map(bytesOf);
  let matches = false;
  for (let index = 0; index < secretsMax; index += 1) {
    const secret = secrets[index];
    const expected = tag(secret ?? decoy, id, timestamp, body);
    for (const each of given) {
      const isSame = timingSafeEqual(expected, each);
      matches ||= isSame && secret !== undefined;
    }
  }
  return matches && isFresh;
}

function tag(secret: Uint8Array, id: string, timestamp: string, body: Uint8Array): Buffer {
  return createHmac("sha256", secret).update(`${id}.${timestamp}.`).update(body).digest();
}

/** Whatever is no signature of this kind is one that matches nothing. */
function bytesOf(text: string): Uint8Array {
  const bytes = Buffer.from(/^v1,([A-Za-z0-9+/]{43}=)$/.exec(text)?.[1] ?? "", "base64");
  return bytes.length === 32 ? bytes : new Uint8Array(32);
}
