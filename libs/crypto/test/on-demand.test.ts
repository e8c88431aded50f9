import type { OpenPayload } from "@portcullis/protocol";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nativeSuites } from "../src/native/mod.ts";
import { expectRefused, hex, readVectors } from "./support.ts";

const payload: OpenPayload = { dst: { label: "app", path: "p", query: "", id: null } };
const postQuantum = "../src/post-quantum.ts";

type Subtle = typeof crypto.subtle;

/** What a browser of last year has: X25519 and no ML-KEM. */
function withoutMlKem(): { readonly refused: () => number } {
  let refused = 0;
  const nameOf = (algorithm: unknown) =>
    typeof algorithm === "string" ? algorithm : String((algorithm as { name: string }).name);
  const without =
    (real: (...given: never[]) => Promise<unknown>, at: number) =>
    (...given: unknown[]): Promise<unknown> => {
      if (!nameOf(given[at]).startsWith("ML-KEM")) return real(...(given as never[]));
      refused += 1;
      return Promise.reject(new DOMException("Unrecognized name.", "NotSupportedError"));
    };
  const { subtle } = crypto;
  const importKey = without(subtle.importKey.bind(subtle), 2) as Subtle["importKey"];
  const generateKey = without(subtle.generateKey.bind(subtle), 0) as Subtle["generateKey"];
  vi.spyOn(subtle, "importKey").mockImplementation(importKey);
  vi.spyOn(subtle, "generateKey").mockImplementation(generateKey);
  return { refused: () => refused };
}

/** What a runtime can do is found out once, so each test takes the library afresh. */
const fresh = () => import("../src/mod.ts");

beforeEach(() => void vi.resetModules());
afterEach(() => {
  vi.doUnmock(postQuantum);
  vi.restoreAllMocks();
});

describe("where WebCrypto has no ML-KEM", () => {
  it("the post-quantum suite is loaded and taken, and a server of OpenSSL's opens what it seals", async () => {
    const lacking = withoutMlKem();
    const crypto = await fresh();
    const { identity } = await crypto.generateIdentity();
    const pairs = [
      await crypto.generateKemKeyPair("647a", nativeSuites["647a"]),
      await crypto.generateKemKeyPair("0020", nativeSuites["0020"]),
    ];
    const suites = Object.fromEntries(pairs.map(({ suite, publicKey }) => [suite, publicKey]));
    const { suite, publicKey } = await crypto.chooseSuite(suites);
    expect(suite).toBe("647a");
    expect(lacking.refused()).toBeGreaterThan(0);
    const { bundle, sig } = await crypto.signBundle(identity, { kid: "k", suites, exp: 1 });
    const hello = { bundle, sig, hid: "e.aaaaaaaaaaaaaaaaaaaaaa", nonce: new Uint8Array(32) };
    const sealed = await crypto.sealOpen({ hello, suite, publicKey, psk: null, payload });
    const { privateKey } = pairs[0] ?? { privateKey: null };
    if (privateKey === null) throw new Error("no pair");
    const h0 = await crypto.helloHash(hello);
    const opened = await crypto.openBox({ h0, privateKey, open: sealed.open, psk: null });
    expect(opened.handshake).toEqual(sealed.handshake);
    // The other way round as well: a prekey is made by whoever is there.
    const own = await crypto.generateKemKeyPair("647a");
    expect(own.privateKey.hpke).not.toBe(nativeSuites["647a"]);
    const toOwn = await crypto.sealOpen({ hello, suite, publicKey: own.publicKey, psk: null, payload });
    await crypto.openBox({ h0, privateKey: own.privateKey, open: toOwn.open, psk: null });
    // And what OpenSSL would not take, it does not either.
    const bad = hex(readVectors("wycheproof.json").mlkem768Keys[0].ek);
    const wrong = Uint8Array.of(...bad, 9, ...new Uint8Array(31));
    await expectRefused("key", () => crypto.sealOpen({ hello, suite, publicKey: wrong, psk: null, payload }));
  });

  it("and it cannot be loaded, X25519 is taken, nothing where there is a floor; and the next try loads it again", async () => {
    withoutMlKem();
    vi.doMock(postQuantum, () => {
      throw new Error("no network");
    });
    const { chooseSuite, generateKemKeyPair, hasSuite } = await fresh();
    const both = {
      "647a": (await generateKemKeyPair("647a", nativeSuites["647a"])).publicKey,
      "0020": (await generateKemKeyPair("0020", nativeSuites["0020"])).publicKey,
    };
    expect((await chooseSuite(both)).suite).toBe("0020");
    await expectRefused("suite", () => chooseSuite(both, ["647a"]));
    vi.doUnmock(postQuantum);
    expect(await hasSuite("647a")).toBe(true);
    expect((await chooseSuite(both, ["647a"])).suite).toBe("647a");
  });
});

it("where WebCrypto has ML-KEM, nothing is loaded", async () => {
  let loaded = 0;
  vi.doMock(postQuantum, () => {
    loaded += 1;
    return {};
  });
  const { hasSuite } = await fresh();
  expect([await hasSuite("647a"), await hasSuite("0020"), loaded]).toEqual([true, true, 0]);
});
