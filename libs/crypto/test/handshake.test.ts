import {
  base64url,
  encodeHello,
  encodeOpen,
  type Hello,
  ProtocolError,
  parseHello,
  parseOpen,
} from "@portcullis/protocol";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type AppKey,
  appKeyPsk,
  appKeyPskId,
  CryptoError,
  chooseSuite,
  formatAppKey,
  generateAppKey,
  generateIdentity,
  generateKemKeyPair,
  hasSuite,
  helloHash,
  type Identity,
  importIdentity,
  type KemKeyPair,
  openBox,
  type Psk,
  parseAppKey,
  sealOpen,
  signBundle,
  verifyBundle,
} from "../src/mod.ts";
import { alterations, expectRefused } from "./support.ts";

const nowMs = 1_800_000_000_000;
const expSeconds = 1_800_000_060;
const payload = { dst: { label: "demo", path: "blue-heron", query: "myid=bob", id: "bob" } };

let identity: Identity;
let hybrid: KemKeyPair;
let classic: KemKeyPair;
let hello: Hello;
let h0: Uint8Array;
let key: AppKey;
let psk: Psk;

beforeAll(async () => {
  ({ identity } = await generateIdentity());
  [hybrid, classic] = await Promise.all([generateKemKeyPair("647a"), generateKemKeyPair("0020")]);
  const suites = { "647a": hybrid.publicKey, "0020": classic.publicKey };
  const signed = await signBundle(identity, { kid: "k1", suites, exp: expSeconds });
  hello = { ...signed, hid: `edge-1.${"A".repeat(22)}`, nonce: crypto.getRandomValues(new Uint8Array(32)) };
  h0 = await helloHash(hello);
  key = generateAppKey(identity.fingerprint);
  psk = { id: appKeyPskId(key.keyId), secret: await appKeyPsk(key.secret) };
});

const pairOf = (suite: "647a" | "0020"): KemKeyPair => (suite === "647a" ? hybrid : classic);
const seal = (suite: "647a" | "0020", key: Psk | null = psk) =>
  sealOpen({ hello, suite, publicKey: pairOf(suite).publicKey, psk: key, payload });

describe("a pinned client", () => {
  const verify = (change: Partial<Hello> = {}, pinned: string | null = identity.fingerprint, now = nowMs) =>
    verifyBundle({ hello: { ...hello, ...change }, pinnedFingerprint: pinned, nowMs: now });

  it("takes its own server's bundle, from the frame as it was sent", async () => {
    const received = parseHello(encodeHello(hello));
    expect(received).toEqual(hello);
    const verified = await verifyBundle({ hello: received, pinnedFingerprint: key.fingerprint, nowMs });
    expect(verified.pinned).toBe(true);
    expect(verified.bundle.kid).toBe("k1");
    expect((await verify({}, null)).pinned).toBe(false);
  });

  it("refuses another server before it looks at anything else", async () => {
    const other = (await generateIdentity()).identity;
    const signed = await signBundle(other, { kid: "k1", suites: { "0020": classic.publicKey }, exp: 0 });
    await expectRefused("pin", () => verify(signed));
    await expectRefused("pin", () => verify({}, other.fingerprint));
    await expectRefused("pin", () => verify({}, ""));
    await expectRefused("expired", () => verify(signed, null));
  });

  it("refuses every altered byte of bundle and signature", async () => {
    for (const bundle of alterations(hello.bundle)) await expect(verify({ bundle })).rejects.toThrow();
    for (const sig of alterations(hello.sig)) await expectRefused("signature", () => verify({ sig }));
  });

  it("refuses a bundle that is past its time, and a clock that is none", async () => {
    await expect(verify({}, identity.fingerprint, expSeconds * 1000 + 60_000)).resolves.toBeDefined();
    await expectRefused("expired", () => verify({}, identity.fingerprint, expSeconds * 1000 + 60_001));
    await expectRefused("expired", () => verify({}, identity.fingerprint, Number.NaN));
  });
});

describe.each(["647a", "0020"] as const)("open under %s", (suite) => {
  const open = (frame: string, change: Partial<Parameters<typeof openBox>[0]> = {}) =>
    openBox({ h0, privateKey: pairOf(suite).privateKey, open: parseOpen(frame), psk: psk.secret, ...change });

  it("opens for the holder of the app key, to the same secrets on both sides, anew each time", async () => {
    const [one, two] = [await seal(suite), await seal(suite)];
    const opened = await open(one.frame);
    expect(JSON.parse(Buffer.from(opened.payload).toString())).toEqual(payload);
    expect(opened.handshake).toEqual(one.handshake);
    expect(one.handshake.prk).not.toEqual(two.handshake.prk);
    expect(one.handshake.th).not.toEqual(two.handshake.th);
  });

  it("does not open with a wrong key, without a key, or in the other mode", async () => {
    const { frame } = await seal(suite);
    await expectRefused("box", () => open(frame, { psk: new Uint8Array(32) }));
    await expectRefused("box", () => open(frame, { psk: null }));
    await expectRefused("box", () => open(frame, { psk: new Uint8Array() }));
    const base = await seal(suite, null);
    await expectRefused("box", () => open(base.frame));
    await expect(open(base.frame, { psk: null })).resolves.toBeDefined();
  });

  it("does not open when somebody drops the key's id, or puts another's in", async () => {
    const { open: parts } = await seal(suite);
    await expectRefused("box", () => open(encodeOpen({ ...parts, psk: "" }), { psk: null }));
    await expectRefused("box", () => open(encodeOpen({ ...parts, psk: `k:${"A".repeat(16)}` })));
  });

  it("does not open when any byte of enc or box was altered", async () => {
    const { open: parts } = await seal(suite);
    const opens = (change: object) =>
      openBox({ h0, privateKey: pairOf(suite).privateKey, open: { ...parts, ...change }, psk: psk.secret });
    for (const enc of alterations(parts.enc, suite === "647a" ? 41 : 1)) {
      // X25519 ignores the top bit of a point (RFC 7748 section 5); HPKE hashes enc as sent, so even that does not open.
      await expectRefused("box", () => opens({ enc }));
    }
    for (const box of alterations(parts.box, 7)) await expectRefused("box", () => opens({ box }));
  });

  it("does not open when any byte of the hello differed: hello and open are one transcript", async () => {
    const { open: parts } = await seal(suite);
    const differing: Hello[] = [
      ...[...alterations(hello.bundle, 97)].map((bundle) => ({ ...hello, bundle })),
      ...[...alterations(hello.sig, 9)].map((sig) => ({ ...hello, sig })),
      ...[...alterations(hello.nonce, 5)].map((nonce) => ({ ...hello, nonce })),
      { ...hello, hid: `edge-2.${"A".repeat(22)}` },
    ];
    for (const other of differing) {
      const otherH0 = await helloHash(other);
      expect(otherH0).not.toEqual(h0);
      await expectRefused("box", () =>
        openBox({ h0: otherH0, privateKey: pairOf(suite).privateKey, open: parts, psk: psk.secret }),
      );
    }
  });

  it("an empty or short PSK is refused, never taken for Base mode", async () => {
    await expectRefused("psk", () => seal(suite, { id: psk.id, secret: new Uint8Array() }));
    await expectRefused("psk", () => seal(suite, { id: psk.id, secret: new Uint8Array(31) }));
    await expectRefused("psk", () => seal(suite, { id: "", secret: psk.secret }));
    await expectRefused("psk", () => seal(suite, { id: "", secret: new Uint8Array() }));
    await expect(seal(suite, { id: "x:AAAAAAAAAAAAAAAA", secret: psk.secret })).rejects.toThrow(ProtocolError);
  });

  it("a public key that is none is refused", async () => {
    const publicKey = new Uint8Array(pairOf(suite).publicKey.length);
    await expectRefused("key", () => sealOpen({ hello, suite, publicKey, psk, payload }));
    await expectRefused("key", () => sealOpen({ hello, suite, publicKey: publicKey.slice(1), psk, payload }));
  });
});

describe("downgrade", () => {
  it("a swapped suite does not open, at either label", async () => {
    const { open: parts } = await seal("0020");
    const asHybrid = { ...parts, suite: "647a" as const };
    expect(() => encodeOpen(asHybrid)).toThrow(ProtocolError);
    await expectRefused("box", () => openBox({ h0, privateKey: hybrid.privateKey, open: asHybrid, psk: psk.secret }));
    await expectRefused("box", () => openBox({ h0, privateKey: classic.privateKey, open: asHybrid, psk: psk.secret }));
    await expectRefused("box", () => openBox({ h0, privateKey: hybrid.privateKey, open: parts, psk: psk.secret }));
  });

  it("a bundle stripped of the better suite is not signed, and does not open for whoever pins nothing", async () => {
    const stripped = JSON.parse(Buffer.from(hello.bundle).toString());
    delete stripped.suites["647a"];
    const forged: Hello = { ...hello, bundle: new TextEncoder().encode(JSON.stringify(stripped)) };
    await expectRefused("signature", () =>
      verifyBundle({ hello: forged, pinnedFingerprint: identity.fingerprint, nowMs }),
    );
    await expectRefused("signature", () => verifyBundle({ hello: forged, pinnedFingerprint: null, nowMs }));
    const { open } = await sealOpen({ hello: forged, suite: "0020", publicKey: classic.publicKey, psk: null, payload });
    await expectRefused("box", () => openBox({ h0, privateKey: classic.privateKey, open, psk: null }));
  });

  it("the better suite is chosen where both have it, and a client's floor holds", async () => {
    expect([await hasSuite("647a"), await hasSuite("0020")]).toEqual([true, true]);
    const both = { "0020": classic.publicKey, "647a": hybrid.publicKey };
    expect((await chooseSuite(both)).suite).toBe("647a");
    expect((await chooseSuite(both, ["0020"])).suite).toBe("0020");
    await expectRefused("suite", () => chooseSuite({ "0020": classic.publicKey }, ["647a"]));
    await expectRefused("suite", () => chooseSuite({}));
  });
});

describe("identity and app keys", () => {
  it("an identity comes back from its seed and from PKCS #8, and from nothing else", async () => {
    const { identity: made, seed } = await generateIdentity((length) => new Uint8Array(length).fill(7));
    expect(seed).toEqual(new Uint8Array(32).fill(7));
    const pkcs8 = new Uint8Array([...Buffer.from("302e020100300506032b657004220420", "hex"), ...seed]);
    expect((await importIdentity(pkcs8)).fingerprint).toBe(made.fingerprint);
    expect(made.fingerprint).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(made.privateKey.extractable).toBe(false);
    await expectRefused("key", () => importIdentity(new Uint8Array(31)));
    await expectRefused("key", () => importIdentity(pkcs8.slice(1)));
  });

  it("an app key survives its text form and differs each time", () => {
    expect(parseAppKey(formatAppKey(key))).toEqual(key);
    expect(generateAppKey(identity.fingerprint).secret).not.toEqual(key.secret);
    expect(formatAppKey(key)).toMatch(/^pc1\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{22}$/);
  });

  it("an ill-formed app key is refused by an error that does not hold it", () => {
    const good = formatAppKey(key);
    const secret = base64url.encode(key.secret);
    for (const text of [
      "",
      good.slice(1),
      `${good}x`,
      ` ${good}`,
      good.replace("pc1", "pc2"),
      good.replace(secret, `${secret.slice(0, 42)}B`),
    ]) {
      let error: unknown;
      try {
        parseAppKey(text);
      } catch (caught) {
        error = caught;
      }
      expect(error, text).toBeInstanceOf(CryptoError);
      expect(String((error as CryptoError).stack)).not.toContain(secret.slice(0, 20));
    }
    expect(() => generateAppKey("short")).toThrow(CryptoError);
  });
});
