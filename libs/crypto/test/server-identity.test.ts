import { base64url, encodeBundle, type Hello, type Succession } from "@portcullis/protocol";
import { beforeAll, describe, expect, it } from "vitest";
import type { IdentityVectors } from "../../../test/vectors/build-identity.ts";
import {
  generateIdentity,
  generateKemKeyPair,
  type Identity,
  importIdentity,
  isWordsProof,
  randomart,
  sign,
  signBundle,
  signSuccession,
  verifyBundle,
  verifySuccession,
  wordsProof,
} from "../src/mod.ts";
import { fingerprintWords, wordsOf } from "../src/words.ts";
import { alterations, expectRefused, hex, readVectors, toHex } from "./support.ts";

const vectors: IdentityVectors = readVectors("identity.json");

describe("what a client makes of a server's key", () => {
  it.each(vectors.identities)("is as in the vectors: $fingerprint", async (expected) => {
    const identity = await importIdentity(hex(expected.seed));
    expect(toHex(identity.publicKey)).toBe(expected.publicKey);
    expect(identity.fingerprint).toBe(expected.fingerprint);
    expect(fingerprintWords(identity.fingerprint)).toBe(expected.words);
    expect(randomart(identity.fingerprint)).toEqual(expected.randomart);
  });

  it("is drawn as OpenSSH draws it", () => {
    const raw = hex("fc94b0c1e5b0987c5843997697ee9fb7");
    expect(randomart(base64url.encode(raw))).toEqual([
      "       .=o.  .   ",
      "     . *+*. o    ",
      "      =.*..o     ",
      "       o + ..    ",
      "        S o.     ",
      "         o  .    ",
      "          .  . . ",
      "              o .",
      "               E.",
    ]);
  });

  it("has words for a session as well", () => {
    expect(wordsOf(hex(vectors.session.secret))).toBe(vectors.session.words);
  });
});

describe("the proof of typed words", () => {
  const { th, cid, words, value } = vectors.proof;
  const proof = { th: hex(th), cid, words };

  it("is as in the vectors", async () => {
    expect(await wordsProof(proof)).toBe(value);
    expect(await isWordsProof(proof, value)).toBe(true);
  });

  it.each([
    ["another connection", { th: new Uint8Array(32) }],
    ["another challenge", { cid: "another" }],
    ["other words", { words: "abandon" }],
  ])("is none for %s", async (_what, change) => {
    expect(await isWordsProof({ ...proof, ...change }, value)).toBe(false);
  });
});

const nowMs = 1_796_500_000_000;
const term = { from: 1_796_000_000, until: 1_797_000_000 };

describe("a succession", () => {
  let keys: Identity[];
  let chain: Succession[];
  beforeAll(async () => {
    keys = await Promise.all(Array.from({ length: 6 }, async () => (await generateIdentity()).identity));
    chain = await Promise.all(
      keys.slice(0, 4).map((key, index) => signSuccession(key, keyAt(index + 1).publicKey, term)),
    );
  });
  const keyAt = (index: number): Identity => {
    const key = keys[index];
    if (key === undefined) throw new RangeError("no such key");
    return key;
  };
  const verified = (successions: readonly Succession[], pin: Identity, last: Identity, atMs = nowMs) =>
    verifySuccession({ successions, idKey: last.publicKey, pinned: pin.fingerprint, nowMs: atMs });

  it("is signed as in the vectors", async () => {
    const [one, two, three] = await Promise.all(vectors.identities.map(({ seed }) => importIdentity(hex(seed))));
    if (one === undefined || two === undefined || three === undefined) throw new Error("vectors");
    const [first, second] = vectors.successions;
    if (first === undefined || second === undefined) throw new Error("vectors");
    const made = await signSuccession(one, two.publicKey, first);
    expect(base64url.encode(made.sig)).toBe(first.sig);
    const read = [first, second].map(({ key, sig, ...rest }) => ({
      ...rest,
      key: base64url.decode(key),
      sig: base64url.decode(sig),
    }));
    await verified(read, one, three);
  });

  it("leads from each of the keys before to the one that signs now", async () => {
    for (const index of [0, 1, 2, 3]) await verified(chain, keyAt(index), keyAt(4));
  });

  it("leads neither back nor past the end nor from a key that is not in it", async () => {
    await expectRefused("pin", () => verified(chain, keyAt(4), keyAt(0)));
    await expectRefused("pin", () => verified(chain, keyAt(0), keyAt(3)));
    await expectRefused("pin", () => verified(chain, keyAt(5), keyAt(4)));
    await expectRefused("pin", () => verified([], keyAt(0), keyAt(4)));
    // Some key between left out.
    await expectRefused("pin", () => verified(chain.toSpliced(1, 1), keyAt(0), keyAt(4)));
  });

  it("counts neither before its time nor after it, whatever of it has passed", async () => {
    await expectRefused("pin", () => verified(chain, keyAt(0), keyAt(4), term.until * 1000));
    await expectRefused("pin", () => verified(chain, keyAt(0), keyAt(4), term.from * 1000 - 60_001));
    await verified(chain, keyAt(0), keyAt(4), term.from * 1000 - 60_000);
    const short = await signSuccession(keyAt(0), keyAt(1).publicKey, { ...term, until: 1_796_400_000 });
    await expectRefused("pin", () => verified([short, ...chain.slice(1)], keyAt(0), keyAt(4)));
    // Who pins a later key is not concerned.
    await verified([short, ...chain.slice(1)], keyAt(1), keyAt(4));
  });

  it("is refused where anything of it was changed", async () => {
    const [first, ...rest] = chain;
    if (first === undefined) throw new Error("chain");
    for (const sig of alterations(first.sig, 7))
      await expectRefused("pin", () => verified([{ ...first, sig }, ...rest], keyAt(0), keyAt(4)));
    await expectRefused("pin", () => verified([{ ...first, until: first.until + 1 }, ...rest], keyAt(0), keyAt(4)));
    await expectRefused("pin", () => verified([{ ...first, from: first.from - 1 }, ...rest], keyAt(0), keyAt(4)));
  });

  it("is refused where somebody else signed it, or the key signed something else", async () => {
    const forged = { ...(await signSuccession(keyAt(5), keyAt(4).publicKey, term)), key: keyAt(0).publicKey };
    await expectRefused("pin", () => verified([forged], keyAt(0), keyAt(4)));
    const sig = await sign(keyAt(0), "bundle", chain[0]?.sig ?? new Uint8Array());
    await expectRefused("pin", () => verified([{ ...forged, sig }], keyAt(0), keyAt(4)));
  });

  it("is refused where it goes in a circle, and where it is longer than any may be", async () => {
    const back = await signSuccession(keyAt(1), keyAt(0).publicKey, term);
    const again = await signSuccession(keyAt(0), keyAt(4).publicKey, term);
    await expectRefused("pin", () =>
      verified(
        [chain[0], back, again].flatMap((each) => each ?? []),
        keyAt(0),
        keyAt(4),
      ),
    );
    await expectRefused("pin", () =>
      verified(
        [chain[0], back].flatMap((each) => each ?? []),
        keyAt(1),
        keyAt(0),
      ),
    );
    const fifth = await signSuccession(keyAt(4), keyAt(5).publicKey, term);
    await expectRefused("pin", () => verified([...chain, fifth], keyAt(0), keyAt(5)));
  });

  describe("in a bundle", () => {
    async function helloOf(identity: Identity, successions: readonly Succession[] = []): Promise<Hello> {
      const { publicKey } = await generateKemKeyPair("0020");
      const content = { kid: "k1", suites: { "0020": publicKey }, exp: nowMs / 1000 + 60, successions };
      const { bundle, sig } = await signBundle(identity, content);
      return { bundle, sig, hid: `edge1.${"A".repeat(22)}`, nonce: new Uint8Array(32) };
    }

    it("makes a pinned client take the new key, and say which it was told", async () => {
      const hello = await helloOf(keyAt(1), chain.slice(0, 1));
      const old = keyAt(0).fingerprint;
      const seen = await verifyBundle({ hello, pinnedFingerprint: old, nowMs });
      expect(seen).toMatchObject({ pinned: true, fingerprint: keyAt(1).fingerprint, successorOf: old });
      const own = await verifyBundle({ hello, pinnedFingerprint: keyAt(1).fingerprint, nowMs });
      expect(own.successorOf).toBe(null);
    });

    it("is no way back to the old key, for who pins the new one", async () => {
      const hello = await helloOf(keyAt(0));
      await expectRefused("pin", () => verifyBundle({ hello, pinnedFingerprint: keyAt(1).fingerprint, nowMs }));
    });

    it("that the new key did not sign is refused", async () => {
      // Whoever has the old bundle's succession, and not the new key.
      const hello = await helloOf(keyAt(5), chain.slice(0, 1));
      const bundle = encodeBundle({
        kid: "k1",
        suites: { "0020": (await generateKemKeyPair("0020")).publicKey },
        idKey: keyAt(1).publicKey,
        exp: nowMs / 1000 + 60,
        successions: chain.slice(0, 1),
      });
      const sig = await sign(keyAt(5), "bundle", bundle);
      const pinnedFingerprint = keyAt(0).fingerprint;
      await expectRefused("pin", () => verifyBundle({ hello, pinnedFingerprint, nowMs }));
      await expectRefused("signature", () =>
        verifyBundle({ hello: { ...hello, bundle, sig }, pinnedFingerprint, nowMs }),
      );
    });

    it("fits, four of them with every suite", async () => {
      const [one, two] = await Promise.all([generateKemKeyPair("0020"), generateKemKeyPair("647a")]);
      const suites = { "0020": one.publicKey, "647a": two.publicKey };
      const content = { kid: "k".repeat(64), suites, exp: nowMs / 1000, successions: chain };
      expect((await signBundle(keyAt(4), content)).bundle.length).toBeLessThanOrEqual(4096);
    });
  });
});
