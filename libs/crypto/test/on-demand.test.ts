import { type OpenPayload, parseSealedBody } from "@portcullis/protocol";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nativeSuites } from "../src/native/mod.ts";
import { expectRefused, hex, readVectors } from "./support.ts";

const payload: OpenPayload = { dst: { label: "app", path: "p", query: "", id: null } };
const postQuantum = "../src/post-quantum.ts";

const { subtle } = crypto;
const real = { importKey: subtle.importKey, generateKey: subtle.generateKey, digest: subtle.digest };

/** WebCrypto without what is called like this. @param methods and where each is told the algorithm */
function without(prefix: string, methods: Readonly<Partial<Record<keyof typeof real, number>>>) {
  let refused = 0;
  const nameOf = (algorithm: unknown) =>
    typeof algorithm === "string" ? algorithm : String((algorithm as { name: string }).name);
  for (const [method, at] of Object.entries(methods) as [keyof typeof real, number][]) {
    const own = real[method].bind(subtle) as (...given: unknown[]) => Promise<unknown>;
    const lacking = (...given: unknown[]): Promise<unknown> => {
      if (!nameOf(given[at]).startsWith(prefix)) return own(...given);
      refused += 1;
      return Promise.reject(new DOMException("Unrecognized name.", "NotSupportedError"));
    };
    vi.spyOn(subtle, method).mockImplementation(lacking as never);
  }
  return { refused: () => refused };
}

/** What a browser of last year has: X25519 and no ML-KEM. */
const withoutMlKem = () => without("ML-KEM", { importKey: 2, generateKey: 0 });

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

describe("where WebCrypto has ML-KEM and not SHAKE-256, as Chromium", () => {
  beforeEach(() => void without("cSHAKE", { digest: 0 }));

  it("what a prekey's pair is derived with is loaded, gives the pair that WebCrypto would, and opens", async () => {
    const seed = new Uint8Array(32).fill(7);
    const { prekeyPair, prekeySuites } = await fresh();
    const own = await prekeySuites(seed);
    vi.restoreAllMocks();
    vi.resetModules();
    const web = await fresh();
    expect(own).toEqual(await web.prekeySuites(seed));
    const { publicKey, privateKey } = await prekeyPair(seed, "647a");
    const sender = await web.importEndToEndIdentity(web.generateEndToEndIdentity());
    const place = { socket: "demo", sid: "s", recipient: sender.fingerprint };
    const to = { fingerprint: sender.fingerprint, keyId: new Uint8Array(8), suite: "647a", publicKey } as const;
    const said = { messageId: new Uint8Array(16), seq: 0, reply: null, body: Uint8Array.of(1) };
    const sealed = parseSealedBody(await web.sealBody({ ...place, sender, to, ...said }));
    expect((await web.openBody({ ...place, privateKey, body: sealed })).body).toEqual(Uint8Array.of(1));
  });

  it("and it cannot be loaded, prekeys are X25519 alone; and the next one is of both again", async () => {
    vi.doMock(postQuantum, () => {
      throw new Error("no network");
    });
    const { hasSuite, prekeyPair, prekeySuites } = await fresh();
    const seed = new Uint8Array(32);
    expect(Object.keys(await prekeySuites(seed))).toEqual(["0020"]);
    await expectRefused("suite", () => prekeyPair(seed, "647a"));
    // To seal, nothing is lacking.
    expect(await hasSuite("647a")).toBe(true);
    vi.doUnmock(postQuantum);
    expect(Object.keys(await prekeySuites(seed)).sort()).toEqual(["0020", "647a"]);
  });
});
