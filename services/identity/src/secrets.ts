import { createHash, createHmac } from "node:crypto";

/**
 * High-entropy secrets that somebody presents (cookies, API tokens, bootstrap): 256 random bits, kept only as SHA-256. A slow
 * hash would add nothing: there is nothing to guess.
 */
export function hashOf(secret: string): string {
  return createHash("sha256").update(secret, "utf8").digest("base64url");
}

/** Makes a value findable without storing it: the same text under the same key gives the same tag. */
export function tagOf(key: Uint8Array, text: string): string {
  return createHmac("sha256", key).update(text, "utf8").digest("base64url");
}

export function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

export function fromText(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64url"));
}
