import { setTimeout } from "node:timers/promises";
import {
  createMember,
  createSocket,
  enrolAuthenticator,
  handshakeLeft,
  identityOpen,
  identityStep,
  listAlerts,
  listHolds,
  listLiveSessions,
  type Outcome,
  releaseHold,
  wakeHandshake,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gate } from "../../../libs/platform/test/support/hooks.ts";
import { bookOf } from "./support/book.ts";
import { freshHid, type OpeningOptions, opening } from "./support/handshake.ts";
import { codeOf, firstPage, startWorld, type World } from "./support/world.ts";

let world: World;
let mine: { readonly ownerId: string; readonly socketId: string };
const path = "a-path-of-its-own";
const label = "one";
const bare: Outcome = { say: "denied", retryAfterMs: null, sealed: false };
const denied: Outcome = { say: "denied", retryAfterMs: null, sealed: true };
const gates = [{ gate: "key" }, { gate: "otp" }];
/** Quick to climb: one is free, and behind it each waits, up to the third. */
const steep = { attempts: 3, then: "lockout", free: 1, work: 0, lockout: { after: 3, for: "1h" } };

beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
});
afterEach(() => world.close());

async function socket(policy: Record<string, unknown> = {}) {
  const { ownerId } = await world.owner();
  const whole = { gates, onFailure: steep, ...policy };
  const { id } = await world.api.call(createSocket, { ownerId, label, path, idParameter: null, policy: whole });
  mine = { ownerId, socketId: id };
  await world.api.call(enrolAuthenticator, { ...mine, memberName: null });
  for (const name of ["bob", "ann", "eve"]) {
    const contacts = { email: `${name}@x.example`, phone: null };
    await world.api.call(createMember, { ...mine, name, contacts, passphrase: null });
    if (name !== "eve") await world.api.call(enrolAuthenticator, { ...mine, memberName: name });
  }
}
const key = (keyId = "k1") => ({ keyId, socketId: mine.socketId, role: "member" as const });
const open = (options: Partial<OpeningOptions> = {}) =>
  world.keysCaller.call(identityOpen, opening({ label, path, query: "id=bob", key: key(), ...options }));
const step = (hid: string, n: number, action: Record<string, unknown>) =>
  world.keysCaller.call(identityStep, {
    handshake: hid,
    hid,
    transcript: new Uint8Array(32),
    n,
    keyLive: true,
    action: action as never,
  });
const saying = (cid: string, value: string, gate = "otp") => ({
  do: "answer",
  cid,
  answer: { gate, value, at: null },
});
const cidOf = (outcome: Outcome) => {
  if (outcome.say !== "challenge" && outcome.say !== "wait") throw new Error(`no question: ${outcome.say}`);
  return outcome.cid;
};
/** One handshake with one answer. */
async function attempt(value: string, options: Partial<OpeningOptions> = {}): Promise<Outcome> {
  const { hid = freshHid() } = options;
  const opened = await open({ ...options, hid });
  return opened.say === "challenge" ? step(hid, 1, saying(opened.cid, value)) : opened;
}
/** As far as a lockout, over all its waits. */
async function lockOut(options: Partial<OpeningOptions> = {}) {
  for (let n = 0; n < 3; n += 1) {
    expect((await attempt("wrong", options)).say).toBe(n < 2 ? "challenge" : "denied");
    world.advance(60_000);
  }
}
const holds = async () => (await world.api.call(listHolds, { ...mine, ...firstPage })).holds;
const live = async () => (await world.api.call(listLiveSessions, { ...mine, ...firstPage })).sessions.length;
const looked = () => world.factors.verified.length;

describe("whoever fails", () => {
  it("waits, is told how long, and nothing of theirs is looked at meanwhile", async () => {
    await socket();
    expect((await attempt("wrong")).say).toBe("challenge");
    expect((await attempt("wrong")).say).toBe("challenge");
    const before = looked();
    expect(await attempt("right")).toEqual({ ...denied, retryAfterMs: 30_000 });
    expect(looked()).toBe(before);
    world.advance(30_000);
    expect((await attempt("right")).say).toBe("accepted");
  });

  it("is stopped in the handshake that is under way as well, before the answer is looked at", async () => {
    await socket();
    const hid = freshHid();
    let outcome = await open({ hid });
    for (let n = 1; n < 3; n += 1) outcome = await step(hid, n, saying(cidOf(outcome), "wrong"));
    const before = looked();
    expect(await step(hid, 3, saying(cidOf(outcome), "right"))).toEqual({ ...denied, retryAfterMs: 30_000 });
    expect(looked()).toBe(before);
  });

  it("is locked out in the end, and sees what an unknown path and a wrong key see", async () => {
    await socket();
    await lockOut();
    expect(await attempt("right")).toEqual(bare);
    expect(await open({ path: "another-path" })).toEqual(bare);
    expect(await open({ opened: false })).toEqual(bare);
    world.advance(3_600_000);
    expect((await attempt("right")).say).toBe("accepted");
  });

  it("pays with work first, before their answer, and each payment is for one answer", async () => {
    await socket({ onFailure: { attempts: 3, free: 1, work: 2 } });
    world.factors.right.add("worked");
    world.factors.prompt = { challenge: "made" };
    await attempt("wrong");
    const hid = freshHid();
    const asked = await open({ hid });
    expect(asked).toMatchObject({ say: "challenge", options: [{ at: "before.work", gate: "captcha" }] });
    const paid = await step(hid, 1, saying(cidOf(asked), "worked", "captcha"));
    const again = await step(hid, 2, saying(cidOf(paid), "wrong"));
    const before = looked();
    expect(await step(hid, 3, saying(cidOf(again), "right"))).toEqual({ ...denied, retryAfterMs: 1 });
    expect(looked()).toBe(before);
  });

  it("is turned away before their ticket is used up", async () => {
    await socket();
    await attempt("wrong");
    await attempt("wrong");
    const touched: string[] = [];
    world.before("state.get", (...args: unknown[]) => void touched.push(JSON.stringify(args)));
    expect(await open({ ticket: `pt1.${"A".repeat(43)}` })).toMatchObject({ retryAfterMs: 30_000 });
  });

  it("counts for nothing from a network that the owner trusts", async () => {
    await socket({ onFailure: { ...steep, trusted: ["192.0.2.0/24"] } });
    for (let n = 0; n < 8; n += 1) expect((await attempt("wrong")).say).toBe("challenge");
    expect((await attempt("right")).say).toBe("accepted");
    await lockOut({ address: "198.51.100.1" });
    expect(await attempt("right", { address: "198.51.100.1" })).toEqual(bare);
    expect((await attempt("right")).say).toBe("accepted");
  });
});

describe("nobody is held up by others", () => {
  it("where they came in from before: not by a neighbour with the key, nor by anybody elsewhere", async () => {
    await socket();
    expect((await attempt("right")).say).toBe("accepted");
    await lockOut({ query: "id=ann" });
    await lockOut({ address: "198.51.100.7" });
    expect((await attempt("right", { address: "203.0.113.5" })).say).toBe("denied");
    expect((await attempt("right")).say).toBe("accepted");
  });

  it("where they came in from before they have counts of their own: what they do there holds them there alone", async () => {
    await socket();
    const elsewhere = { address: "198.51.100.7" };
    expect((await attempt("right")).say).toBe("accepted");
    // One more from elsewhere would wait.
    expect((await attempt("wrong", elsewhere)).say).toBe("challenge");
    for (let n = 0; n < 2; n += 1) expect((await attempt("wrong")).say).toBe("challenge");
    expect(await attempt("right")).toEqual({ ...denied, retryAfterMs: 30_000 });
    expect((await attempt("right", elsewhere)).say).toBe("accepted");
  });

  it("without the key: whoever does not open the box moves nothing but the price", async () => {
    await socket({ onFailure: { ...steep, work: 1 } });
    for (let n = 0; n < 30; n += 1) await open({ key: null, address: "198.51.100.7" });
    for (let n = 0; n < 30; n += 1) await open({ opened: false, key: null, address: "198.51.100.7" });
    expect(await holds()).toEqual([]);
    const priced = await open({ address: "198.51.100.7" });
    expect(priced).toMatchObject({ say: "challenge", options: [{ gate: "captcha" }] });
    expect(await open()).toMatchObject({ say: "challenge", options: [{ gate: "otp" }] });
  });
});

describe("a lockout", () => {
  const either = [
    { gate: "key" },
    {
      anyOf: [
        { gate: "otp", of: "socket" },
        { gate: "email", by: "link" },
      ],
    },
  ];

  const eve = { query: "id=eve" };

  it("ends the handshakes that it concerns, and tells them; those that can go on without do", async () => {
    await socket();
    const parked = freshHid();
    const elsewhere = { address: "198.51.100.7" };
    for (let n = 0; n < 2; n += 1) {
      await attempt("wrong", elsewhere);
      world.advance(60_000);
    }
    expect((await open({ hid: parked, address: "203.0.113.1" })).say).toBe("challenge");
    const ann = freshHid();
    expect((await open({ hid: ann, query: "id=ann", address: "203.0.113.1" })).say).toBe("challenge");
    const last = freshHid();
    expect(await attempt("wrong", { ...elsewhere, hid: last })).toEqual(denied);
    const pushed = () => world.keys.pushed.map(({ hid, outcome }) => ({ hid, outcome }));
    await expect.poll(pushed).toContainEqual({ hid: parked, outcome: denied });
    expect(pushed().map(({ hid }) => hid)).not.toContain(last);
    expect(pushed().map(({ hid }) => hid)).not.toContain(ann);
    // Where the push was lost on its way, the next record brings it out; and whoever locked out has heard it in answer.
    expect(await step(parked, 1, saying("any", "right"))).toEqual(denied);
    expect(await codeOf(step(last, 2, saying("any", "wrong")))).toBe("conflict");
  });

  it("ends the handshake whose own answer is being looked at, once that came to another question", async () => {
    await socket({ onFailure: { ...steep, lockout: { after: 2, for: "1h" } } });
    const hid = freshHid();
    const asked = await open({ hid, address: "203.0.113.1" });
    // Charged before the lockout, and judged behind it.
    const looking = gate();
    world.factors.before = ([item]) => (item?.value === "slow" ? looking.wait() : undefined);
    const answered = step(hid, 1, saying(cidOf(asked), "slow"));
    await looking.reached;
    const met = Promise.withResolvers<void>();
    world.after("state.get", (_replica, key) => (String(key).includes(hid) ? met.resolve() : undefined));
    expect(await attempt("wrong", { address: "198.51.100.7" })).toEqual(denied);
    await met.promise;
    looking.open();
    expect((await answered).say).toBe("challenge");
    const pushed = () => world.keys.pushed.map(({ outcome, ...to }) => [to.hid, to.n, outcome]);
    await expect.poll(pushed, { timeout: 10_000 }).toEqual([[hid, 1, denied]]);
    expect(await step(hid, 2, saying("any", "right"))).toEqual(denied);
  });

  it("of one gate leaves the others", async () => {
    await socket({ gates: either });
    await lockOut({ ...eve, address: "198.51.100.7" });
    expect(await open({ ...eve, address: "203.0.113.1" })).toMatchObject({
      say: "challenge",
      options: [{ gate: "email" }],
    });
  });

  it("wins over a wait that is confirmed at the same time", async () => {
    await socket({ gates: either });
    const hid = freshHid();
    const asked = await open({ ...eve, hid });
    const waiting = await step(hid, 1, { do: "start", cid: cidOf(asked), gate: "email", at: null });
    expect(waiting.say).toBe("wait");
    // By the same holder, at the other gate.
    await lockOut(eve);
    const [[waitId, wait] = ["none", undefined]] = [...world.factors.waits];
    if (wait !== undefined) Object.assign(wait, { fate: "confirmed" });
    await world.notify.call(wakeHandshake, { handshake: hid, waitId }).catch(() => undefined);
    expect(await live()).toBe(0);
  });

  it("wins over an accept that it meets", async () => {
    await socket();
    const hid = freshHid();
    const asked = await open({ hid });
    world.factors.before = async (items) => {
      if (items.some(({ value }) => value !== "right")) return;
      // While the right answer is looked at, the others are used up.
      world.factors.before = () => undefined;
      for (let n = 0; n < 3; n += 1) {
        await attempt("wrong");
        world.advance(31_000 * (n + 1));
      }
    };
    expect(await step(hid, 1, saying(cidOf(asked), "right"))).toMatchObject({ say: "denied" });
    expect(await live()).toBe(0);
  });

  it("is seen and released by the owner, and whoever was held begins anew", async () => {
    await socket();
    await lockOut();
    const found = await holds();
    expect(found.map(({ member, gate, keyId, kind }) => ({ member, gate, keyId, kind }))).toEqual(
      expect.arrayContaining([
        { member: "bob", gate: null, keyId: "k1", kind: "lockout" },
        { member: "bob", gate: "otp", keyId: null, kind: "lockout" },
      ]),
    );
    expect(await attempt("right")).toEqual(bare);
    for (const { id: holdId } of found) await world.api.call(releaseHold, { ...mine, holdId });
    expect(await holds()).toEqual([]);
    expect(await codeOf(world.api.call(releaseHold, { ...mine, holdId: found[0]?.id ?? "" }))).toBe("not_found");
    expect((await attempt("right")).say).toBe("accepted");
  });

  it("is in the log of the socket, and the owner is told", async () => {
    await socket();
    await lockOut();
    const text = world.logged.join("");
    const held = async () => (await bookOf(world, mine, "held")).map(({ cause }) => cause);
    await expect.poll(held).toContain("lockout");
    const kinds = async () =>
      (await world.api.call(listAlerts, { ...mine, ...firstPage })).alerts.map(({ kind }) => kind);
    await expect.poll(kinds).toContain("lockout");
    expect(text).not.toContain("192.0.2.1");
  });
});

/*
 * A lockout is written before the answer is looked at. Whoever does not wait for the end of that must not lock anybody out without the owner's hearing of it.
 */
describe("a lockout that was written for an answer which nobody judged is told, once", () => {
  async function almostLockedOut() {
    await socket();
    for (let n = 0; n < 2; n += 1) {
      await attempt("wrong");
      world.advance(60_000);
    }
    const hid = freshHid();
    return { hid, cid: cidOf(await open({ hid })) };
  }
  const told = async () => {
    const kinds = async () =>
      (await world.api.call(listAlerts, { ...mine, ...firstPage })).alerts.filter(({ kind }) => kind === "lockout");
    await expect.poll(kinds).toMatchObject([{ count: 2 }]);
    const lockouts = async () => (await bookOf(world, mine, "held")).filter(({ cause }) => cause === "lockout");
    // The holder, and the member's gate.
    await expect.poll(lockouts).toHaveLength(2);
  };

  it("where they left while it was looked at", async () => {
    const { hid, cid } = await almostLockedOut();
    world.factors.before = async () => {
      world.edge.emit(handshakeLeft, { hid, why: "closed" });
      await expect.poll(() => world.logged.join("")).toContain('"cause":"left"');
    };
    expect(await step(hid, 1, saying(cid, "wrong"))).toEqual(denied);
    expect(await attempt("right")).toEqual(bare);
    await told();
  });

  it("where they came back to another replica, because the one that looked at it was gone", async () => {
    const { hid, cid } = await almostLockedOut();
    world.factors.before = () => {
      throw new Error("gone");
    };
    await expect(step(hid, 1, saying(cid, "wrong"))).rejects.toThrow();
    world.factors.before = () => undefined;
    world.advance(6_000);
    await open({ hid: freshHid("edge-2"), key: null, parked: hid });
    await told();
  });
});

describe("what is looked up", () => {
  it("is as much for an unknown path as for a wrong key, a member who is locked out, and one who is not there", async () => {
    await socket();
    await lockOut();
    // What the lockout led to goes on behind it.
    await setTimeout(500);
    let calls = 0;
    const count = () => {
      calls += 1;
    };
    for (const name of ["get", "create", "replace", "delete", "take", "add", "sum", "join", "leave", "members"])
      world.before(`state.${name}`, () => count());
    for (const name of ["findOne", "get", "find", "insert", "replace"])
      for (const collection of ["identity_sockets", "identity_members"])
        world.before(`${collection}.${name}`, () => count());
    const cost = async (options: Partial<OpeningOptions>) => {
      calls = 0;
      expect(await open(options)).toEqual(bare);
      return calls;
    };
    const unknown = await cost({ path: "another-path", key: null, opened: false });
    expect(unknown).toBeGreaterThan(20);
    for (const options of [
      { opened: false, key: null },
      { label: "another", key: null },
      { key: { ...key(), socketId: "another" } },
      { key: { ...key(), socketId: "another" }, path: "another-path" },
      { key: null },
      // The holder, and the member from elsewhere.
      {},
      { address: "203.0.113.9" },
    ])
      expect(await cost(options), JSON.stringify(options)).toBe(unknown);
  });
});
