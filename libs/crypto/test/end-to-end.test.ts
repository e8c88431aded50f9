import {
  base64url,
  type DirectoryEntry,
  encodeContent,
  encodeSealedHeader,
  isSealedBody,
  pad,
  parseSealedBody,
  type SealedBody,
  type SuiteId,
  utf8,
} from "@portcullis/protocol";
import { beforeAll, describe, expect, it } from "vitest";
import { buildE2e, type E2eVectors } from "../../../test/vectors/build-e2e.ts";
import {
  endToEndFingerprint,
  fingerprint,
  generateEndToEndIdentity,
  type Identity,
  importEndToEndIdentity,
  importKemKeyPair,
  type KemKeyPair,
  L,
  openBody,
  prekeyPair,
  prekeySuites,
  sealBody,
  secureRandom,
  sign,
  signIdentityStatement,
  signPrekeyStatement,
  verifyDirectoryEntry,
} from "../src/mod.ts";
import { hpkeSuite } from "../src/suites.ts";
import { fingerprintWords } from "../src/words.ts";
import { alterations, expectRefused, hex, readVectors, toHex } from "./support.ts";

const vectors: E2eVectors = readVectors("e2e.json");
const { entry: listed, messages, identities } = vectors;
const entry: DirectoryEntry = { name: listed.name, history: listed.history, prekey: listed.prekey };
const whose = { socket: listed.socket, name: listed.name };
const [first, second, member] = identities;
const prints = [first, second, member].map((one) => one?.fingerprint ?? "");

describe("the vectors", () => {
  it("are what the second implementation computes from their seeds", () => {
    expect(buildE2e(vectors)).toEqual(vectors);
  });

  it.each(identities)("name the identity $fingerprint as this implementation does", async (one) => {
    const identity = await importEndToEndIdentity(one.text);
    expect([toHex(identity.publicKey), identity.fingerprint]).toEqual([one.publicKey, one.fingerprint]);
    expect(fingerprintWords(one.fingerprint)).toBe(one.words);
    // What a client pins of a server is never by accident what it pins of a recipient.
    expect(await fingerprint(identity.publicKey)).not.toBe(one.fingerprint);
  });

  it("have an entry that leads from the first identity to the second, and not back", async () => {
    const { nowMs } = listed;
    const verify = (pinned: string | null) => verifyDirectoryEntry({ entry, ...whose, pinned, nowMs });
    expect(await verify(prints[0] ?? "")).toMatchObject({ fingerprint: prints[1], successorOf: prints[0] });
    expect(await verify(prints[1] ?? "")).toMatchObject({ fingerprint: prints[1], successorOf: null });
    expect(toHex((await verify(null)).prekey?.id ?? new Uint8Array())).toBe(listed.prekeyId);
    await expectRefused("pin", () => verify(prints[2] ?? ""));
  });

  it.each(messages)("$title: opens to what was sealed", async (vector) => {
    const { socket, sid, suite, recipient } = vector;
    const { privateKey } = await importKemKeyPair(suite, hex(vector.secret), hex(vector.publicKey));
    const content = await openBody({ socket, sid, recipient, privateKey, body: parseSealedBody(hex(vector.body)) });
    expect(await endToEndFingerprint(content.sender)).toBe(vector.sender);
    expect([toHex(content.signed), toHex(content.signature)]).toEqual([vector.content, vector.sig]);
    expect([toHex(content.messageId), content.seq]).toEqual([vector.messageId, vector.seq]);
    expect(Buffer.from(content.body).toString()).toBe(vector.text);
    expect(content.reply === null).toBe(vector.reply === "");
  });
});

describe("an entry of a directory", () => {
  const [one, two] = listed.history;
  if (one === undefined || two === undefined) throw new Error("no history");
  const { sigBefore: _sigBefore, ...unsigned } = { sigBefore: undefined, ...two };
  const verify = (changed: Partial<DirectoryEntry>, more: object = {}) =>
    verifyDirectoryEntry({
      entry: { ...entry, ...changed },
      ...whose,
      pinned: prints[0] ?? "",
      nowMs: listed.nowMs,
      ...more,
    });

  it.each<[string, Partial<DirectoryEntry>, object]>([
    ["without the signature of the identity before", { history: [one, unsigned] }, {}],
    ["with the signatures changed for each other", { history: [one, { ...two, sigBefore: two.sig }] }, {}],
    ["in another order", { history: [two, one] }, {}],
    ["with an identity twice", { history: [one, two, two] }, {}],
    ["of nobody", { history: [] }, {}],
    ["of more than may be", { history: Array.from({ length: 9 }, () => one) }, {}],
    ["of another socket", {}, { socket: "other" }],
    ["of another name", {}, { name: "other" }],
    ["with a prekey that the identity before would have to have signed", { history: [one] }, {}],
    ["with another signature of the prekey", { prekey: { ...listed.prekey, sig: one.sig } }, {}],
  ])("is refused %s", async (_what, changed, more) => {
    await expectRefused("signature", () => verify(changed, more));
  });

  it("is refused before the prekey's time and behind it, give or take what clocks differ by", async () => {
    const at = (nowMs: number) => verify({}, { nowMs });
    const { from, until } = JSON.parse(Buffer.from(listed.prekey.statement, "base64url").toString());
    await expectRefused("expired", () => at(from - 300_001));
    await expectRefused("expired", () => at(until + 300_001));
    expect((await at(from - 300_000)).prekey).not.toBe(null);
    expect((await at(until + 300_000)).prekey).not.toBe(null);
  });

  it("is refused where its key has signed the same for another purpose", async () => {
    const identity = await importEndToEndIdentity(generateEndToEndIdentity());
    const signed = await signIdentityStatement({ ...whose, identity, before: null, atMs: 1 });
    const statement = base64url.decode(signed.statement);
    for (const label of ["e2e", "e2e prekey", "e2e successor", "receipt"]) {
      const sig = base64url.encode(await sign(identity, label, statement));
      const { prekey: _prekey, ...bare } = entry;
      const forged = { ...bare, history: [{ ...signed, sig }] };
      await expectRefused("signature", () => verifyDirectoryEntry({ entry: forged, ...whose, pinned: null, nowMs: 1 }));
    }
  });

  it("fits into an answer with as many identities, as long names and as large a prekey as there may be", async () => {
    const long = { socket: "s".repeat(63), name: "n".repeat(64) };
    const history = [];
    let before: Identity | null = null;
    for (let index = 0; index < 8; index += 1) {
      const identity = await importEndToEndIdentity(generateEndToEndIdentity());
      history.push(await signIdentityStatement({ ...long, identity, before, atMs: Number.MAX_SAFE_INTEGER }));
      before = identity;
    }
    if (before === null) throw new Error("nobody");
    const suites = await prekeySuites(secureRandom(32));
    expect(Object.keys(suites).toSorted()).toEqual(["0020", "647a"]);
    const term = { from: Number.MAX_SAFE_INTEGER - 1, until: Number.MAX_SAFE_INTEGER };
    const prekey = await signPrekeyStatement(before, { ...long, id: secureRandom(8), suites, ...term });
    const answer = JSON.stringify({ t: "entry", ref: "r".repeat(64), name: long.name, history, prekey });
    expect(answer.length).toBeLessThanOrEqual(8_188);
  });
});

describe.each(["0020", "647a"] as const)("a body under %s", (suite: SuiteId) => {
  const place = { socket: "demo", sid: "sid-1" };
  let sender: Identity;
  let recipient: Identity;
  let pair: KemKeyPair;
  let body: Uint8Array;
  const keyId = secureRandom(8);
  beforeAll(async () => {
    [sender, recipient] = await Promise.all([
      importEndToEndIdentity(generateEndToEndIdentity()),
      importEndToEndIdentity(generateEndToEndIdentity()),
    ]);
    pair = await prekeyPair(secureRandom(32), suite);
    body = await sealBody({
      ...place,
      sender,
      to: to(),
      messageId: secureRandom(16),
      seq: 3,
      reply: null,
      body: utf8("hi"),
    });
  });
  const to = () => ({ fingerprint: recipient.fingerprint, keyId, suite, publicKey: pair.publicKey });
  const open = (sealed: SealedBody, more: object = {}) =>
    openBody({ ...place, recipient: recipient.fingerprint, privateKey: pair.privateKey, body: sealed, ...more });

  it("opens where it was said, and nowhere else", async () => {
    const parsed = parseSealedBody(body);
    expect((await open(parsed)).seq).toBe(3);
    await expectRefused("box", () => open(parsed, { socket: "other" }));
    await expectRefused("box", () => open(parsed, { sid: "sid-2" }));
    // What two fields share is not one field and another.
    await expectRefused("box", () => open(parsed, { socket: "demosid-1", sid: "" }));
    await expectRefused("box", () => open(parsed, { recipient: sender.fingerprint }));
    const { privateKey } = await prekeyPair(secureRandom(32), suite);
    await expectRefused("box", () => open(parsed, { privateKey }));
  });

  it("does not open with any byte changed", async () => {
    for (const altered of alterations(body, suite === "0020" ? 7 : 101)) {
      if (!isSealedBody(altered)) continue;
      await expectRefused("box", () => open(parseSealedBody(altered)));
    }
  });

  /** What an insider would seal who follows no rule: by hand, to the right key. */
  async function byHand(content: Uint8Array, padded = pad(content)): Promise<SealedBody> {
    const header = encodeSealedHeader({ recipient: base64url.decode(recipient.fingerprint), keyId, suite });
    const hpke = await hpkeSuite(suite);
    const lp = (text: string) => Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]);
    const info = Buffer.concat([L("e2e"), lp(place.socket), lp(place.sid), base64url.decode(recipient.fingerprint)]);
    const key = await hpke.DeserializePublicKey(pair.publicKey);
    const { ctx, encapsulatedSecret } = await hpke.SetupSender(key, { info: new Uint8Array(info) });
    const box = await ctx.Seal(padded, header);
    return parseSealedBody(new Uint8Array(Buffer.concat([header, encapsulatedSecret, box])));
  }

  it("does not open with content that nobody would seal", async () => {
    const header = encodeSealedHeader({ recipient: base64url.decode(recipient.fingerprint), keyId, suite });
    const said = { sender: sender.publicKey, messageId: new Uint8Array(16), seq: 0, reply: null, body: utf8("x") };
    const signedBy = async (content: Uint8Array, label = "e2e", at = place) => {
      const lp = (text: string) => Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]);
      const message = Buffer.concat([lp(at.socket), lp(at.sid), header, content]);
      return new Uint8Array(Buffer.concat([content, await sign(sender, label, new Uint8Array(message))]));
    };
    const good = encodeContent(said);
    expect((await open(await byHand(await signedBy(good)))).seq).toBe(0);
    const stranger = encodeContent({ ...said, sender: recipient.publicKey });
    const bad: [string, Uint8Array][] = [
      ["another's key than signed", await signedBy(stranger)],
      ["signed for another purpose", await signedBy(good, "e2e prekey")],
      ["signed for another session", await signedBy(good, "e2e", { ...place, sid: "sid-2" })],
      ["nothing", new Uint8Array()],
      ["a signature only", new Uint8Array(64)],
      ["more behind the text", await signedBy(new Uint8Array([...good, 0]))],
      [
        "a text that is longer than all",
        await signedBy(new Uint8Array([...good.subarray(0, -5), 255, 255, 255, 255, 1])),
      ],
      ["a number that is none", await signedBy(new Uint8Array([...good.subarray(0, 48), 255, ...good.subarray(49)]))],
      ["half a key to answer by", await signedBy(new Uint8Array([...good.subarray(0, 56), 0, 0, 0, 1, 9, 0, 0, 0, 0]))],
    ];
    for (const [what, content] of bad)
      await expect(open(await byHand(content)), what).rejects.toMatchObject({ code: "box" });
    const unclean = pad(await signedBy(good));
    unclean[unclean.length - 1] = 1;
    await expectRefused("box", async () => open(await byHand(good, unclean)));
  });

  it("refuses to seal to what is no public key", async () => {
    const zero = { ...to(), publicKey: new Uint8Array(pair.publicKey.length) };
    const short = { ...to(), publicKey: pair.publicKey.subarray(1) };
    for (const bad of [zero, short])
      await expectRefused("key", () =>
        sealBody({ ...place, sender, to: bad, messageId: secureRandom(16), seq: 0, reply: null, body: utf8("hi") }),
      );
  });
});

describe("an identity as text", () => {
  it.each([
    "",
    "pe1.",
    `pe1.${"A".repeat(42)}`,
    `pe1.${"A".repeat(42)}B`,
    `pc1.${"A".repeat(43)}`,
    `pe1.${"A".repeat(43)} `,
  ])("%j is none, and is not repeated", async (text) => {
    const error = await importEndToEndIdentity(text).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ name: "CryptoError", code: "key" });
    if (text.length > 10) expect(String(error)).not.toContain(text);
  });
});
