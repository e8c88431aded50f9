import { createHmac } from "node:crypto";

export interface Authenticator {
  /** The code that a phone shows at this moment (epoch ms). */
  code(nowMs: number): string;
  /** When the next code appears: the start of the next time step, epoch ms. */
  nextStepMs(nowMs: number): number;
  /** As scanned: who reads the recording must not find it. */
  readonly secret: { readonly bytes: Buffer; readonly text: string };
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** What a phone does with the text of a QR code: RFC 6238 from the key URI alone, sharing no code with the server. */
export function scan(uri: string): Authenticator {
  const { protocol, host, searchParams } = new URL(uri);
  if (protocol !== "otpauth:" || host !== "totp") throw new Error("not a key URI for time-based codes");
  const digits = Number(searchParams.get("digits") ?? 6);
  const periodMs = Number(searchParams.get("period") ?? 30) * 1000;
  const algorithm = (searchParams.get("algorithm") ?? "SHA1").toLowerCase();
  const text = searchParams.get("secret") ?? "";
  const bytes = fromBase32(text);
  return {
    secret: { bytes, text },
    nextStepMs: (nowMs) => (Math.floor(nowMs / periodMs) + 1) * periodMs,
    code(nowMs) {
      const counter = Buffer.alloc(8);
      counter.writeBigUInt64BE(BigInt(Math.floor(nowMs / periodMs)));
      const mac = createHmac(algorithm, bytes).update(counter).digest();
      // RFC 4226 section 5.3: the last four bits say where the number is cut out.
      const offset = (mac.at(-1) ?? 0) & 15;
      return String((mac.readUInt32BE(offset) & 0x7fffffff) % 10 ** digits).padStart(digits, "0");
    },
  };
}

/** RFC 4648 section 6. */
function fromBase32(text: string): Buffer {
  const bits = Array.from(text.replaceAll("=", "").toUpperCase(), (letter) => {
    const value = alphabet.indexOf(letter);
    if (value === -1) throw new Error("the secret of the key URI is not base32");
    return value.toString(2).padStart(5, "0");
  }).join("");
  const bytes = Buffer.from((bits.match(/[01]{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  if (bytes.length === 0) throw new Error("the key URI has no secret");
  return bytes;
}
