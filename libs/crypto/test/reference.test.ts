import { createHmac } from "node:crypto";
import { AEAD_AES_128_GCM, CipherSuite, KDF_HKDF_SHA256, KEM_DHKEM_X25519_HKDF_SHA256 } from "hpke";
import { describe, expect, it } from "vitest";
import { buildCodec, buildSchedule } from "../../../test/vectors/build.ts";
import * as ref from "../../../test/vectors/reference.ts";
import { chooseSuite, generateKemKeyPair, helloHash, L, openBox, sealOpen } from "../src/mod.ts";
import { hex, readVectors, schedule, toHex } from "./support.ts";

interface Rfc9180Vector {
  readonly appendix: string;
  readonly mode: "base" | "psk";
  readonly info: string;
  readonly psk: string;
  readonly pskId: string;
  readonly skRm: string;
  readonly pkRm: string;
  readonly enc: string;
  readonly sharedSecret: string;
  readonly key: string;
  readonly baseNonce: string;
  readonly exporterSecret?: string;
  readonly encryptions: readonly { readonly aad: string; readonly pt: string; readonly ct: string }[];
  readonly exports: readonly { readonly context: string; readonly length: number; readonly value: string }[];
}
const rfc9180: Rfc9180Vector[] = readVectors("rfc9180.json").vectors;

describe.each(rfc9180)("RFC 9180 $appendix", (vector) => {
  it("the library's recipient opens and exports what the RFC says", async () => {
    const suite = new CipherSuite(KEM_DHKEM_X25519_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_128_GCM);
    const privateKey = await suite.DeserializePrivateKey(hex(vector.skRm), false);
    const context = await suite.SetupRecipient(privateKey, hex(vector.enc), {
      info: hex(vector.info),
      ...(vector.mode === "psk" ? { psk: hex(vector.psk), pskId: hex(vector.pskId) } : {}),
    });
    expect(context.mode).toBe(vector.mode === "psk" ? 1 : 0);
    for (const { aad, pt, ct } of vector.encryptions) expect(toHex(await context.Open(hex(ct), hex(aad)))).toBe(pt);
    for (const { context: label, length, value } of vector.exports) {
      expect(toHex(await context.Export(hex(label), length))).toBe(value);
    }
    expect(vector.encryptions.length).toBeGreaterThan(0);
  });

  it("so does the implementation that made the vectors", () => {
    expect(toHex(ref.x25519Public(hex(vector.skRm)))).toBe(vector.pkRm);
    const shared = ref.x25519Decap(hex(vector.skRm), hex(vector.enc));
    expect(toHex(shared)).toBe(vector.sharedSecret);
    const hpke = ref.keySchedule({
      kem: 0x0020,
      aead: 1,
      shared,
      info: hex(vector.info),
      psk: hex(vector.psk),
      pskId: hex(vector.pskId),
    });
    expect([toHex(hpke.key), toHex(hpke.baseNonce)]).toEqual([vector.key, vector.baseNonce]);
    if (vector.exporterSecret !== undefined) expect(toHex(hpke.exporter)).toBe(vector.exporterSecret);
    const [first] = vector.encryptions;
    expect(toHex(ref.aesOpen(hpke.key, hpke.baseNonce, hex(first?.aad ?? ""), hex(first?.ct ?? "")))).toBe(first?.pt);
  });
});

describe("the vectors on file", () => {
  it("are what the second implementation computes from their seeds", () => {
    expect(buildSchedule(schedule)).toEqual(schedule);
    expect(buildCodec()).toEqual(readVectors("codec.json"));
    expect(schedule.map(({ suite }) => suite)).toContain("647a");
  });

  it("carry signatures that the second implementation verifies", () => {
    for (const { identity, hello } of schedule) {
      const [key, bundle, sig] = [hex(identity.publicKey), Buffer.from(hello.bundle), hex(hello.sig)];
      expect(ref.verifies(key, "bundle", bundle, sig)).toBe(true);
      expect(ref.verifies(key, "receipt", bundle, sig)).toBe(false);
    }
  });
});

describe.each(["647a", "0020"] as const)("what libs/crypto seals under %s", (suite) => {
  it("opens by hand with node:crypto, to the same keys", async () => {
    const vector = schedule.find((candidate) => candidate.suite === suite);
    if (vector?.appKey == null) throw new Error("no vector");
    const { parseHello } = await import("@portcullis/protocol");
    const hello = parseHello(vector.hello.frame);
    const payload = { dst: { label: "demo", path: "p", query: "", id: null } };
    const { open, handshake } = await sealOpen({
      hello,
      suite,
      publicKey: hex(vector.kem.publicKey),
      psk: { id: vector.open.pskId, secret: hex(vector.appKey.psk) },
      payload,
    });
    const decap = suite === "647a" ? ref.hybridDecap : ref.x25519Decap;
    const hpke = ref.keySchedule({
      kem: Number.parseInt(suite, 16),
      aead: 2,
      shared: decap(hex(vector.kem.secret), open.enc),
      info: Buffer.concat([ref.L("open"), hex(vector.hello.h0)]),
      psk: hex(vector.appKey.psk),
      pskId: ref.text(open.psk),
    });
    const padded = ref.aesOpen(hpke.key, hpke.baseNonce, Buffer.alloc(0), open.box);
    expect(padded).toEqual(ref.pad(ref.text(JSON.stringify(payload))));
    expect(toHex(ref.extract(handshake.th, hpke.export(ref.L("session"), 32)))).toBe(toHex(handshake.prk));
  });

  it("opens with a key pair that was just made", async () => {
    const pair = await generateKemKeyPair(suite);
    const chosen = await chooseSuite({ [suite]: pair.publicKey });
    expect(chosen).toEqual({ suite, publicKey: pair.publicKey });
    const hello = { bundle: L("b"), sig: new Uint8Array(64), hid: `e.${"A".repeat(22)}`, nonce: new Uint8Array(32) };
    const payload = { dst: { label: "demo", path: "p", query: "", id: "bob" } };
    const sealed = await sealOpen({ hello, suite, publicKey: pair.publicKey, psk: null, payload });
    const opened = await openBox({
      h0: await helloHash(hello),
      privateKey: pair.privateKey,
      open: sealed.open,
      psk: null,
    });
    expect(JSON.parse(Buffer.from(opened.payload).toString())).toEqual(payload);
    expect(opened.handshake).toEqual(sealed.handshake);
  });
});

describe("RFC 6238 appendix B", () => {
  it("the file for the factors service holds what HMAC-SHA-1 gives", () => {
    const file = readVectors("rfc6238.json");
    for (const { epochSeconds, timeStep, code8, code6 } of file.vectors) {
      expect(Math.floor(epochSeconds / file.stepSeconds)).toBe(timeStep);
      const mac = createHmac("sha1", file.secretText).update(ref.u64(timeStep)).digest();
      const value = mac.readUInt32BE((mac[19] ?? 0) & 15) & 0x7fffffff;
      expect(String(value % 1e8).padStart(8, "0")).toBe(code8);
      expect(String(value % 1e6).padStart(6, "0")).toBe(code6);
    }
    expect(file.vectors).toHaveLength(6);
  });
});
