import { encapsulate } from "node:crypto";
import { concat, encodeOpenPayload, type Open, type OpenPayload, type SuiteId } from "@portcullis/protocol";
import { describe, expect, it, vi } from "vitest";
import * as ref from "../../../test/vectors/reference.ts";
import {
  expand,
  generateIdentity,
  generateKemKeyPair,
  helloHash,
  openBox,
  sealOpen,
  sign,
  signBundle,
  verify,
} from "../src/mod.ts";
import { HKDF_SHA256 } from "../src/native/hkdf.ts";
import { publicFrom } from "../src/native/key.ts";
import { nativeSuites } from "../src/native/mod.ts";
import { alterations, expectRefused, hex, readVectors } from "./support.ts";

const wycheproof = readVectors("wycheproof.json");
const none = new Uint8Array();
const payload: OpenPayload = { dst: { label: "app", path: "p", query: "", id: null } };
/** Every encoding of a point of low order, the ones that are not canonical among them. */
const lowOrder: Uint8Array[] = wycheproof.x25519
  .filter(({ flags }: { flags: string[] }) => flags.includes("ZeroSharedSecret"))
  .map((each: { public: string }) => hex(each.public));

async function helloWith(suites: Partial<Record<SuiteId, Uint8Array>> = { "0020": new Uint8Array(32) }) {
  const { identity } = await generateIdentity();
  const { bundle, sig } = await signBundle(identity, { kid: "k", suites, exp: 1 });
  return { bundle, sig, hid: "e.aaaaaaaaaaaaaaaaaaaaaa", nonce: new Uint8Array(32) };
}

/**
 * RFC 9180 section 7.1.4: with a point of low order the Diffie-Hellman result is zeros, whoever's key it is with. Whoever sealed like this has sealed to
 * nobody, and whoever recorded it opens it without any key of the server's. Everything else about these boxes is right, so that nothing but the check refuses them.
 */
describe.each(["0020", "647a"] as const)(
  "a box that is sealed right, to a point that makes the secret everybody's: %s",
  (id) => {
    const kem = { "0020": 0x0020, "647a": 0x647a }[id];
    const zeros = new Uint8Array(32);

    /** The secret that follows from zeros in the place of the Diffie-Hellman result. */
    function encapsulated(point: Uint8Array, dh: Uint8Array, publicKey: Uint8Array) {
      if (id === "0020") return { enc: point, shared: ref.dhkem(dh, point, publicKey) };
      const { sharedKey, ciphertext } = encapsulate(publicFrom("ml-kem-768", publicKey.subarray(0, 1184)));
      const enc = concat(new Uint8Array(ciphertext), point);
      return { enc, shared: ref.hybridCombine(sharedKey, dh, enc, publicKey) };
    }

    it.each([
      ["native", nativeSuites[id]],
      ["WebCrypto", undefined],
    ])("is refused by %s", async (_name, hpke) => {
      const pair = await generateKemKeyPair(id, hpke);
      const h0 = await helloHash(await helloWith({ [id]: pair.publicKey }));
      const opens = (point: Uint8Array, dh: Uint8Array) => {
        const { enc, shared } = encapsulated(point, dh, pair.publicKey);
        const info = concat(ref.L("open"), h0);
        const { key, baseNonce } = ref.keySchedule({ kem, aead: 2, shared, info, psk: none, pskId: none });
        const box = new Uint8Array(ref.aesSeal(key, baseNonce, none, ref.pad(encodeOpenPayload(payload))));
        const open: Open = { suite: id, enc: new Uint8Array(enc), psk: "", box };
        return openBox({ h0, privateKey: pair.privateKey, open, psk: null });
      };
      for (const point of lowOrder) await expectRefused("box", () => opens(point, zeros));
      // What is sealed here would open, were it not for that: a point of full order does.
      const secret = new Uint8Array(32).fill(7);
      const dh = ref.x25519(secret, pair.publicKey.subarray(-32));
      expect(JSON.parse(Buffer.from((await opens(ref.x25519Public(secret), dh)).payload).toString())).toEqual(payload);
    });
  },
);

describe("a client seals nothing to a key that is none", () => {
  it("of ML-KEM with coefficients that are not below q, whatever stands behind them", async () => {
    const basePoint = Uint8Array.of(9, ...new Uint8Array(31));
    for (const { ek } of wycheproof.mlkem768Keys as { ek: string }[]) {
      const publicKey = concat(hex(ek), basePoint);
      const hello = await helloWith();
      await expectRefused("key", () => sealOpen({ hello, suite: "647a", publicKey, psk: null, payload }));
    }
  });

  it("of the hybrid with an X25519 half of low order, of another length, or of the other suite", async () => {
    const [hybrid, classic] = [await generateKemKeyPair("647a"), await generateKemKeyPair("0020")];
    const hello = await helloWith();
    const refused = (suite: SuiteId, publicKey: Uint8Array) =>
      expectRefused("key", () => sealOpen({ hello, suite, publicKey, psk: null, payload }));
    for (const point of lowOrder) await refused("647a", concat(hybrid.publicKey.subarray(0, 1184), point));
    for (const wrong of [none, hybrid.publicKey.subarray(1), concat(hybrid.publicKey, Uint8Array.of(0))])
      await refused("647a", wrong);
    await refused("647a", classic.publicKey);
    await refused("0020", hybrid.publicKey);
  });
});

describe("a signature says who has signed what", () => {
  const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
  const message = new TextEncoder().encode("what is signed");

  it("and is none with another S that is the same modulo the order, of another length, or with any bit changed", async () => {
    const { identity } = await generateIdentity();
    const signature = await sign(identity, "test", message);
    const verifies = (bent: Uint8Array) => verify(identity.publicKey, "test", message, bent);
    expect(await verifies(signature)).toBe(true);
    const s = Buffer.from(signature.subarray(32)).reverse();
    const more = BigInt(`0x${s.toString("hex")}`) + order;
    const bytes = Buffer.from(more.toString(16).padStart(64, "0"), "hex").reverse();
    expect(await verifies(concat(signature.subarray(0, 32), new Uint8Array(bytes)))).toBe(false);
    for (const length of [0, 32, 63]) expect(await verifies(signature.subarray(0, length))).toBe(false);
    expect(await verifies(concat(signature, Uint8Array.of(0)))).toBe(false);
    for (const altered of alterations(signature)) expect(await verifies(altered)).toBe(false);
    for (const key of [none, identity.publicKey.subarray(1), concat(identity.publicKey, Uint8Array.of(0))])
      expect(await verify(key, "test", message, signature)).toBe(false);
  });

  it("and is none under a key of small order, whatever the platform says: others could make it, and whoever made it deny it", async () => {
    const { identity } = await generateIdentity();
    // Node's OpenSSL refuses them by itself; Python's takes nothing signed for a signature of everything.
    const platform = vi.spyOn(crypto.subtle, "verify").mockResolvedValue(true);
    const fitsAll = concat(Uint8Array.of(1), new Uint8Array(63));
    expect(await verify(identity.publicKey, "test", message, fitsAll)).toBe(true);
    for (const key of smallOrderKeys()) expect(await verify(key, "test", message, fitsAll)).toBe(false);
    expect(platform).toHaveBeenCalledTimes(1);
    platform.mockRestore();
  });
});

/** The eight points whose order divides eight, in all their encodings: by y, by y + p where that fits, with either sign. */
function smallOrderKeys(): Uint8Array[] {
  const p = 2n ** 255n - 19n;
  const eighth = BigInt(
    `0x${Buffer.from("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "hex").reverse().toString("hex")}`,
  );
  // Twice such a point has y = 0, which is dy⁴ + 2y² - 1 = 0 with d = -121665/121666.
  expect((121_665n * eighth ** 4n - 243_332n * eighth ** 2n + 121_666n) % p).toBe(0n);
  return [0n, 1n, p - 1n, eighth, p - eighth, p, p + 1n].flatMap((y) => {
    const bytes = new Uint8Array(Buffer.from(y.toString(16).padStart(64, "0"), "hex").reverse());
    return [bytes, bytes.with(31, (bytes[31] ?? 0) | 0x80)];
  });
}

describe("HKDF gives no more than it has", () => {
  it("in the key schedule, and at the server", async () => {
    const key = new Uint8Array(32);
    expect((await expand(key, "test", none, 255 * 32)).length).toBe(255 * 32);
    for (const length of [0, -1, 1.5, Number.NaN, 255 * 32 + 1])
      await expect(expand(key, "test", none, length)).rejects.toThrow(RangeError);
    const { Expand } = HKDF_SHA256();
    expect((await Expand(key, none, 255 * 32)).length).toBe(255 * 32);
    await expect(Expand(key, none, 255 * 32 + 1)).rejects.toThrow(RangeError);
  });
});
