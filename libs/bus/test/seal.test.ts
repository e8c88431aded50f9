import { webcrypto } from "node:crypto";
import { type ServiceName, services } from "@portcullis/contracts";
import { describe, expect, it } from "vitest";
import {
  createServiceSeal,
  generateServiceKeyPair,
  type SealContext,
  type SealDirectory,
  SealError,
  type ServiceSealOptions,
} from "../src/mod.ts";

const pairs = Object.fromEntries(services.map((service) => [service, generateServiceKeyPair()])) as Record<
  ServiceName,
  { privateKey: string; publicKey: string }
>;
const directory = Object.fromEntries(services.map((service) => [service, pairs[service].publicKey])) as SealDirectory;
const sealOf = (self: ServiceName, options: Partial<ServiceSealOptions> = {}) =>
  createServiceSeal({ self, privateKey: pairs[self].privateKey, directory, ...options });

const context: SealContext = { subject: "portcullis.v1.keys.bundle", direction: "req", id: "request-1" };
const secret = new TextEncoder().encode("planted-secret-424242");

/** Every bit of the message, one after the other. */
function* alterations(sealed: Uint8Array): Generator<Uint8Array> {
  for (let index = 0; index < sealed.length; index += 1) {
    const altered = sealed.slice();
    altered[index] = (altered[index] ?? 0) ^ (1 << (index % 8));
    yield altered;
  }
}

describe("service seal", () => {
  it("opens for the receiver, and gives the same bytes", () => {
    const sealed = sealOf("edge").seal("keys", context, secret);
    expect(Buffer.compare(sealOf("keys").open("edge", context, sealed), secret)).toBe(0);
    const empty = sealOf("edge").seal("keys", context, new Uint8Array(0));
    expect(sealOf("keys").open("edge", context, empty)).toHaveLength(0);
  });

  it("shows nothing of what was sealed", () => {
    const sealed = Buffer.from(sealOf("edge").seal("keys", context, secret));
    expect(sealed.includes(Buffer.from(secret))).toBe(false);
    expect(sealed.includes(Buffer.from(secret.slice(0, 6)))).toBe(false);
    // The test can fail: an unsealed frame would be found.
    expect(Buffer.concat([sealed, secret]).includes(Buffer.from(secret))).toBe(true);
  });

  it("does not open for a third service, nor for the sender, nor under another sender's name", () => {
    const sealed = sealOf("edge").seal("keys", context, secret);
    for (const other of services.filter((name) => name !== "keys")) {
      for (const claimed of services) {
        expect(() => sealOf(other).open(claimed, context, sealed), `${other} from ${claimed}`).toThrow(SealError);
      }
    }
    for (const claimed of services.filter((name) => name !== "edge")) {
      expect(() => sealOf("keys").open(claimed, context, sealed), claimed).toThrow(SealError);
    }
  });

  it("does not open when any byte was altered, removed or added", () => {
    const sealed = sealOf("edge").seal("keys", context, secret);
    const receiver = sealOf("keys");
    for (const altered of alterations(sealed)) expect(() => receiver.open("edge", context, altered)).toThrow(SealError);
    for (let length = 0; length < sealed.length; length += 1) {
      expect(() => receiver.open("edge", context, sealed.slice(0, length))).toThrow(SealError);
    }
    expect(() => receiver.open("edge", context, Buffer.concat([sealed, Buffer.alloc(1)]))).toThrow(SealError);
  });

  it("does not open on another subject, in another direction, or for another id, however the parts are split", () => {
    const receiver = sealOf("keys");
    const sealed = sealOf("edge").seal("keys", context, secret);
    const moved: SealContext[] = [
      { ...context, subject: "portcullis.v1.keys.other" },
      { ...context, direction: "rep" },
      { ...context, direction: "evt" },
      { ...context, direction: "err" },
      { ...context, id: "request-2" },
      { ...context, subject: `${context.subject}req`, id: "uest-1" },
    ];
    for (const other of moved) expect(() => receiver.open("edge", other, sealed)).toThrow(SealError);
  });

  it("opens for thirty seconds by the receiver's clock, before and after, and not for longer", () => {
    const sealedAtMs = 1_800_000_000_000;
    const sealed = sealOf("edge", { clock: () => sealedAtMs }).seal("keys", context, secret);
    const openAfter = (ageMs: number) => () =>
      sealOf("keys", { clock: () => sealedAtMs + ageMs }).open("edge", context, sealed);
    for (const ageMs of [-30_000, 0, 30_000]) expect(openAfter(ageMs)()).toHaveLength(secret.length);
    for (const ageMs of [-30_001, 30_001, 86_400_000]) {
      expect(openAfter(ageMs)).toThrow(SealError);
      expect(openAfter(ageMs)).toThrow(`sealed ${ageMs} ms ago`);
    }
  });

  it("does not reflect: what a service sent does not open as if its peer had answered", () => {
    const edge = sealOf("edge");
    const sealed = edge.seal("keys", context, secret);
    expect(() => edge.open("keys", context, sealed)).toThrow(SealError);
  });

  it("works between replicas of one service", () => {
    const sealed = sealOf("edge").seal("edge", context, secret);
    expect(Buffer.compare(sealOf("edge").open("edge", context, sealed), secret)).toBe(0);
    expect(() => sealOf("keys").open("edge", context, sealed)).toThrow(SealError);
  });

  it("never repeats a nonce under a key: the counter rises, and each process life has its own instance", () => {
    const edge = sealOf("edge");
    const heads = Array.from({ length: 50 }, () =>
      Buffer.from(edge.seal("keys", context, secret)).toString("hex", 0, 25),
    );
    expect(new Set(heads).size).toBe(50);
    expect(new Set(heads.map((head) => head.slice(2, 34))).size).toBe(1);
    const later = Buffer.from(sealOf("edge").seal("keys", context, secret)).toString("hex", 1, 17);
    expect(later).not.toBe(heads[0]?.slice(2, 34));
  });

  it("takes a fresh instance when one has sealed enough, and goes on being opened", () => {
    const edge = sealOf("edge", { sealsPerInstance: 3 });
    const receiver = sealOf("keys");
    const heads = Array.from({ length: 10 }, () => {
      const sealed = edge.seal("keys", context, secret);
      expect(Buffer.compare(receiver.open("edge", context, sealed), secret)).toBe(0);
      return Buffer.from(sealed).toString("hex", 0, 25);
    });
    expect(new Set(heads).size).toBe(10);
    expect(new Set(heads.map((head) => head.slice(2, 34))).size).toBe(4);
    expect(Math.max(...heads.map((head) => Number(`0x${head.slice(34)}`)))).toBe(2);
  });

  it("opens for many senders' lives, more than the cache holds", () => {
    const receiver = sealOf("keys");
    const first = sealOf("edge");
    const early = first.seal("keys", context, secret);
    for (let index = 0; index < 1_100; index += 1) {
      const instance = Buffer.alloc(16, 1);
      instance.writeUInt32BE(index);
      const life = sealOf("edge", { random: () => instance });
      receiver.open("edge", context, life.seal("keys", context, secret));
    }
    expect(Buffer.compare(receiver.open("edge", context, early), secret)).toBe(0);
  });

  it("is what its description says, computed a second time by other means", async () => {
    const instance = Uint8Array.from({ length: 16 }, (_, index) => index);
    const clock = () => 0x01908b100000;
    const edge = sealOf("edge", { random: () => instance, clock });
    edge.seal("api", context, secret);
    const sealed = edge.seal("keys", context, secret);
    const { subtle } = webcrypto;
    const raw = (text: string) => Buffer.from(text, "base64url");
    const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b656e04220420", "hex"), raw(pairs.keys.privateKey)]);
    const own = await subtle.importKey("pkcs8", pkcs8, { name: "X25519" }, false, ["deriveBits"]);
    const peer = await subtle.importKey("raw", raw(directory.edge), { name: "X25519" }, false, []);
    const ikm = await subtle.importKey(
      "raw",
      await subtle.deriveBits({ name: "X25519", public: peer }, own, 256),
      "HKDF",
      false,
      ["deriveKey"],
    );
    const info = Buffer.from("portcullis/1 service-seal\0edge\0keys");
    const key = await subtle.deriveKey(
      { name: "HKDF", hash: "SHA-256", salt: instance, info },
      ikm,
      { name: "AES-GCM", length: 256 },
      false,
      ["decrypt"],
    );
    const header = Buffer.concat([
      Buffer.from([2]),
      instance,
      Buffer.from("0000000000000001", "hex"),
      Buffer.from("000001908b100000", "hex"),
    ]);
    expect(Buffer.from(sealed).subarray(0, 33)).toEqual(header);
    const lp = (text: string) => Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]);
    const additionalData = Buffer.concat([header, lp(context.subject), lp("req"), lp(context.id)]);
    const iv = Buffer.from("000000000000000000000001", "hex");
    const plain = await subtle.decrypt({ name: "AES-GCM", iv, additionalData }, key, Buffer.from(sealed.subarray(33)));
    expect(Buffer.from(plain)).toEqual(Buffer.from(secret));
  });

  it("refuses a private key that is not the directory's, keys that are none, and points of low order", () => {
    const { privateKey } = generateServiceKeyPair();
    expect(() => createServiceSeal({ self: "edge", privateKey, directory })).toThrow(/not the one in the directory/);
    const own = pairs.edge.privateKey;
    for (const unfit of ["", "AAAA", "?".repeat(43), `${directory.keys}=`, Buffer.alloc(32).toString("base64url")]) {
      const broken = { ...directory, keys: unfit };
      expect(() => createServiceSeal({ self: "edge", privateKey: own, directory: broken }), unfit).toThrow(TypeError);
    }
  });
});
