import { createHash, decapsulate } from "node:crypto";
import { concat, type OpenPayload, type SuiteId } from "@portcullis/protocol";
import {
  AEAD_AES_256_GCM,
  AEAD_ChaCha20Poly1305,
  CipherSuite,
  KDF_HKDF_SHA256,
  type KEM,
  KEM_DHKEM_X25519_HKDF_SHA256,
  KEM_MLKEM768_X25519,
  type KEMFactory,
  type Key,
} from "hpke";
import { describe, expect, it } from "vitest";
import * as ref from "../../../test/vectors/reference.ts";
import {
  generateIdentity,
  generateKemKeyPair,
  helloHash,
  importKemKeyPair,
  openBox,
  sealOpen,
  signBundle,
} from "../src/mod.ts";
import { AES_256_GCM } from "../src/native/aes-256-gcm.ts";
import { HKDF_SHA256 } from "../src/native/hkdf.ts";
import { privateFrom } from "../src/native/key.ts";
import { MLKEM768_X25519 } from "../src/native/mlkem768-x25519.ts";
import { nativeSuites } from "../src/native/mod.ts";
import { DHKEM_X25519 } from "../src/native/x25519.ts";
import { CHECKED_MLKEM768_X25519, postQuantumSuite } from "../src/post-quantum.ts";
import { alterations, expectRefused, hex, readVectors, toHex } from "./support.ts";

const webSuite = (id: SuiteId) =>
  new CipherSuite<Key>(
    { "647a": KEM_MLKEM768_X25519, "0020": KEM_DHKEM_X25519_HKDF_SHA256 }[id] as KEMFactory,
    KDF_HKDF_SHA256,
    AEAD_AES_256_GCM,
  );
const implementations = {
  "0020": { WebCrypto: webSuite("0020"), native: nativeSuites["0020"] },
  "647a": {
    WebCrypto: webSuite("647a"),
    native: nativeSuites["647a"],
    JavaScript: postQuantumSuite as CipherSuite<Key>,
  },
} as const;
const allOf = (id: SuiteId): [string, CipherSuite<Key>][] => Object.entries(implementations[id]);
const hybrids = { WebCrypto: KEM_MLKEM768_X25519, native: MLKEM768_X25519, JavaScript: CHECKED_MLKEM768_X25519 };
const curves = { WebCrypto: KEM_DHKEM_X25519_HKDF_SHA256, native: DHKEM_X25519 };

interface Rfc9180Vector extends Record<"mode" | "skRm" | "pkRm" | "enc" | "info" | "psk" | "pskId" | "ikmE", string> {
  readonly encryptions: readonly Record<"aad" | "pt" | "ct", string>[];
  readonly exports: readonly { readonly context: string; readonly length: number; readonly value: string }[];
}

interface HpkePqVector extends Record<"info" | "ikmR" | "skRm" | "pkRm" | "enc" | "sharedSecret", string> {
  readonly encryptions: Rfc9180Vector["encryptions"];
  readonly exports: Rfc9180Vector["exports"];
}

const wycheproof = readVectors("wycheproof.json");
const none = new Uint8Array();

describe.each(Object.keys(curves))("X25519 of %s", (name) => {
  const suite = allOf("0020").find(([each]) => each === name)?.[1] ?? nativeSuites["0020"];
  const kem = Object.entries(curves).find(([each]) => each === name)?.[1]() as ReturnType<typeof DHKEM_X25519>;

  it.each(readVectors("rfc9180.json").aes256gcm.vectors as Rfc9180Vector[])(
    "opens and exports what RFC 9180 says: $mode",
    async (vector) => {
      const { mode, skRm, pkRm, enc, info, psk, pskId, encryptions, exports } = vector;
      const [privateKey, publicKey] = [
        await suite.DeserializePrivateKey(hex(skRm), false),
        await suite.DeserializePublicKey(hex(pkRm)),
      ];
      const context = await suite.SetupRecipient({ privateKey, publicKey }, hex(enc), {
        info: hex(info),
        ...(mode === "psk" ? { psk: hex(psk), pskId: hex(pskId) } : {}),
      });
      expect(context.mode).toBe(mode === "psk" ? 1 : 0);
      for (const { aad, pt, ct } of encryptions) expect(toHex(await context.Open(hex(ct), hex(aad)))).toBe(pt);
      for (const { context: label, length, value } of exports)
        expect(toHex(await context.Export(hex(label), length))).toBe(value);
      expect([encryptions.length, exports.length]).toEqual([3, 3]);
    },
  );

  it("derives and exports keys as RFC 9180 A.1 does", async () => {
    const { aes256gcm } = readVectors("rfc9180.json");
    const { ikmE, enc } = aes256gcm.vectors[0];
    const pair = await kem.DeriveKeyPair(hex(ikmE), true);
    expect(toHex(await kem.SerializePublicKey(pair.publicKey))).toBe(enc);
    const secret = await kem.SerializePrivateKey(pair.privateKey);
    expect(toHex(ref.x25519Public(secret))).toBe(enc);
  });

  it("agrees with Wycheproof, and refuses a peer with which everybody would share nothing but zeros", async () => {
    let refused = 0;
    for (const { public: enc, private: secret, shared, flags } of wycheproof.x25519) {
      const privateKey = await kem.DeserializePrivateKey(hex(secret), false);
      // What it hashes for the recipient's key has to be that key, whatever bits of the secret are set.
      const own = await kem.DeserializePublicKey(ref.x25519Public(hex(secret)));
      const decapsulated = Promise.resolve(kem.Decap(hex(enc), privateKey, own));
      if (flags.includes("ZeroSharedSecret")) {
        refused += 1;
        await expect(decapsulated).rejects.toThrow();
      } else {
        const expected = ref.dhkem(hex(shared), hex(enc), ref.x25519Public(hex(secret)));
        expect(toHex(await decapsulated)).toBe(toHex(expected));
      }
    }
    expect([wycheproof.x25519.length, refused]).toEqual([68, 31]);
  });
});

describe.each(Object.keys(hybrids))("MLKEM768-X25519 of %s", (name) => {
  const kem = Object.entries(hybrids).find(([each]) => each === name)?.[1]() as ReturnType<typeof MLKEM768_X25519>;
  const { vectors, shake128 } = readVectors("xwing.json");

  it("is X-Wing, as its draft says", async () => {
    for (const { seed, sk, pk, ct, ss } of vectors) {
      expect(sk).toBe(seed);
      const privateKey = await kem.DeserializePrivateKey(hex(sk), true);
      const publicKey = await kem.DeserializePublicKey(hex(pk));
      expect(toHex(await kem.SerializePrivateKey(privateKey))).toBe(seed);
      expect(toHex(await kem.Decap(hex(ct), privateKey, publicKey))).toBe(ss);
      expect(toHex(ref.hybridPublic(hex(seed)))).toBe(pk);
      const made = await kem.Encap(publicKey);
      expect(toHex(await kem.Decap(made.enc, privateKey, publicKey))).toBe(toHex(made.shared_secret));
    }
    // The file of the draft, whose digest others publish: these are its vectors, and not some that were made to fit.
    const lines = (prefix: string, value: string) =>
      prefix.length + value.length + 5 < 74
        ? `${prefix}     ${value}\n`
        : `${prefix}\n${(value.match(/.{1,72}/g) ?? []).map((line) => `  ${line}\n`).join("")}`;
    const file = vectors
      .map(
        (vector: Record<string, string>) =>
          `${Object.entries(vector)
            .map(([key, value]) => lines(key, value))
            .join("")}\n`,
      )
      .join("");
    expect(createHash("shake128", { outputLength: 32 }).update(file).digest("hex")).toBe(shake128);
  });

  it("is that of HPKE, as its draft says: from the seed of a key to what is exported", async () => {
    const [vector] = readVectors("hpke-pq.json").vectors;
    const { info, ikmR, skRm, pkRm, enc, sharedSecret, encryptions, exports } = vector as HpkePqVector;
    // The draft has no vector with AES-256-GCM and HKDF; which AEAD follows is nothing to the KEM.
    const suite = new CipherSuite<Key>(
      () => kem as unknown as KEM<Key>,
      name === "native" ? HKDF_SHA256 : KDF_HKDF_SHA256,
      AEAD_ChaCha20Poly1305,
    );
    const pair = await suite.DeriveKeyPair(hex(ikmR), true);
    expect(toHex(await suite.SerializePrivateKey(pair.privateKey))).toBe(skRm);
    expect(toHex(await suite.SerializePublicKey(pair.publicKey))).toBe(pkRm);
    expect(toHex(ref.hybridDecap(hex(skRm), hex(enc)))).toBe(sharedSecret);
    const context = await suite.SetupRecipient(pair, hex(enc), { info: hex(info) });
    for (const { aad, pt, ct } of encryptions) expect(toHex(await context.Open(hex(ct), hex(aad)))).toBe(pt);
    for (const { context: label, length, value } of exports)
      expect(toHex(await context.Export(hex(label), length))).toBe(value);
    expect([encryptions.length, exports.length]).toEqual([3, 5]);
  });

  it("takes no key with a coefficient that is none, or of another length", async () => {
    const basePoint = Uint8Array.of(9, ...new Uint8Array(31));
    const suite = allOf("647a").find(([each]) => each === name)?.[1] ?? nativeSuites["647a"];
    for (const { tcId, ek } of wycheproof.mlkem768Keys) {
      const refusal = suite.DeserializePublicKey(concat(hex(ek), basePoint)).then((key) => suite.SetupSender(key));
      await expect(refusal, `Wycheproof ${tcId}`).rejects.toThrow();
    }
    expect(wycheproof.mlkem768Keys.length).toBe(32);
  });

  it("refuses an encapsulation whose X25519 half is of low order", async () => {
    const [{ sk, pk, ct }] = vectors;
    const privateKey = await kem.DeserializePrivateKey(hex(sk), false);
    const publicKey = await kem.DeserializePublicKey(hex(pk));
    const zero = wycheproof.x25519.filter(({ flags }: { flags: string[] }) => flags.includes("ZeroSharedSecret"));
    for (const { public: low } of zero) {
      const enc = concat(hex(ct).subarray(0, 1088), hex(low));
      await expect(Promise.resolve(kem.Decap(enc, privateKey, publicKey))).rejects.toThrow();
    }
    expect(zero.length).toBe(31);
  });
});

it("ML-KEM-768 of OpenSSL is what Wycheproof says, for ciphertexts that somebody has bent as well", () => {
  for (const { tcId, seed, c, K, result } of wycheproof.mlkem768) {
    const act = () => toHex(decapsulate(privateFrom("ml-kem-768", hex(seed)), hex(c)));
    if (result === "valid") expect(act(), `Wycheproof ${tcId}`).toBe(K);
    else expect(act, `Wycheproof ${tcId}`).toThrow();
  }
});

it.each([
  ["WebCrypto", AEAD_AES_256_GCM()],
  ["native", AES_256_GCM()],
])("AES-256-GCM of %s opens what Wycheproof says, and no tag that is shorter or another", async (_name, aead) => {
  for (const { tcId, key, iv, aad, msg, ct, tag, result } of wycheproof.aes256gcm) {
    const open = Promise.resolve(aead.Open(hex(key), hex(iv), hex(aad), hex(ct + tag)));
    if (result === "valid") {
      expect(toHex(await open), `Wycheproof ${tcId}`).toBe(msg);
      expect(toHex(await aead.Seal(hex(key), hex(iv), hex(aad), hex(msg)))).toBe(ct + tag);
    } else await expect(open, `Wycheproof ${tcId}`).rejects.toThrow();
    for (const cut of [0, 4, 12, 15])
      await expect(aead.Open(hex(key), hex(iv), hex(aad), hex(ct + tag).subarray(0, cut))).rejects.toThrow();
  }
});

it("Ed25519 takes no signature that somebody has bent", async () => {
  for (const { tcId, pk, msg, sig, result } of wycheproof.ed25519) {
    const key = await crypto.subtle.importKey("raw", hex(pk), "Ed25519", false, ["verify"]);
    const isValid = await crypto.subtle.verify("Ed25519", key, hex(sig), hex(msg)).catch(() => false);
    expect(isValid, `Wycheproof ${tcId}`).toBe(result === "valid");
  }
  expect(wycheproof.ed25519.length).toBeGreaterThan(140);
});

const payload: OpenPayload = { dst: { label: "app", path: "p", query: "", id: null } };

describe.each(
  (["0020", "647a"] as const).flatMap((id) =>
    allOf(id).flatMap(([one, server]) => allOf(id).map(([other]) => ({ id, one, other, server }))),
  ),
)("an open under $id by WebCrypto or what stands in for it, at a server of $one", ({ id, server }) => {
  it("opens, and by no other suite, no shorter box and no bent encapsulation", async () => {
    const { identity } = await generateIdentity();
    const pair = await generateKemKeyPair(id, server);
    const { bundle, sig } = await signBundle(identity, { kid: "k", suites: { [id]: pair.publicKey }, exp: 1 });
    const hello = { bundle, sig, hid: "e.aaaaaaaaaaaaaaaaaaaaaa", nonce: new Uint8Array(32) };
    const h0 = await helloHash(hello);
    const psk = new Uint8Array(32).fill(1);
    const sealed = await sealOpen({
      hello,
      suite: id,
      publicKey: pair.publicKey,
      psk: { id: `k:${"A".repeat(16)}`, secret: psk },
      payload,
    });
    const opens = (change: Partial<typeof sealed.open>) =>
      openBox({ h0, privateKey: pair.privateKey, open: { ...sealed.open, ...change }, psk });
    expect((await opens({})).handshake).toEqual(sealed.handshake);
    const other = id === "0020" ? "647a" : "0020";
    await expectRefused("box", () => opens({ suite: other }));
    for (const length of [0, 1, 15, 16, sealed.open.box.length - 1])
      await expectRefused("box", () => opens({ box: sealed.open.box.subarray(0, length) }));
    for (const enc of [none, sealed.open.enc.subarray(1), new Uint8Array(sealed.open.enc.length)])
      await expectRefused("box", () => opens({ enc }));
    for (const enc of alterations(sealed.open.enc, id === "647a" ? 97 : 3))
      await expectRefused("box", () => opens({ enc }));
  });
});

it("a client seals to no key that is of low order or another length", async () => {
  const { identity } = await generateIdentity();
  const { publicKey } = await generateKemKeyPair("0020");
  const { bundle, sig } = await signBundle(identity, { kid: "k", suites: { "0020": publicKey }, exp: 1 });
  const hello = { bundle, sig, hid: "e.aaaaaaaaaaaaaaaaaaaaaa", nonce: new Uint8Array(32) };
  const low = wycheproof.x25519.filter(({ flags }: { flags: string[] }) => flags.includes("ZeroSharedSecret"));
  for (const bad of [...low.map((each: { public: string }) => hex(each.public)), none, publicKey.subarray(1)])
    await expectRefused("key", () => sealOpen({ hello, suite: "0020", publicKey: bad, psk: null, payload }));
  await expectRefused("key", () => importKemKeyPair("0020", none, publicKey, nativeSuites["0020"]));
});
