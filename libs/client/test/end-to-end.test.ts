import {
  generateEndToEndIdentity,
  importEndToEndIdentity,
  openBody,
  prekeyPair,
  secureRandom,
} from "@portcullis/crypto";
import { base64url, parseSealedBody, utf8 } from "@portcullis/protocol";
import { describe, expect, it } from "vitest";
import { createPrekeys } from "../src/end-to-end/prekeys.ts";
import { createSpeaker } from "../src/end-to-end/speaker.ts";
import { createPrekeyStore, createSeen, type PrekeyStore } from "../src/end-to-end/stores.ts";

const rotateMs = 1_000;
const graceMs = 500;

describe("prekeys", () => {
  let nowMs = 0;
  const of = (store: PrekeyStore) => createPrekeys({ store, rotateMs, graceMs, clock: () => nowMs });
  const seedsIn = (store: PrekeyStore) =>
    (JSON.parse(String(store.get()) || "[]") as { seed: string }[]).map(({ seed }) => seed);

  it("are followed by another when it is time, open for their grace, and are then in no store and no memory", async () => {
    nowMs = 10_000;
    const store = createPrekeyStore();
    const prekeys = of(store);
    const first = await prekeys.current();
    const [seed] = seedsIn(store);
    expect(first).toMatchObject({ from: 10_000, until: 12_000 });
    expect(prekeys.dueAt).toBe(11_000);
    nowMs = 10_999;
    expect((await prekeys.current()).id).toEqual(first.id);
    nowMs = 11_000;
    const second = await prekeys.current();
    expect(second.id).not.toEqual(first.id);
    expect(prekeys.dueAt).toBe(11_500);
    nowMs = 11_499;
    expect((await prekeys.pair(first.id, "0020"))?.publicKey).toEqual(first.suites["0020"]);
    nowMs = 11_500;
    // Also where nobody has come by yet to erase it.
    expect(await prekeys.pair(first.id, "0020")).toBe(null);
    await prekeys.current();
    expect(seedsIn(store)).not.toContain(seed);
    expect(seedsIn(store)).toHaveLength(1);
    expect((await of(store).pair(second.id, "0020"))?.publicKey).toEqual(second.suites["0020"]);
  });

  it("are the same for all replicas, whichever is first and however many come at once", async () => {
    nowMs = 20_000;
    const store = createPrekeyStore();
    const replicas = [of(store), of(store), of(store)];
    for (const at of [20_000, 21_000, 22_000]) {
      nowMs = at;
      const ids = await Promise.all(replicas.map(async (one) => (await one.current()).id.join()));
      expect(new Set(ids).size).toBe(1);
    }
    const [one, other] = replicas;
    nowMs = 23_000;
    const made = await one?.current();
    expect(await other?.pair(made?.id ?? new Uint8Array(8), "0020")).not.toBe(null);
  });

  it.each(["nonsense", "{}", '[{"id":"AAAAAAAAAAA","seed":"AA","from":1}]', '[{"id":"AAAAAAAAAAA"}]'])(
    "are not made up where the store holds %s",
    async (text) => {
      const store: PrekeyStore = { get: () => text, put: () => true };
      await expect(of(store).current()).rejects.toMatchObject({ code: "key" });
    },
  );

  it("end trying where somebody else writes all the time", async () => {
    const store: PrekeyStore = { get: () => null, put: () => false };
    await expect(of(store).current()).rejects.toMatchObject({ code: "unavailable" });
  });
});

it("what is said comes in the order in which it was said, numbered for each recipient without a gap, also behind one that is too large", async () => {
  const [sender, one, other] = await Promise.all(
    [1, 2, 3].map(() => importEndToEndIdentity(generateEndToEndIdentity())),
  );
  if (sender === undefined || one === undefined || other === undefined) throw new Error("nobody");
  const pair = await prekeyPair(secureRandom(32), "0020");
  const limits = { maxBytes: 2_048, perSecond: 1 };
  const place = { socket: "demo", sid: "s" };
  const speaker = createSpeaker({ label: "demo", sid: "s", limits }, sender);
  const sent: Uint8Array[] = [];
  const to = ({ fingerprint }: { fingerprint: string }) => ({
    fingerprint,
    keyId: new Uint8Array(8),
    suite: "0020" as const,
    publicKey: pair.publicKey,
  });
  const say = (text: string, whom: { fingerprint: string }) =>
    speaker.say(utf8(text), to(whom), null, async (sealed) => void sent.push(sealed));
  const tooLarge = say("x".repeat(4_000), one);
  const rest = [say("a", one), say("b", other), say("c", one)];
  await expect(tooLarge).rejects.toMatchObject({ code: "too-large" });
  await Promise.all(rest);
  const { privateKey } = pair;
  const opened = [one, other, one].map(async ({ fingerprint: recipient }, index) => {
    const body = parseSealedBody(sent[index] ?? new Uint8Array());
    const content = await openBody({ ...place, recipient, privateKey, body });
    return [Buffer.from(content.body).toString(), content.seq];
  });
  expect(await Promise.all(opened)).toEqual([
    ["a", 0],
    ["b", 0],
    ["c", 1],
  ]);
});

it("numbers rise to whomever, also where too many were spoken to meanwhile to remember all: nobody makes us remember without end", async () => {
  const sender = await importEndToEndIdentity(generateEndToEndIdentity());
  const { publicKey, privateKey } = await prekeyPair(secureRandom(32), "0020");
  const place = { socket: "demo", sid: "s" };
  const limits = { maxBytes: 2_048, perSecond: 1 };
  const speaker = createSpeaker({ label: "demo", sid: "s", limits }, sender, 3);
  const numberTo = async (fingerprint: string) => {
    let seq = -1;
    const to = { fingerprint, keyId: new Uint8Array(8), suite: "0020" as const, publicKey };
    await speaker.say(utf8("x"), to, null, async (sealed) => {
      ({ seq } = await openBody({ ...place, recipient: fingerprint, privateKey, body: parseSealedBody(sealed) }));
    });
    return seq;
  };
  const whom = Array.from({ length: 5 }, () => base64url.encode(secureRandom(16)));
  const [one = "", ...others] = whom;
  expect([await numberTo(one), await numberTo(one)]).toEqual([0, 1]);
  // Who was spoken to last is remembered longest.
  for (const each of others.slice(0, 2)) expect(await numberTo(each)).toBe(0);
  expect(await numberTo(one)).toBe(2);
  for (const each of others) await numberTo(each);
  const behind = await numberTo(one);
  expect(behind).toBeGreaterThan(2);
  expect(await numberTo(one)).toBe(behind + 1);
});

it("what was seen is not seen again, for each sender apart", async () => {
  const seen = createSeen();
  expect([await seen.advance("a", 0), await seen.advance("a", 0), await seen.advance("a", 5)]).toEqual([-1, null, 0]);
  expect([await seen.advance("a", 4), await seen.advance("b", 4)]).toEqual([null, -1]);
});
