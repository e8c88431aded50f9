import {
  base64url,
  pad,
  parseApplicationDown,
  parseApplicationUp,
  parseGroupDown,
  parseGroupRecord,
  parseHello,
  parseOpen,
  parseRecord,
  parseServerPlaintext,
  utf8,
} from "@portcullis/protocol";
import { describe, expect, it } from "vitest";
import type { QuestionVectors, SealedVectors } from "../../../test/vectors/build.ts";
import {
  advanceChain,
  answerProof,
  appKeyPsk,
  applicationSecrets,
  chainStart,
  expand,
  extract,
  finish,
  formatAnswerSecret,
  formatAppKey,
  groupStepsOn,
  handshakeKeys,
  helloHash,
  importIdentity,
  importKemKeyPair,
  isAnswerProof,
  L,
  openBox,
  openGroupRecord,
  openRecord,
  parkedPsk,
  parkedPskId,
  parseAnswerSecret,
  parseAppKey,
  resumePskId,
  sealGroupRecord,
  sealRecord,
  signBundle,
  verifyBundle,
} from "../src/mod.ts";
import { hex, readVectors, schedule, toHex } from "./support.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

describe("HKDF", () => {
  it("extracts as RFC 5869 A.1 says", async () => {
    const prk = await extract(hex("000102030405060708090a0b0c"), hex("0b".repeat(22)));
    expect(toHex(prk)).toBe("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
  });

  it("expands as WebCrypto's own HKDF does, over several blocks", async () => {
    const [salt, ikm, context] = [utf8("salt"), utf8("ikm"), utf8("context")];
    const key = await crypto.subtle.importKey("raw", ikm, "HKDF", false, ["deriveBits"]);
    const info = new Uint8Array([...L("label"), ...context]);
    const bits = await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info }, key, 100 * 8);
    expect(await expand(await extract(salt, ikm), "label", context, 100)).toEqual(new Uint8Array(bits));
  });
});

describe.each(schedule)("every derivation of the vector: $name", (vector) => {
  const hello = parseHello(vector.hello.frame);
  const open = parseOpen(vector.open.frame);

  it("identity, fingerprint and the signed bundle", async () => {
    const identity = await importIdentity(hex(vector.identity.seed));
    expect(toHex(identity.publicKey)).toBe(vector.identity.publicKey);
    expect(identity.fingerprint).toBe(vector.identity.fingerprint);
    const bundle = JSON.parse(vector.hello.bundle);
    const signed = await signBundle(identity, {
      kid: bundle.kid,
      suites: { [vector.suite]: hex(vector.kem.publicKey) },
      exp: bundle.exp,
    });
    expect(text(signed.bundle)).toBe(vector.hello.bundle);
    expect(toHex(signed.sig)).toBe(vector.hello.sig);
    const verified = await verifyBundle({ hello, pinnedFingerprint: identity.fingerprint, nowMs: bundle.exp * 1000 });
    expect(verified.pinned).toBe(true);
    expect(toHex(await helloHash(hello))).toBe(vector.hello.h0);
  });

  it("app key and its PSK", async () => {
    if (vector.appKey === null) {
      const kind = vector.before?.of === "session" ? "r:" : "h:";
      expect(open.psk.slice(0, 2)).toBe(vector.before === null ? "" : kind);
      return;
    }
    const key = parseAppKey(vector.appKey.text);
    expect(formatAppKey(key)).toBe(vector.appKey.text);
    expect([key.keyId, toHex(key.secret), key.fingerprint]).toEqual([
      vector.appKey.keyId,
      vector.appKey.secret,
      vector.identity.fingerprint,
    ]);
    expect(toHex(await appKeyPsk(key.secret))).toBe(vector.appKey.psk);
  });

  it("box, transcript hash and pseudorandom key", async () => {
    const { privateKey } = await importKemKeyPair(vector.suite, hex(vector.kem.secret), hex(vector.kem.publicKey));
    const { payload, handshake } = await openBox({
      h0: hex(vector.hello.h0),
      privateKey,
      open,
      psk: vector.before !== null ? hex(vector.before.psk) : vector.appKey === null ? null : hex(vector.appKey.psk),
    });
    expect(text(payload)).toBe(vector.open.payload);
    expect(toHex(pad(payload))).toBe(vector.open.padded);
    expect(toHex(handshake.th)).toBe(vector.schedule.th);
    expect(toHex(handshake.prk)).toBe(vector.schedule.prk);
    expect(toHex(await extract(handshake.th, hex(vector.schedule.exported)))).toBe(vector.schedule.prk);
    const keys = await handshakeKeys(handshake.prk);
    expect([toHex(keys.client), toHex(keys.server)]).toEqual([
      vector.schedule.clientHandshake,
      vector.schedule.serverHandshake,
    ]);
  });

  it("records, chains and finish", async () => {
    const handshake = await handshakeKeys(hex(vector.schedule.prk));
    const application = await applicationSecrets(hex(vector.schedule.prk), hex(vector.finish.F));
    const chains = { client: chainStart(), server: chainStart() };
    const check = async (expected: (typeof vector.records)[number] | typeof vector.accepted) => {
      const secrets = expected.type < 0x20 ? handshake : application;
      const secret = expected.from === "client" ? secrets.client : secrets.server;
      const { record: frame } = expected;
      expect(text(await openRecord({ secret, record: hex(frame) }))).toBe(expected.plaintext);
      const sealed = await sealRecord({ ...parseRecord(hex(frame)), secret, plaintext: utf8(expected.plaintext) });
      expect(toHex(sealed)).toBe(frame);
    };
    for (const expected of vector.records) {
      await check(expected);
      chains[expected.from] = await advanceChain(chains[expected.from], utf8(expected.plaintext));
      expect(toHex(chains[expected.from])).toBe(expected.chain);
    }
    await check(vector.accepted);
    for (const expected of vector.applicationRecords) await check(expected);

    const progress = {
      th: hex(vector.schedule.th),
      clientCount: vector.finish.clientCount,
      clientChain: chains.client,
      serverCount: vector.finish.serverCount,
      serverChain: chains.server,
    };
    expect(toHex(await finish(progress))).toBe(vector.finish.F);
    const accepted = parseServerPlaintext(utf8(vector.accepted.plaintext));
    if (accepted.t !== "accepted") throw new Error("the vector ends otherwise");
    expect(toHex(base64url.decode(accepted.F))).toBe(vector.finish.F);
    for (const other of [
      { ...progress, serverCount: progress.serverCount + 1 },
      { ...progress, clientChain: hex("11".repeat(32)) },
    ])
      expect(toHex(await finish(other))).not.toBe(vector.finish.F);
  });

  it("what a client comes back by", async () => {
    expect(toHex(await parkedPsk(hex(vector.schedule.prk)))).toBe(vector.schedule.park);
    if (vector.before === null) return;
    const { of, id, secret, psk } = vector.before;
    expect(toHex(await expand(hex(secret), of === "session" ? "resume" : "park"))).toBe(psk);
    expect(of === "session" ? resumePskId(id) : parkedPskId(id)).toBe(open.psk);
    if (of === "handshake") expect(toHex(await parkedPsk(hex(secret)))).toBe(psk);
  });

  it("application secrets", async () => {
    const secrets = await applicationSecrets(hex(vector.schedule.prk), hex(vector.finish.F));
    expect(Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, toHex(value)]))).toEqual({
      client: vector.application.client,
      server: vector.application.server,
      resume: vector.application.resume,
      stepUp: vector.application.stepUp,
      words: vector.application.words,
    });
    expect(toHex(await extract(hex(vector.finish.F), hex(vector.schedule.prk)))).toBe(vector.application.prk2);
  });
});

describe("sealed messages", () => {
  const vectors: SealedVectors = readVectors("sealed.json");
  const { grant, message } = vectors;
  const group = { socketId: grant.socket, secret: base64url.decode(grant.key) };

  it("for one are what the vectors say", async () => {
    for (const { from, plaintext, record } of vectors.records) {
      const secret = hex(from === "client" ? vectors.client : vectors.server);
      expect(toHex(await openRecord({ secret, record: hex(record) }))).toBe(plaintext);
      const again = await sealRecord({ ...parseRecord(hex(record)), secret, plaintext: hex(plaintext) });
      expect(toHex(again)).toBe(record);
    }
    const [said, asked, answered] = vectors.records.flatMap((each) =>
      each.from === "client" ? [hex(each.plaintext)] : [],
    );
    const told = vectors.records.flatMap((each) => (each.from === "server" ? [hex(each.plaintext)] : []));
    expect(parseApplicationUp(said ?? hex(""))).toEqual({
      t: "message",
      counter: 3,
      head: {},
      body: hex(message.body),
    });
    expect(parseApplicationUp(asked ?? hex(""))).toEqual({ t: "catch-up", after: 41 });
    expect(told.map(parseApplicationDown)).toEqual([
      { t: "message", ...message, body: hex(message.body) },
      { t: "caught-up", through: 42, complete: true, more: false, group: grant },
      { t: "grant", group: grant },
      { t: "revoked", what: "policy-changed" },
      expect.objectContaining({ t: "challenge", n: 65_537, options: [{ at: "0", gate: "otp" }] }),
      { t: "stepped-up", n: 65_538, gates: ["otp"], until: 1_795_000_300_000 },
    ]);
    expect(parseApplicationUp(answered ?? hex(""))).toMatchObject({
      t: "answer",
      gate: "otp",
      value: "123456",
      at: "0",
    });
  });

  it("for everybody are what the vectors say", async () => {
    const signing = await importIdentity(hex(vectors.epochSeed));
    expect(base64url.encode(signing.publicKey)).toBe(grant.verify);
    for (const { step, groupKey, plaintext, record, header, ciphertext, signature } of vectors.groupRecords) {
      const parsed = parseGroupRecord(hex(record));
      const secret = await groupStepsOn(group.secret, step);
      expect([parsed.step, toHex(secret)]).toEqual([step, groupKey]);
      const here = { ...group, secret };
      expect([toHex(parsed.header), toHex(parsed.ciphertext), toHex(parsed.signature)]).toEqual([
        header,
        ciphertext,
        signature,
      ]);
      expect(toHex(await openGroupRecord({ ...here, verifyKey: signing.publicKey, record: parsed }))).toBe(plaintext);
      expect(toHex(await sealGroupRecord({ ...here, ...parsed, signing, plaintext: hex(plaintext) }))).toBe(record);
    }
    expect(vectors.groupRecords.map(({ plaintext }) => parseGroupDown(hex(plaintext)))).toEqual([
      { t: "message", ...message, body: hex(message.body) },
      { t: "tick", place: 42 },
      { t: "message", ...message, body: hex(message.body) },
      { t: "message", ...message, body: hex(message.body) },
    ]);
  });
});

describe("the proof for a question", () => {
  const vectors: QuestionVectors = readVectors("question.json");
  const secret = parseAnswerSecret(vectors.secret);

  it.each(vectors.proofs)("is what the vector says: $statement", async ({ th, value, ...rest }) => {
    const proof = { secret, th: hex(th), ...rest };
    expect(await answerProof(proof)).toBe(value);
    expect(await isAnswerProof(proof, value)).toBe(true);
    for (const other of [
      { ...proof, cid: "other" },
      { ...proof, statement: `${proof.statement} more` },
      { ...proof, choice: "" },
      { ...proof, th: new Uint8Array(32) },
      { ...proof, secret: new Uint8Array(32) },
    ])
      expect(await isAnswerProof(other, value)).toBe(false);
    for (const wrong of ["", value.slice(1), `${value}=`, "A".repeat(43)])
      expect(await isAnswerProof(proof, wrong)).toBe(false);
  });

  it("takes a secret that is one", () => {
    const secret = new Uint8Array(32).fill(7);
    expect(parseAnswerSecret(formatAnswerSecret(secret))).toEqual(secret);
    for (const text of ["", vectors.secret.slice(0, -1), vectors.secret.replace("pa1", "pc1"), `${vectors.secret}A`])
      expect(() => parseAnswerSecret(text)).toThrow(expect.objectContaining({ name: "CryptoError", code: "key" }));
  });
});
