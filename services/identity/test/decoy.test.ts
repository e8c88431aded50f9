import {
  checkSessions,
  createMember,
  createSocket,
  deleteSocket,
  endDecoy,
  enrolAuthenticator,
  getSocket,
  identityOpen,
  identityStep,
  listAlerts,
  listDecoys,
  listLiveSessions,
  type Outcome,
  sessionEnded,
  updateSocket,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { z } from "zod";
import { createPlayer } from "../src/decoy/player.ts";
import { wayOf } from "../src/decoy/way.ts";
import { bookOf } from "./support/book.ts";
import { freshHid, type OpenRequest, opening } from "./support/handshake.ts";
import { address, firstPage, startWorld, type World } from "./support/world.ts";

describe("who goes to a decoy", () => {
  const comer = {
    rules: { then: "decoy" as const },
    isCanary: false,
    role: "member" as const,
    standing: { spent: false },
    isSticky: false,
  };

  it.each([
    ["nobody without a reason", {}, "in"],
    ["whoever has a canary", { isCanary: true }, "decoy"],
    ["whoever has spent their tries", { standing: { spent: true } }, "decoy"],
    ["whoever was there of late", { isSticky: true }, "decoy"],
  ] as const)("%s", (_, what, way) => {
    expect(wayOf({ ...comer, ...what })).toBe(way);
  });

  it.each(["deny", "lockout", "silence"] as const)("nobody under %s: with a canary they are refused", (then) => {
    const rules = { then };
    expect(wayOf({ ...comer, rules, standing: { spent: true }, isSticky: true })).toBe("in");
    expect(wayOf({ ...comer, rules, isCanary: true })).toBe("refused");
  });

  it.each(["owner", "consumer"] as const)("no %s", (role) => {
    expect(wayOf({ ...comer, role, standing: { spent: true }, isSticky: true })).toBe("in");
    expect(wayOf({ ...comer, role, isCanary: true })).toBe("refused");
  });
});

describe("an answer in a handshake that is played", () => {
  const key = new Uint8Array(32).fill(1);
  const player = createPlayer({ key, clock: () => 0 });
  const replica = createPlayer({ key, clock: () => 0 });
  const codes = Array.from({ length: 3_000 }, (_, n) =>
    String(n * 331)
      .padStart(6, "0")
      .slice(-6),
  );
  const item = (value: string, gate = "otp") => ({ ref: "r", gate, value });

  it("is believed one time in three, the same one always alike, and another one in another room", () => {
    const believed = codes.filter((code) => player.believes("room", item(code)));
    expect(believed.length / codes.length).toBeGreaterThan(0.28);
    expect(believed.length / codes.length).toBeLessThan(0.39);
    expect(codes.filter((code) => replica.believes("room", item(code)))).toEqual(believed);
    expect(codes.filter((code) => player.believes("another", item(code)))).not.toEqual(believed);
    expect(codes.filter((code) => player.believes("room", item(code, "sms")))).not.toEqual(believed);
  });

  it("is never believed where anybody can see that it is none", () => {
    for (const value of ["", "12345", "1234567", "abcdef", " 123456"])
      for (let room = 0; room < 50; room += 1) expect(player.believes(`${room}`, item(value))).toBe(false);
  });

  it("waits for a message to somebody made up, always the same", () => {
    const bob = { socketId: "s1", memberId: "m1" };
    const sms = player.begin(bob, "sms");
    expect(sms).toMatchObject({ status: "sent", prompt: { by: "code", to: expect.stringMatching(/^•••\d\d$/u) } });
    expect(replica.begin(bob, "call").prompt).toEqual(sms.prompt);
    const mail = { prompt: { by: "code", to: expect.stringMatching(/^[a-z]•••@[a-z]•••\.(com|net|org)$/u) } };
    expect(player.begin(bob, "email")).toMatchObject(mail);
    const others = Array.from({ length: 20 }, (_, n) => player.begin({ ...bob, memberId: `${n}` }, "email").prompt.to);
    expect(new Set(others).size).toBeGreaterThan(10);
  });
});

type Action = z.infer<typeof identityStep.request>["action"];

const path = "a-path-of-its-own";
const policy = {
  gates: [{ gate: "key" }, { gate: "otp" }],
  onFailure: { then: "decoy", attempts: 10 },
  session: "1h",
  encryption: { session: "required" },
};
const canary = (socketId: string) => ({ keyId: "planted", socketId, role: "member", canary: true }) as const;

describe("whoever comes with a canary key", () => {
  let world: World;
  let mine: { readonly ownerId: string; readonly socketId: string };
  beforeEach(async () => {
    world = await startWorld({ replicas: 2 });
    const { ownerId } = await world.owner();
    const socket = await world.api.call(createSocket, { ownerId, label: "one", path, idParameter: null, policy });
    mine = { ownerId, socketId: socket.id };
    const contacts = { email: null, phone: "+4915112345678" };
    await world.api.call(createMember, { ...mine, name: "bob", contacts, passphrase: null });
    await world.api.call(enrolAuthenticator, { ...mine, memberName: "bob" });
  });
  afterEach(() => world.close());

  const open = (options: Partial<OpenRequest> & { readonly address?: string; readonly label?: string } = {}) => {
    const { address: from = "192.0.2.1", label = "one", ...rest } = options;
    const asked = opening({ label, path, query: "id=bob", key: canary(mine.socketId), address: from });
    return { hid: rest.hid ?? asked.hid, outcome: world.keysCaller.call(identityOpen, { ...asked, ...rest }) };
  };
  let asked = 0;
  const nextCode = () => {
    asked += 1;
    return String(asked).padStart(6, "0");
  };
  /** Answers until one is believed. */
  async function land(options: Parameters<typeof open>[0] = {}) {
    for (;;) {
      const { hid, outcome } = open(options);
      let said: Outcome = await outcome;
      for (let n = 1; said.say === "challenge"; n += 1) {
        const answer = { gate: "otp", value: nextCode(), at: null };
        const taken = { handshake: hid, hid, transcript: new Uint8Array(32), n, keyLive: true };
        const action = { do: "answer" as const, cid: said.cid, answer };
        said = await world.keysCaller.call(identityStep, { ...taken, action });
      }
      if (said.say === "accepted") return { hid, ...said, ...said.admitted };
    }
  }
  const listed = async () =>
    (await world.api.call(listLiveSessions, { ...mine, after: null, limit: 100 })).sessions.length;
  const decoys = async () => (await world.api.call(listDecoys, { ...mine, after: null, limit: 100 })).decoys;

  it("is let into a room by a code that nobody has looked at, and is on no list of the owner's but that of decoys", async () => {
    const landed = await land();
    expect(landed).toMatchObject({ decoy: { of: mine.socketId }, member: "bob", memberProven: true });
    expect(landed.gates).toEqual(["key", "otp"]);
    expect(landed.socketId).not.toBe(mine.socketId);
    expect(landed.socketId).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(world.factors.verified).toEqual([]);
    expect(world.factors.prepared).toEqual([]);
    expect(await listed()).toBe(0);
    const room = { room: landed.socketId, keyId: "planted", member: "bob", sessions: 1 };
    expect(await decoys()).toMatchObject([room]);
    expect(JSON.stringify(await decoys())).not.toContain("192.0.2.1");
    await expect.poll(() => world.keys.noted.map(({ deed }) => deed)).toContain("accepted");
    expect(world.keys.noted.every(({ room: of }) => of === landed.socketId)).toBe(true);
    // Whom all their attempts have not believed comes again, and is told of again.
    const told = (await bookOf(world, mine)).filter(({ event }) => ["decoy", "accepted"].includes(event));
    expect(told.at(-1)).toMatchObject({ event: "decoy", cause: "accepted" });
    const before = told.slice(0, -1);
    expect(before).toMatchObject(before.map(() => ({ event: "decoy", cause: "canary", key: "planted" })));
    expect(before).not.toEqual([]);
    const kinds = async () =>
      (await world.api.call(listAlerts, { ...mine, ...firstPage })).alerts.map(({ kind }) => kind);
    await expect.poll(kinds).toEqual(expect.arrayContaining(["canary-key", "decoy"]));
  });

  it("finds the same room for a day, and others find others", async () => {
    const { socketId: room } = await land();
    world.advance(23 * 3_600_000);
    expect((await land()).socketId).toBe(room);
    world.advance(23 * 3_600_000);
    expect((await land()).socketId).toBe(room);
    expect((await land({ address: address() })).socketId).not.toBe(room);
    world.advance(25 * 3_600_000);
    expect((await land()).socketId).not.toBe(room);
  });

  it("moves nothing of the network's standing, nor of the member's, nor is one of the socket's refusals", async () => {
    const counted: unknown[] = [];
    world.before("state.add", (_replica, key) => void counted.push(key));
    const { hid, outcome } = open();
    let said = await outcome;
    const answer = { gate: "otp", value: "nonsense", at: null };
    for (let n = 1; said.say === "challenge"; n += 1) {
      const taken = { handshake: hid, hid, transcript: new Uint8Array(32), n, keyLive: true };
      const action = { do: "answer" as const, cid: said.cid, answer };
      said = await world.keysCaller.call(identityStep, { ...taken, action });
    }
    expect(said.say).toBe("denied");
    await new Promise((resolve) => setTimeout(resolve, 50));
    const others = counted.filter((key) => !/^(?:decoy:|identity:alerts-told:)/.test(String(key)));
    expect(others).toEqual([]);
    expect(world.factors.verified).toEqual([]);
  });

  it("is told like anybody that there is no such member", async () => {
    const { outcome } = open({ claimedId: "eve", connection: connection("id=eve") });
    expect(await outcome).toEqual({ say: "denied", retryAfterMs: null, sealed: false });
  });
  const connection = (query: string) => ({ label: "one", path, query, address: "192.0.2.1", origin: null });

  it("has a session that goes on, is looked for and ends as a real one does", async () => {
    const { sid, hid, socketId } = await land();
    const check = (on: string) =>
      world.edge.call(checkSessions, { edge: "edge-1", everyMs: 15_000, held: [{ sid, hid: on }] });
    expect(await check(hid)).toEqual({ gone: [], replaced: [] });
    const next = freshHid("edge-2");
    const again = await open({ hid: next, resumed: { sid, next: 3 }, key: null }).outcome;
    expect(again).toMatchObject({
      say: "accepted",
      decoy: { of: mine.socketId },
      admitted: { sid, socketId, next: 3 },
    });
    expect(await check(hid)).toEqual({ gone: [], replaced: [hid] });
    world.edge.emit(sessionEnded, { sid, socketId, hid: next, why: "left" });
    await expect.poll(() => check(next)).toMatchObject({ gone: [{ sid }] });
    expect(await listed()).toBe(0);
    const causes = async () =>
      (await bookOf(world, mine)).filter(({ session }) => session === sid).map(({ event, cause }) => [event, cause]);
    await expect.poll(causes).toEqual([
      ["decoy", "accepted"],
      ["decoy", "resumed"],
      ["decoy", "left"],
    ]);
  });

  it("is put out by the owner who ends the decoy, and is looked at anew", async () => {
    const { sid, socketId: room } = await land();
    expect(await world.api.call(endDecoy, { ...mine, room })).toEqual({ closed: 1 });
    await expect.poll(() => world.closed.map((each) => each.sid)).toEqual([sid]);
    expect(world.keys.farewells).toEqual([{ sids: [sid], what: "kicked" }]);
    expect((await land()).socketId).not.toBe(room);
  });

  it("goes with the socket", async () => {
    const { sid } = await land();
    await world.api.call(deleteSocket, mine);
    await expect.poll(() => world.closed.map((each) => each.sid)).toEqual([sid]);
  });
});

/*
 * Somebody with a stolen key can make its holder's network look like an intruder's. They must not be able to keep the member in a room for it: whoever came in for
 * real, under the same key and name and from the same network, is let to the real gates from then on.
 */
describe("an honest member is not kept by what somebody else did at the same place", () => {
  let world: World;
  let mine: { readonly ownerId: string; readonly socketId: string };
  const home = "192.0.2.1";
  beforeEach(async () => {
    world = await startWorld({ replicas: 2 });
    const { ownerId } = await world.owner();
    const { id: socketId } = await world.api.call(createSocket, {
      ownerId,
      label: "one",
      path,
      idParameter: null,
      policy: policyWith(),
    });
    mine = { ownerId, socketId };
    for (const name of ["bob", "ann"]) {
      await world.api.call(createMember, { ...mine, name, contacts: { email: null, phone: null }, passphrase: null });
      await world.api.call(enrolAuthenticator, { ...mine, memberName: name });
    }
  });
  afterEach(() => world.close());

  const policyWith = (onFailure: object = {}) => ({
    ...policy,
    onFailure: { then: "decoy", attempts: 3, free: 2, work: 0, ...onFailure },
  });
  async function setPolicy(given: Record<string, unknown>) {
    const { version } = await world.api.call(getSocket, mine);
    await world.api.call(updateSocket, { ...mine, version, path: null, idParameter: null, policy: given });
  }
  async function begin({ name = "bob", from = home, keyId = "k1" } = {}) {
    const key = { keyId, socketId: mine.socketId, role: "member" as const };
    const asked = opening({ label: "one", path, query: `id=${name}`, key, address: from });
    const said = await world.keysCaller.call(identityOpen, asked);
    if (said.say !== "challenge") throw new Error(said.say);
    return { hid: asked.hid, cid: said.cid };
  }
  const answer = ({ hid, cid }: { readonly hid: string; readonly cid: string }, value: string) =>
    world.keysCaller.call(identityStep, {
      handshake: hid,
      hid,
      transcript: new Uint8Array(32),
      n: 1,
      keyLive: true,
      action: { do: "answer", cid, answer: { gate: "otp", value, at: null } },
    });
  /** Whether that one's answers are looked at, or played. */
  async function isReal(who: Parameters<typeof begin>[0] = {}) {
    const before = world.factors.verified.length;
    await answer(await begin(who), "wrong");
    return world.factors.verified.length > before;
  }
  const comesIn = async (begun: Awaited<ReturnType<typeof begin>>) => {
    const said = await answer(begun, "right");
    expect(said).toMatchObject({ say: "accepted", admitted: { socketId: mine.socketId } });
    expect(said).not.toHaveProperty("decoy");
  };
  /** All that is free, so that whoever comes so is led away, and stays there. */
  async function stealTheWay() {
    for (let n = 0; n < 2; n += 1) expect(await isReal()).toBe(true);
    expect(await isReal()).toBe(false);
  }
  const decoys = async () => (await world.api.call(listDecoys, { ...mine, after: null, limit: 100 })).decoys;

  it("once they came in for real from there, also while the other one's room is kept for them", async () => {
    const underWay = await begin();
    await stealTheWay();
    // Where it was decided that it leads for real, it does: nothing is changed in the middle.
    await comesIn(underWay);
    expect(await isReal()).toBe(true);
    await comesIn(await begin());
    expect(await decoys()).toHaveLength(1);
    // By this key, from this network, under this name, and no other.
    for (const other of [{ from: "198.51.100.1" }, { keyId: "k2" }]) {
      world.advance(25 * 3_600_000);
      for (let n = 0; n < 2; n += 1) expect(await isReal(other)).toBe(true);
      expect(await isReal(other)).toBe(false);
    }
    await comesIn(await begin());
  });

  it("from where they came in before, whatever is tried there under their name: nobody gets into a room by it", async () => {
    await comesIn(await begin());
    for (let n = 0; n < 5; n += 1) {
      expect(await isReal()).toBe(true);
      world.advance(3_600_000);
    }
    await comesIn(await begin());
    expect(await decoys()).toEqual([]);
  });

  it("where the owner has come to trust the network, and by that also when they trust it no more", async () => {
    await stealTheWay();
    await setPolicy(policyWith({ trusted: [`${home}/32`] }));
    await comesIn(await begin());
    await setPolicy(policyWith());
    await comesIn(await begin());
  });

  it("and is who they were a day after the other one last came, without having come in before", async () => {
    await stealTheWay();
    world.advance(23 * 3_600_000);
    expect(await isReal()).toBe(false);
    // What was tried is forgotten by now; that they are in the room is not.
    world.advance(23 * 3_600_000);
    expect(await isReal()).toBe(false);
    world.advance(24 * 3_600_000);
    await comesIn(await begin());
  });

  it("nor is another member, with the same key and behind the same address, led away for it", async () => {
    await stealTheWay();
    await comesIn(await begin({ name: "ann" }));
  });
});

describe("a wait that is played", () => {
  it("is shown, and nobody is sent anything, told of it, or looked at; it goes on over another connection", async () => {
    const world = await startWorld({ replicas: 2 });
    const { ownerId } = await world.owner();
    const waits = { ...policy, gates: [{ gate: "key" }, { gate: "sms" }, { gate: "approval" }] };
    const { id } = await world.api.call(createSocket, {
      ownerId,
      label: "one",
      path,
      idParameter: null,
      policy: waits,
    });
    const contacts = { email: null, phone: "+4915112345678" };
    await world.api.call(createMember, { ownerId, socketId: id, name: "bob", contacts, passphrase: null });
    const asked = opening({ label: "one", path, query: "id=bob", key: canary(id) });
    const transcript = new Uint8Array(32);
    let n = 0;
    let { hid } = asked;
    const step = (action: Action) => {
      n += 1;
      const taken = { handshake: asked.hid, hid, transcript, n, keyLive: true };
      return world.keysCaller.call(identityStep, { ...taken, action });
    };
    let said = await world.keysCaller.call(identityOpen, asked);
    if (said.say !== "challenge") throw new Error(said.say);
    expect(said.options).toEqual([{ at: "1", gate: "sms", prompt: { by: "code" } }]);
    said = await step({ do: "start", cid: said.cid, gate: "sms", at: null });
    if (said.say !== "wait") throw new Error(said.say);
    expect(said).toMatchObject({ status: "sent", prompt: { by: "code", to: expect.stringMatching(/^•••\d\d$/u) } });
    const { prompt, resendAtMs } = said;
    world.advance(61_000);
    said = await step({ do: "resend", cid: said.cid });
    if (said.say !== "wait") throw new Error(said.say);
    expect(said).toMatchObject({ status: "sent", prompt, resendAtMs: (resendAtMs ?? 0) + 61_000 });

    hid = freshHid("edge-2");
    said = await world.keysCaller.call(identityOpen, { ...asked, hid, key: null, parked: asked.hid });
    if (said.say !== "wait") throw new Error(said.say);
    expect(said).toMatchObject({ prompt });
    n = 0;
    for (let code = 1; said.say === "wait" || said.say === "challenge"; code += 1) {
      const value = String(code).padStart(6, "0");
      said = await step({ do: "answer", cid: said.cid, answer: { gate: "sms", value, at: null } });
      if (code > 8) break;
    }
    expect(["accepted", "wait", "challenge"]).toContain(said.say);
    expect(world.factors.waits.size).toBe(0);
    expect(world.factors.resent).toEqual([]);
    expect(world.factors.verified).toEqual([]);
    expect(world.mails.filter(({ subject }) => /wait/i.test(subject))).toEqual([]);
    await world.close();
  });
});

it("gets what a wrong key gets where the policy has no decoy", async () => {
  const world = await startWorld();
  const { ownerId } = await world.owner();
  const without = { ...policy, onFailure: { then: "deny" } };
  const { id } = await world.api.call(createSocket, {
    ownerId,
    label: "one",
    path,
    idParameter: null,
    policy: without,
  });
  const outcome = await world.keysCaller.call(
    identityOpen,
    opening({ label: "one", path, key: canary(id), query: "", claimedId: null }),
  );
  expect(outcome).toEqual({ say: "denied", retryAfterMs: null, sealed: false });
  await world.close();
});
