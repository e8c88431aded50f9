import { createHmac } from "node:crypto";

export interface Authenticator {
  /** The code that a phone shows at this moment (epoch ms). */
  code(nowMs: number): string;
}

const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const secrets = new WeakMap<Authenticator, Uint8Array>();

/** What a phone does with the QR code's text: RFC 6238 from the key URI alone, sharing no code with the server. */
export function scan(uri: string): Authenticator {
  const { protocol, host, searchParams } = new URL(uri);
  if (protocol !== "otpauth:" || host !== "totp") throw new Error("not a key URI for time-based codes");
  const digits = Number(searchParams.get("digits") ?? 6);
  const periodMs = Number(searchParams.get("period") ?? 30) * 1000;
  const algorithm = (searchParams.get("algorithm") ?? "SHA1").toLowerCase();
  const key = decode(searchParams.get("secret") ?? "");
  const app: Authenticator = {
    code(nowMs) {
      const counter = Buffer.alloc(8);
      counter.writeBigUInt64BE(BigInt(Math.floor(nowMs / periodMs)));
      const mac = createHmac(algorithm, key).update(counter).digest();
      const offset = (mac.at(-1) ?? 0) & 15;
      return String((mac.readUInt32BE(offset) & 0x7fffffff) % 10 ** digits).padStart(digits, "0");
    },
  };
  secrets.set(app, key);
  return app;
}

/** For searching it where it must not be. */
export function secretOf(app: Authenticator): Uint8Array {
  return secrets.get(app) ?? new Uint8Array();
}

function decode(text: string): Buffer {
  let bits = "";
  for (const letter of text.replaceAll("=", "").toUpperCase())
    bits += base32.indexOf(letter).toString(2).padStart(5, "0");
  return Buffer.from((bits.match(/[01]{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}
