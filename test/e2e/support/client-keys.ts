import type { webcrypto } from "node:crypto";
import { vi } from "vitest";
import type { Canaries } from "./canaries.ts";

/**
 * Plants every key that clients of this process use or derive, app keys, secrets of handshakes, sessions and groups among them, however deep in the
 * SDK it is: all of them go through WebCrypto. Nothing else in this process may: services are processes of their own.
 *
 * A key is named after what is derived from it or by it: `key of "c hs"` is the PRK, `"c hs"` is hs_c (`docs/protocol.md` section 8). What is not
 * derived by a label of the protocol is named after its algorithm.
 */
export function plantClientKeys(canaries: Canaries): void {
  const { subtle } = crypto;
  const real = {
    importKey: subtle.importKey.bind(subtle),
    sign: subtle.sign.bind(subtle),
    deriveBits: subtle.deriveBits.bind(subtle),
  };
  const known = new Set<string>();
  const raw = new WeakMap<webcrypto.CryptoKey, Uint8Array>();

  function plant(name: string, bytes: Uint8Array): void {
    const hex = Buffer.from(bytes).toString("hex");
    // A salt that is absent is zeros.
    if (known.has(hex) || /^0*$/.test(hex)) return;
    known.add(hex);
    canaries.plant(`${name} #${known.size}`, bytes);
  }

  vi.spyOn(subtle, "importKey").mockImplementation(async (...given: Parameters<typeof subtle.importKey>) => {
    const imported = await real.importKey(...given);
    const [format, data] = given;
    // A public key is no secret; and what is derived from a key says better what it is.
    if (imported.type !== "public" && isBytes(data)) {
      // PKCS #8 of these curves ends in the key (RFC 8410 section 7).
      const bytes = format === "pkcs8" ? copyOf(data).slice(-32) : copyOf(data);
      raw.set(imported, bytes);
      if (imported.algorithm.name !== "HMAC") plant(imported.algorithm.name, bytes);
    }
    return imported;
  });
  vi.spyOn(subtle, "sign").mockImplementation(async (algorithm, key, data) => {
    const made = await real.sign(algorithm, key, data);
    const secret = raw.get(key);
    if (key.algorithm.name !== "HMAC" || secret === undefined) return made;
    const label = /portcullis\/1 ([^\0]+)\0/.exec(Buffer.from(copyOf(data)).toString("latin1"))?.[1] ?? null;
    if (label !== null && !publicByLabel.has(label)) plant(`"${label}"`, new Uint8Array(made));
    plant(label === null ? "HMAC" : `key of "${label}"`, secret);
    return made;
  });
  vi.spyOn(subtle, "deriveBits").mockImplementation(async (...given: Parameters<typeof subtle.deriveBits>) => {
    const bits = await real.deriveBits(...given);
    plant("shared secret", new Uint8Array(bits));
    return bits;
  });
}

/** A transcript hash (`docs/protocol.md` section 8), and what proves one. */
const publicByLabel: ReadonlySet<string> = new Set(["stepup"]);

type Bytes = ArrayBuffer | ArrayBufferView;
const isBytes = (data: unknown): data is Bytes => data instanceof ArrayBuffer || ArrayBuffer.isView(data);

/** Whoever gave it erases it soon. */
function copyOf(data: Bytes): Uint8Array {
  const view = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : data;
  return new Uint8Array(view).slice();
}
