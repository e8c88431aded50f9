import {
  killAppKey,
  mintAppKey,
  readAppKeys,
  readSessionWords,
  sealExpiries,
  sealFarewells,
} from "@portcullis/contracts";
import { appKeyPsk, openRecord, parseAppKey } from "@portcullis/crypto";
import { parseServerPlaintext } from "@portcullis/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openAppKeys } from "../src/app-keys/store.ts";
import { accepted, codeOf, startWorld, temporaryFolder, type World } from "./support/world.ts";

let world: World;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
  world = await startWorld({ dataDir: folder.path });
});
afterEach(async () => {
  await world.close();
  await folder.remove();
});

const farewell = (...sids: string[]) => world.asIdentity.call(sealFarewells, { sids, what: "kicked" });

/** Somebody who is in. */
async function entered(lifeMs = 60_000) {
  const outcome = accepted(world.now() + lifeMs);
  world.identity.onOpen = () => outcome;
  const { key } = await world.mint();
  const client = await world.client({ appKey: key });
  await client.hear(await world.open(client.route, client.open));
  return { sid: outcome.admitted.sid, client, key, secrets: (await client.finish()).secrets };
}

async function alterKeys(sid: string) {
  const { state } = world.platform;
  await state.delete(`keys:session:${sid}`);
  await state.create(`keys:session:${sid}`, new Uint8Array(200), 1000);
}

describe("the last words of a session", () => {
  it("open under the client's own application secret, and end its keys", async () => {
    const [one, two] = [await entered(), await entered()];
    const { frames } = await farewell(one.sid, "nobody", two.sid);
    expect(frames.map(({ sid }) => sid)).toEqual([one.sid, two.sid]);
    for (const [index, { secrets }] of [one, two].entries()) {
      const record = frames[index]?.frame ?? new Uint8Array();
      expect(record[0]).toBe(0x21);
      const opened = await openRecord({ secret: secrets.server, record });
      expect(parseServerPlaintext(opened)).toEqual({ t: "revoked", what: "kicked" });
    }
    expect((await farewell(one.sid, two.sid)).frames).toEqual([]);
  });

  it("are nobody else's, and no two are sealed alike", async () => {
    const [one, two] = [await entered(), await entered()];
    const { frames } = await farewell(one.sid, two.sid);
    const record = frames[0]?.frame ?? new Uint8Array();
    await expect(openRecord({ secret: two.secrets.server, record })).rejects.toThrow();
    expect(new Set(frames.map(({ frame }) => Buffer.from(frame.subarray(5, 29)).toString("hex"))).size).toBe(2);
  });

  it("say that it has expired once it has, whatever edge asks, and end its keys", async () => {
    const { sid, secrets } = await entered(10_000);
    const lasting = await entered(60_000);
    const expired = async () => (await world.edge.call(sealExpiries, { sids: [sid, "nobody", lasting.sid] })).frames;
    expect(await expired()).toEqual([]);
    // Clocks differ, but not by much.
    world.advance(7_999);
    expect(await expired()).toEqual([]);
    world.advance(1);
    const frames = await expired();
    expect(frames.map((each) => each.sid)).toEqual([sid]);
    const opened = await openRecord({ secret: secrets.server, record: frames[0]?.frame ?? new Uint8Array() });
    expect(parseServerPlaintext(opened)).toEqual({ t: "revoked", what: "expired" });
    expect(await expired()).toEqual([]);
    // Asking early has taken nothing from the other one.
    expect((await farewell(lasting.sid)).frames).toHaveLength(1);
  });

  it("are not sealed for a session that expired half a minute ago: its keys are gone", async () => {
    const [one, two] = [await entered(1_000), await entered(1_000)];
    world.advance(30_999);
    expect((await world.edge.call(sealExpiries, { sids: [one.sid] })).frames).toHaveLength(1);
    world.advance(1);
    expect((await world.edge.call(sealExpiries, { sids: [two.sid] })).frames).toEqual([]);
    expect(await world.platform.state.get(`keys:session:${two.sid}`)).toBe(null);
  });

  it("of one whose keys were altered silence nobody else", async () => {
    const [one, two] = [await entered(), await entered()];
    await alterKeys(one.sid);
    expect((await farewell(one.sid, two.sid)).frames.map(({ sid }) => sid)).toEqual([two.sid]);
    expect(await world.platform.state.get(`keys:session:${one.sid}`)).toBe(null);
  });
});

describe("the words of a session", () => {
  it("are there though the keys of another one were altered, and for its own socket only", async () => {
    const [one, two] = [await entered(), await entered()];
    const wordsOn = async (socketId: string) => {
      const sids = [one.sid, "nobody", two.sid];
      return (await world.asIdentity.call(readSessionWords, { socketId, sids })).words.map(({ sid }) => sid);
    };
    expect(await wordsOn("socket-1")).toEqual([one.sid, two.sid]);
    expect(await wordsOn("socket-2")).toEqual([]);
    await alterKeys(one.sid);
    expect(await wordsOn("socket-1")).toEqual([two.sid]);
  });
});

describe("what is stored", () => {
  it("holds no key, pre-shared key, handshake or session secret in the clear", async () => {
    // One that is under way, and one that is in.
    const { key, client, secrets } = await entered();
    world.identity.onOpen = () => ({
      say: "challenge",
      cid: "c",
      options: [{ at: "0", gate: "otp", prompt: null }],
      attemptsLeft: 3,
      answerByMs: world.now() + 1000,
      retry: false,
      deadlineMs: world.now() + 1000,
    });
    const waiting = await world.client({
      appKey: key,
      payload: { answers: [{ gate: "otp", value: "planted-answer" }] },
    });
    await world.open(waiting.route, waiting.open);
    const { secret } = parseAppKey(key);
    const bytes = await folder.bytes();
    // The search itself works: ids are no secrets.
    expect(bytes.includes(Buffer.from(waiting.hid))).toBe(true);
    const planted: [string, Uint8Array][] = [
      ["K", secret],
      ["psk", await appKeyPsk(secret)],
      ["prk", client.prk],
      ["prk under way", waiting.prk],
      ...Object.entries(client.secrets),
      ...Object.entries(waiting.secrets),
      ...Object.entries(secrets),
      ["answer", Buffer.from("planted-answer")],
      ["path", Buffer.from("a-path")],
    ];
    for (const [name, value] of planted) {
      const plain = Buffer.from(value);
      for (const form of [
        plain,
        ...(["base64url", "base64", "hex"] as const).map((as) => Buffer.from(plain.toString(as))),
      ])
        expect(bytes.includes(form), name).toBe(false);
    }
  });

  it("of one socket's key cannot be put in the place of another's", async () => {
    const [mine, theirs] = [await world.mint("socket-1"), await world.mint("socket-2")];
    const keys = await openAppKeys(world.platform.documents);
    const [from, to] = [await keys.get(mine.appKey.keyId), await keys.get(theirs.appKey.keyId)];
    if (from === null || to === null) throw new Error("not there");
    await keys.replace(to.id, to.version, { ...to.body, pskSealed: from.body.pskSealed });
    const { secret } = parseAppKey(mine.key);
    const client = await world.client({ appKey: theirs.key, psk: await appKeyPsk(secret) });
    expect(await world.open(client.route, client.open)).toMatchObject({ close: 4503 });
    expect(world.identity.opened.at(-1)).toMatchObject({ opened: false });
  });
});

describe("an app key", () => {
  const listed = async (socketId = "socket-1") =>
    (await world.asIdentity.call(readAppKeys, { socketId })).appKeys.map(({ keyId, revokedAtMs }) => [
      keyId,
      revokedAtMs,
    ]);

  it("is shown once, and several live side by side", async () => {
    const [one, two] = [await world.mint(), await world.mint()];
    expect(one.key).toMatch(/^pc1\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{22}$/);
    expect(one.key).not.toBe(two.key);
    expect(new Map((await listed()) as [string, null][])).toEqual(
      new Map([
        [one.appKey.keyId, null],
        [two.appKey.keyId, null],
      ]),
    );
    for (const { key } of [one, two]) {
      const client = await world.client({ appKey: key });
      expect(await client.hear(await world.open(client.route, client.open))).toMatchObject({ t: "challenge" });
    }
  });

  it("is revoked by whoever names its socket, twice is once, and stays listed", async () => {
    const { appKey } = await world.mint();
    const { keyId } = appKey;
    const kill = (socketId: string) => codeOf(world.asIdentity.call(killAppKey, { socketId, keyId }));
    expect(await kill("socket-2")).toBe("not_found");
    expect(await listed()).toEqual([[keyId, null]]);
    expect(await Promise.all([kill("socket-1"), kill("socket-1")])).toEqual([null, null]);
    const at = world.now();
    world.advance(5);
    expect(await kill("socket-1")).toBe(null);
    expect(await listed()).toEqual([[keyId, at]]);
  });

  it("of a socket that goes is gone with all others of it, and nobody else's is", async () => {
    await world.mint();
    await world.mint();
    const { appKey } = await world.mint("socket-2");
    await world.asIdentity.call(killAppKey, { socketId: "socket-1", keyId: null });
    expect(await listed()).toEqual([]);
    expect(await listed("socket-2")).toEqual([[appKey.keyId, null]]);
  });

  it("is one of at most a hundred on its socket; one that was revoked gives way, the longest dead first", async () => {
    const minted = await Promise.all(Array.from({ length: 100 }, () => world.mint()));
    const more = () =>
      codeOf(world.asIdentity.call(mintAppKey, { socketId: "socket-1", label: "one more", role: "member" }));
    expect(await more()).toBe("invalid");
    await world.mint("socket-2");
    const [first = "", second = ""] = minted.map(({ appKey }) => appKey.keyId);
    for (const keyId of [second, first]) {
      await world.asIdentity.call(killAppKey, { socketId: "socket-1", keyId });
      world.advance(1);
    }
    expect(await more()).toBe(null);
    const ids = (await listed()).map(([keyId]) => keyId);
    expect([ids.length, ids.includes(first), ids.includes(second)]).toEqual([100, true, false]);
    expect([await more(), await more()]).toEqual([null, "invalid"]);
  });

  it("is one of at most a hundred, however many are made at once, and where revoked ones give way", async () => {
    const minted = await Promise.all(Array.from({ length: 98 }, () => world.mint()));
    const more = (count: number) => Promise.all(Array.from({ length: count }, () => codeOf(world.mint())));
    await more(50);
    expect((await listed()).length).toBeLessThanOrEqual(100);
    for (const { appKey } of minted.slice(0, 30))
      await world.asIdentity.call(killAppKey, { socketId: "socket-1", keyId: appKey.keyId });
    await more(20);
    expect((await listed()).length).toBeLessThanOrEqual(100);
  });

  it("has the minute of its last use noted", async () => {
    const { key } = await entered();
    const { keyId } = parseAppKey(key);
    const lastUse = async () =>
      (await world.asIdentity.call(readAppKeys, { socketId: "socket-1" })).appKeys.find((each) => each.keyId === keyId)
        ?.lastUsedAtMs;
    await expect.poll(lastUse).toBe(world.now());
  });
});
