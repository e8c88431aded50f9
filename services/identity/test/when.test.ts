import {
  checkSessions,
  createMember,
  createSocket,
  enrolAuthenticator,
  getSocket,
  identityOpen,
  identityStep,
  listLiveSessions,
  type Outcome,
  updateSocket,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { highFrom, raisedFrom, riskWindowMs } from "../src/handshake/risk.ts";
import { freshHid, type OpeningOptions, opening } from "./support/handshake.ts";
import { codeOf, firstPage, startWorld, type World } from "./support/world.ts";

let world: World;
let mine: { readonly ownerId: string; readonly socketId: string };
const path = "a-path-of-its-own";
const label = "one";
const otp = { gate: "otp" };
const denied: Outcome = { say: "denied", retryAfterMs: null, sealed: true };
const over: Outcome = { ...denied, anew: true };

beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
});
afterEach(() => world.close());

async function socket(gates: object[], more: Record<string, unknown> = {}) {
  const { ownerId } = await world.owner();
  const policy = { gates, ...more };
  const { id } = await world.api.call(createSocket, { ownerId, label, path, idParameter: null, policy });
  mine = { ownerId, socketId: id };
  for (const name of ["bob", "ann"]) {
    const contacts = { email: null, phone: null };
    await world.api.call(createMember, { ...mine, name, contacts, passphrase: null });
    await world.api.call(enrolAuthenticator, { ...mine, memberName: name });
  }
}
const request = (options: Partial<OpeningOptions> = {}) => opening({ label, path, query: "id=bob", ...options });
const open = (options: Partial<OpeningOptions> = {}) => world.keysCaller.call(identityOpen, request(options));
const step = (hid: string, n: number, cid: string, value: string, handshake = hid) =>
  world.keysCaller.call(identityStep, {
    handshake,
    hid,
    transcript: new Uint8Array(32),
    n,
    keyLive: true,
    action: { do: "answer", cid, answer: { gate: "otp", value, at: null } },
  });
const live = async () => (await world.api.call(listLiveSessions, { ...mine, ...firstPage })).sessions;
const positions = (outcome: Outcome) =>
  outcome.say === "challenge" ? outcome.options.map(({ at }) => at) : outcome.say;
const cidOf = (outcome: Outcome) => (outcome.say === "challenge" ? outcome.cid : "none");
/** So many wrong answers, each on a connection of its own. */
async function fail(count: number, options: Partial<OpeningOptions> = {}): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const hid = freshHid();
    await step(hid, 1, cidOf(await open({ hid, ...options })), "wrong");
  }
}

describe("a branch is taken when the handshake begins", () => {
  const gates = [{ when: { network: ["192.0.2.0/24", "2001:db8::/32"] }, then: [otp], else: [{ allOf: [otp, otp] }] }];

  it.each([
    ["192.0.2.9", ["0.then.0"]],
    ["::ffff:192.0.2.9", ["0.then.0"]],
    ["2001:db8:1::2", ["0.then.0"]],
    ["198.51.100.1", ["0.else.0.0", "0.else.0.1"]],
  ])("by the client's address: %s", async (address, expected) => {
    await socket(gates);
    expect(positions(await open({ address }))).toEqual(expected);
  });

  it("and where the address is none, both have to be passed", async () => {
    await socket(gates);
    const hid = freshHid();
    const first = await open({ hid, address: "unknown" });
    expect(positions(first)).toEqual(["0.then.0"]);
    expect(positions(await step(hid, 1, cidOf(first), "right"))).toEqual(["0.else.0.0", "0.else.0.1"]);
  });

  it("by the name that is claimed, which stays to be proven", async () => {
    await socket([{ when: { member: ["bob"] }, then: [otp], else: [{ allOf: [otp, otp] }] }]);
    expect(positions(await open())).toEqual(["0.then.0"]);
    expect(positions(await open({ query: "id=ann" }))).toEqual(["0.else.0.0", "0.else.0.1"]);
  });

  it("never without the authenticator that the member has enrolled", async () => {
    await socket([{ when: { member: ["bob"] }, then: [], else: [otp] }]);
    expect(positions(await open())).toEqual(["enrolled.otp"]);
  });

  it("and stays: neither a policy that changes nor the clock moves anything, on whichever replica", async () => {
    // The hour strikes before the client comes back.
    const to = new Date(world.now() + 60_000).toISOString().slice(11, 16);
    const hours = { when: { network: ["192.0.2.0/24"], time: { to } }, then: [{ allOf: [otp, otp] }] };
    await socket([hours, otp], { deadlines: { answer: "5m", handshake: "30m" } });
    const hid = freshHid();
    const first = await open({ hid });
    expect(positions(first)).toEqual(["0.then.0.0", "0.then.0.1"]);
    const { version } = await world.api.call(getSocket, mine);
    const policy = { gates: [{ when: { network: ["203.0.113.0/24"] }, then: [otp] }] };
    await world.api.call(updateSocket, { ...mine, version, path: null, idParameter: null, policy });
    const there = freshHid("edge-2");
    world.advance(60_000);
    const comeback = await open({ hid: there, parked: hid, address: "192.0.2.200" });
    expect(comeback).toEqual(first);
    expect(positions(await step(there, 1, cidOf(comeback), "right", hid))).toEqual(["0.then.0.1"]);
    // A new one begins by the new policy, from where it is.
    expect(positions(await open({ address: "203.0.113.5" }))).toEqual(["0.then.0"]);
  });

  it("the same again when the opening is repeated, at once and on another replica", async () => {
    await socket(gates);
    const same = request({ address: "198.51.100.1" });
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => world.keysCaller.call(identityOpen, same)));
    expect(new Set(outcomes.map((outcome) => JSON.stringify(outcome))).size).toBe(1);
  });
});

/**
 * Somebody opens from the network that the owner trusts, or has a device there open, and goes on from another: the gates that were demanded of that
 * one would never be passed.
 */
describe("whoever comes back to a handshake", () => {
  const gates = [{ when: { network: ["192.0.2.0/24"] }, then: [], else: [otp] }, otp];
  const inside = "192.0.2.9";
  const outside = "203.0.113.5";
  const back = (parked: string, address: string, options: Partial<OpeningOptions> = {}) =>
    open({ hid: freshHid("edge-2"), parked, address, ...options });
  const begun = async (address: string) => {
    const hid = freshHid();
    return { hid, first: await open({ hid, address }) };
  };

  it.each([
    ["another network", outside],
    ["a network that cannot be told", "unknown"],
  ])("from %s has no branch that was taken for where they were, and is told to begin anew", async (_what, address) => {
    await socket(gates);
    const { hid, first } = await begun(inside);
    expect(positions(first)).toEqual(["1"]);
    expect(await back(hid, address)).toEqual(over);
    // Nor does anybody go on with it: neither where it began nor on a third connection.
    expect(await codeOf(step(hid, 1, cidOf(first), "right"))).toBe("conflict");
    expect((await back(hid, inside)).say).toBe("denied");
    expect(await live()).toEqual([]);
    expect(positions(await open({ address: outside }))).toEqual(["0.else.0"]);
  });

  it("goes on from wherever each branch is the one that was taken", async () => {
    await socket(gates);
    for (const [from, to] of [
      [inside, "192.0.2.200"],
      [outside, "198.51.100.1"],
    ] as const) {
      const { hid, first } = await begun(from);
      expect(await back(hid, to)).toEqual(first);
    }
  });

  it("goes on where what differs lies beside the way that was taken", async () => {
    const nested = { when: { network: ["192.0.2.0/24"] }, then: [otp], else: [otp, otp] };
    await socket([{ when: { member: ["ann"] }, then: [nested], else: [otp] }, otp]);
    const { hid, first } = await begun(inside);
    expect(await back(hid, outside)).toEqual(first);
  });

  it("after the verdict, which they never heard, gets no session by it", async () => {
    await socket(gates);
    const { hid, first } = await begun(inside);
    expect(await step(hid, 1, cidOf(first), "right")).toMatchObject({ say: "accepted" });
    const [session] = await live();
    expect(await back(hid, outside)).toEqual(over);
    expect((await live()).map(({ sid }) => sid)).toEqual([session?.sid]);
  });

  it("and was denied is denied from everywhere", async () => {
    await socket(gates, { onFailure: { attempts: 1 } });
    const { hid, first } = await begun(inside);
    await step(hid, 1, cidOf(first), "wrong");
    expect(await back(hid, outside)).toEqual(denied);
  });

  it("is asked for what the risk asks for by now", async () => {
    await socket([otp, { when: { risk: "raised" }, then: [otp] }]);
    const calm = await begun(inside);
    const other = await begun(inside);
    await fail(raisedFrom, { address: inside });
    expect(await back(calm.hid, inside)).toEqual(over);
    expect(await back(other.hid, outside)).toEqual(other.first);
  });

  it("is nobody whom a branch is taken for where they come as the owner's program", async () => {
    await socket([{ gate: "key" }, ...gates]);
    const key = { keyId: "k", socketId: mine.socketId, role: "consumer" as const };
    const hid = freshHid();
    expect(await open({ hid, key, query: "", address: inside })).toMatchObject({ say: "accepted" });
    expect(await back(hid, outside, { key, query: "" })).toMatchObject({ say: "accepted" });
  });
});

describe("a session that goes on over another connection", () => {
  const inside = "192.0.2.9";
  const outside = "203.0.113.5";
  const enter = async (address: string, options: Partial<OpeningOptions> = {}) => {
    const answers = [{ gate: "otp", value: "right", at: null }];
    const outcome = await open({ address, answers, ...options });
    if (outcome.say !== "accepted") throw new Error(`not accepted: ${outcome.say}`);
    return outcome.admitted.sid;
  };
  const resume = (sid: string, address: string, options: Partial<OpeningOptions> = {}) =>
    open({ hid: freshHid("edge-2"), resumed: { sid, next: 0 }, address, ...options });

  it("goes on from where its gates were passed, and not from a network for which there are others", async () => {
    await socket([{ when: { network: ["192.0.2.0/24"] }, then: [], else: [otp] }, otp]);
    const sid = await enter(inside);
    expect(await resume(sid, "192.0.2.200")).toMatchObject({ say: "accepted" });
    expect(await resume(sid, outside)).toEqual(denied);
    expect(await resume(sid, "unknown")).toEqual(denied);
  });

  it("does not go on after the hours for which its gates were passed", async () => {
    const from = new Date(world.now()).toISOString().slice(11, 16);
    const to = new Date(world.now() + 3_600_000).toISOString().slice(11, 16);
    await socket([{ when: { time: { from, to } }, then: [], else: [otp] }, otp]);
    const sid = await enter(inside);
    const check = () => resume(sid, inside);
    expect(await check()).toMatchObject({ say: "accepted" });
    world.advance(3_600_000 - 60_000);
    const edge = { edge: "edge-2", everyMs: 15_000, held: [] };
    await world.edge.call(checkSessions, edge);
    expect(await check()).toMatchObject({ say: "accepted" });
    world.advance(60_000);
    expect(await check()).toEqual(denied);
  });

  it("does not go on where the risk of its network asks for more by now", async () => {
    await socket([otp, { when: { risk: "raised" }, then: [otp] }]);
    const sid = await enter(inside);
    await fail(raisedFrom, { address: inside });
    expect(await resume(sid, inside)).toEqual(denied);
    expect(await resume(sid, outside)).toMatchObject({ say: "accepted" });
  });

  it("goes on from everywhere where it is the owner's program's, who passes none of these gates", async () => {
    await socket([{ gate: "key" }, { when: { network: ["192.0.2.0/24"] }, then: [otp], else: [otp, otp] }]);
    const key = { keyId: "k", socketId: mine.socketId, role: "consumer" as const };
    const sid = await enter(inside, { key, query: "", answers: [] });
    expect(await resume(sid, outside, { query: "" })).toMatchObject({ say: "accepted" });
  });
});

describe("risk", () => {
  const gates = [otp, { when: { risk: "raised" }, then: [otp] }, { when: { risk: "high" }, then: [otp, otp] }];
  const risks = async (options: Partial<OpeningOptions> = {}) => {
    const hid = freshHid();
    let outcome = await open({ hid, ...options });
    const asked: string[] = [];
    for (let n = 1; outcome.say === "challenge" && n < 9; n += 1) {
      asked.push(...(positions(outcome) as string[]));
      outcome = await step(hid, n, cidOf(outcome), "right");
    }
    return asked.length;
  };

  it("rises with wrong answers from a network, and is forgotten after a quarter of an hour", async () => {
    await socket(gates, { onFailure: { free: 100 } });
    expect(await risks()).toBe(1);
    await fail(raisedFrom - 1);
    expect(await risks()).toBe(1);
    await fail(1);
    expect(await risks()).toBe(2);
    await fail(highFrom - raisedFrom);
    expect(await risks()).toBe(4);
    expect(await risks({ address: "192.0.2.2" })).toBe(1);
    world.advance(riskWindowMs + 1);
    expect(await risks()).toBe(1);
  });

  it("rises with connections that are turned away, whatever they came for, and with one IPv6 subscriber's addresses", async () => {
    await socket(gates, { onFailure: { free: 100 } });
    await open({ path: "no-such-path-here", address: "2001:db8::1" });
    await open({ opened: false, address: "2001:db8::2" });
    await open({ key: { keyId: "k", socketId: "another", role: "member" }, address: "2001:db8::3" });
    await open({ query: "id=nobody", address: "2001:db8::4" });
    expect(await risks({ address: "2001:db8::5" })).toBe(1);
    await open({ claimedId: "eve", address: "2001:db8::6" });
    expect(await risks({ address: "2001:db8::7" })).toBe(2);
  });

  it("counts an answer once, though it comes at once on two replicas", async () => {
    await socket(gates, { onFailure: { free: 100 } });
    const hid = freshHid();
    const cid = cidOf(await open({ hid }));
    await Promise.all(Array.from({ length: 8 }, () => step(hid, 1, cid, "wrong")));
    await fail(raisedFrom - 2);
    expect(await risks()).toBe(1);
    await fail(1);
    expect(await risks()).toBe(2);
  });

  it("loses none of many failures at once", async () => {
    await socket(gates, { onFailure: { free: 100 } });
    await Promise.all(Array.from({ length: highFrom }, () => open({ path: "no-such-path-here" })));
    expect(await risks()).toBe(4);
  });

  it("tells nobody the address: the counter is named by an HMAC, and no line of the log holds it", async () => {
    await socket(gates, { onFailure: { free: 100 } });
    await fail(2, { address: "198.51.100.77" });
    expect(world.logged.join("")).not.toContain("198.51.100.77");
  });
});
