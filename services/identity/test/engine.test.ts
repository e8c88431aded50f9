import { setTimeout as sleep } from "node:timers/promises";
import {
  createMember,
  createSocket,
  deleteSocket,
  enrolAuthenticator,
  handshakeLeft,
  identityOpen,
  identityStep,
  listLiveSessions,
  type Outcome,
  removeAuthenticator,
  removeMember,
  ServiceError,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gate } from "../../../libs/platform/test/support/hooks.ts";
import { createSessionRegistry } from "../src/sessions/registry.ts";
import { type OpeningOptions, opening } from "./support/handshake.ts";
import { codeOf, firstPage, startWorld, type World } from "./support/world.ts";

let world: World;
let mine: { readonly ownerId: string; readonly socketId: string };
const path = "a-path-of-its-own";
const label = "one";
const bare: Outcome = { say: "denied", retryAfterMs: null, sealed: false };
const denied: Outcome = { say: "denied", retryAfterMs: null, sealed: true };

beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
});
afterEach(() => world.close());

/** A socket with bob, who has an authenticator. */
async function socket(policy: Record<string, unknown> = {}) {
  const { ownerId } = await world.owner();
  const whole = { gates: [{ gate: "otp" }], ...policy };
  const { id } = await world.api.call(createSocket, { ownerId, label, path, idParameter: null, policy: whole });
  mine = { ownerId, socketId: id };
  const contacts = { email: null, phone: null };
  await world.api.call(createMember, { ...mine, name: "bob", contacts, passphrase: null });
  await world.api.call(enrolAuthenticator, { ...mine, memberName: "bob" });
}
const bob = (options: Partial<OpeningOptions> = {}) => opening({ label, path, query: "id=bob", ...options });
const open = (request = bob()) => world.keysCaller.call(identityOpen, request);
const answer = (cid: string, value: string, gateName = "otp") => ({
  do: "answer" as const,
  cid,
  answer: { gate: gateName, value, at: null },
});
const take = (
  hid: string,
  n: number,
  action:
    | ReturnType<typeof answer>
    | { do: "cancel" }
    | { do: "offer"; answers: { gate: string; value: string; at: null }[]; parameters: Record<string, string> },
  keyLive = true,
) => world.keysCaller.call(identityStep, { handshake: hid, hid, transcript: new Uint8Array(32), n, keyLive, action });
const otp = (value: string) => ({ gate: "otp", value, at: null });
const sids = async () =>
  (await world.api.call(listLiveSessions, { ...mine, ...firstPage })).sessions.map(({ sid }) => sid);

/** As far as the first question. */
async function asked(): Promise<{ hid: string; cid: string }> {
  const request = bob();
  return { hid: request.hid, cid: cidOf(await open(request)) };
}
function cidOf(outcome: Outcome): string {
  if (outcome.say !== "challenge") throw new Error(`no challenge: ${outcome.say}`);
  return outcome.cid;
}
function sidOf(outcome: Outcome | undefined): string {
  if (outcome?.say !== "accepted") throw new Error(`not accepted: ${outcome?.say}`);
  return outcome.admitted.sid;
}
const twice = <T>(what: () => Promise<T>) => Promise.all([what(), what()]);

describe("a handshake", () => {
  it("asks, and lets in who answers right; the outcome says what was proven", async () => {
    await socket();
    const { hid, cid } = await asked();
    const outcome = await take(hid, 1, answer(cid, "right"));
    expect(outcome).toMatchObject({
      say: "accepted",
      admitted: { socketId: mine.socketId, member: "bob", memberProven: true },
      gates: ["otp"],
      assurance: { key: false, memberBound: true, gates: ["otp"] },
    });
    expect(await sids()).toEqual([sidOf(outcome)]);
    expect(world.factors.verified).toEqual([{ hid, ref: `1-0-${hid.slice(-22)}`, gate: "otp", value: "right" }]);
  });

  it("is over after as many wrong answers as the policy allows", async () => {
    await socket();
    const { hid, cid } = await asked();
    const second = await take(hid, 1, answer(cid, "wrong"));
    expect(second).toMatchObject({ say: "challenge", attemptsLeft: 2, retry: true });
    const third = await take(hid, 2, answer(cidOf(second), "wrong"));
    expect(await take(hid, 3, answer(cidOf(third), "wrong"))).toEqual(denied);
    expect(await codeOf(take(hid, 4, answer("any", "right")))).toBe("conflict");
    expect(await sids()).toEqual([]);
  });

  it.each<[string, Partial<OpeningOptions>]>([
    ["a path that is not there", { path: "another-path" }],
    ["a label that is not there", { label: "another" }],
    ["a box that does not open", { opened: false }],
    ["a key of another socket", { key: { keyId: "k", socketId: "another", role: "member" } }],
    ["a name in the box that the address does not have", { claimedId: "ann" }],
    ["no name in the box where the address has one", { claimedId: "" }],
    ["a member that is not there", { query: "id=ann" }],
    ["an origin that is not listed", { origin: "https://evil.example" }],
  ])("with %s is turned away bare, and verifies nothing", async (_, options) => {
    await socket({ origins: ["https://good.example"] });
    expect(await open(bob({ answers: [otp("right")], ...options }))).toEqual(bare);
    expect(world.factors.verified).toEqual([]);
    // What is listed, and a program that is no browser, come further.
    expect((await open(bob({ origin: "https://good.example" }))).say).toBe("challenge");
    expect((await open(bob())).say).toBe("challenge");
  });

  it("without a key where the policy wants one is turned away bare", async () => {
    await socket({ gates: [{ gate: "key" }, { gate: "otp" }] });
    expect(await open(bob({ answers: [otp("right")] }))).toEqual(bare);
    expect((await open(bob({ key: { keyId: "k", socketId: mine.socketId, role: "member" } }))).say).toBe("challenge");
  });

  it("under a suite that the policy does not take is turned away bare, whatever else is right, and held against nobody", async () => {
    const onFailure = { free: 1, work: 0, delay: { first: "1h", max: "1h" } };
    await socket({ gates: [{ gate: "key" }, { gate: "otp" }], encryption: { suite: "post-quantum" }, onFailure });
    const key = { keyId: "k", socketId: mine.socketId, role: "member" as const };
    const under = (suite: "647a" | "0020") => open(bob({ suite, key, answers: [otp("right")] }));
    for (let tries = 0; tries < 4; tries += 1) expect(await under("0020")).toEqual(bare);
    expect(world.factors.verified).toEqual([]);
    expect(world.logged.some((line) => line.includes('"cause":"suite"'))).toBe(true);
    // Failures of who has a key are counted behind the answer (`afterwards.ts`).
    await sleep(300);
    expect((await under("647a")).say).toBe("accepted");
  });

  it("under either suite goes on where the policy takes any", async () => {
    await socket();
    expect((await open(bob({ suite: "0020" }))).say).toBe("challenge");
  });

  it("looks up as much for what is there as for what is not", async () => {
    await socket();
    const looked: string[] = [];
    for (const collection of ["identity_sockets", "identity_members"])
      world.before(`${collection}.findOne`, () => void looked.push(collection));
    const cost = async (options: Partial<OpeningOptions>) => {
      looked.length = 0;
      await open(bob(options));
      return looked.join();
    };
    const known = await cost({ opened: false });
    expect(known).toBe("identity_sockets,identity_members");
    for (const options of [{ path: "another-path" }, { label: "another" }, { query: "" }, { query: "id=ann" }])
      expect(await cost({ opened: false, ...options })).toBe(known);
  });

  it("ends when its time is over, whatever is answered then", async () => {
    await socket({ deadlines: { answer: "10s", handshake: "1m" } });
    const { hid, cid } = await asked();
    world.advance(9_999);
    const second = await take(hid, 1, answer(cid, "wrong"));
    world.advance(10_000);
    expect(await take(hid, 2, answer(cidOf(second), "right"))).toEqual(denied);
    const third = await asked();
    world.advance(10 * 60_000);
    expect(await take(third.hid, 1, answer(third.cid, "right"))).toEqual(denied);
    expect(world.factors.verified.map(({ value }) => value)).toEqual(["wrong"]);
  });

  it("ends when the connection is gone: a step that comes late is denied", async () => {
    await socket();
    const { hid, cid } = await asked();
    world.edge.emit(handshakeLeft, { hid, why: "closed" });
    await expect.poll(() => codeOf(take(hid, 1, answer(cid, "right")))).toBe("conflict");
    expect(await sids()).toEqual([]);
    expect(world.logged.some((line) => line.includes('"cause":"left"'))).toBe(true);
  });

  it("whose connection goes while an answer is verified lets nobody in", async () => {
    await socket();
    const { hid, cid } = await asked();
    const { wait, reached, open: release } = gate();
    world.factors.before = wait;
    const taking = take(hid, 1, answer(cid, "right"));
    await reached;
    world.edge.emit(handshakeLeft, { hid, why: "closed" });
    await expect.poll(() => world.logged.some((line) => line.includes('"cause":"left"'))).toBe(true);
    release();
    expect(await taking).toEqual(denied);
    expect(await sids()).toEqual([]);
  });

  it("that the client cancels is denied", async () => {
    await socket();
    const { hid } = await asked();
    expect(await take(hid, 1, { do: "cancel" })).toEqual(denied);
  });

  it("in offered mode says nothing to what is not enough, and lets in with what is", async () => {
    await socket({ mode: "offered" });
    const request = bob({ answers: [otp("wrong")] });
    expect(await open(request)).toMatchObject({ say: "nothing" });
    expect(await take(request.hid, 1, { do: "offer", answers: [otp("wrong")], parameters: {} })).toMatchObject({
      say: "nothing",
    });
    sidOf(await take(request.hid, 2, { do: "offer", answers: [otp("right")], parameters: {} }));
  });
});

describe("a step that is repeated", () => {
  it("gets the same outcome, one after the other: opening and answer", async () => {
    await socket();
    const request = bob();
    const first = await open(request);
    expect(await open(request)).toEqual(first);
    const action = answer(cidOf(first), "right");
    const accepted = await take(request.hid, 1, action);
    expect(await take(request.hid, 1, action)).toEqual(accepted);
    expect(await sids()).toEqual([sidOf(accepted)]);
    expect(world.factors.verified).toHaveLength(1);
  });

  it.each([
    ["the question", { gates: [{ gate: "otp" }] }, []],
    ["the verdict on an offer", { gates: [{ gate: "otp" }], mode: "offered" }, [otp("right")]],
    ["silence", { gates: [{ gate: "otp" }], mode: "offered" }, [otp("wrong")]],
    ["a denial", { gates: [{ gate: "otp" }], onFailure: { attempts: 1 } }, [otp("wrong")]],
  ])("at once on two replicas gets the same outcome when it opens: %s", async (_, policy, answers) => {
    await socket(policy);
    for (let round = 0; round < 5; round += 1) {
      const request = bob({ answers });
      const [one, two] = await twice(() => open(request));
      expect(two).toEqual(one);
      expect(await open(request)).toEqual(one);
    }
    expect(new Set(await sids()).size).toBe(answers[0]?.value === "right" ? 5 : 0);
  });

  it("at once on two replicas registers one session where the path is enough", async () => {
    await socket({ gates: [{ gate: "path" }], anonymous: true });
    const request = opening({ label, path });
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => open(request)));
    expect(new Set(outcomes.map(sidOf)).size).toBe(1);
    expect(await sids()).toEqual([sidOf(outcomes[0])]);
  });

  it.each(["right", "wrong"])("at once on two replicas gets the same outcome when it answers: %s", async (value) => {
    await socket();
    for (let round = 0; round < 5; round += 1) {
      const { hid, cid } = await asked();
      const outcomes = await Promise.all(Array.from({ length: 6 }, () => take(hid, 1, answer(cid, value))));
      expect(new Set(outcomes.map((outcome) => JSON.stringify(outcome))).size).toBe(1);
      expect(outcomes[0]?.say).toBe(value === "right" ? "accepted" : "challenge");
    }
    expect(await sids()).toHaveLength(value === "right" ? 5 : 0);
  });

  it("does not wait for the one that hangs: the other replica finishes, and both say the same", async () => {
    await socket();
    const { hid, cid } = await asked();
    const { wait, reached, open: release } = gate();
    let asks = 0;
    world.factors.before = () => {
      asks += 1;
      return asks === 1 ? wait() : undefined;
    };
    const hanging = take(hid, 1, answer(cid, "right"));
    await reached;
    const finished = await take(hid, 1, answer(cid, "right"));
    expect(await sids()).toEqual([sidOf(finished)]);
    release();
    expect(await hanging).toEqual(finished);
    expect(await sids()).toEqual([sidOf(finished)]);
    // Both asked under the same reference, so that a used code passes twice for this one answer.
    expect(new Set(world.factors.verified.map(({ ref }) => ref)).size).toBe(1);
  });

  it("finishes what stopped between the two writes: opening and answer", async () => {
    await socket();
    world.factors.before = () => Promise.reject(new ServiceError("unavailable"));
    const offered = bob({ answers: [otp("right")] });
    expect(await codeOf(open(offered))).toBe("unavailable");
    const { hid, cid } = await asked();
    expect(await codeOf(take(hid, 1, answer(cid, "right")))).toBe("unavailable");
    expect(await sids()).toEqual([]);
    world.factors.before = () => undefined;
    const outcomes = [await open(offered), await take(hid, 1, answer(cid, "right"))];
    expect(new Set(await sids())).toEqual(new Set(outcomes.map(sidOf)));
  });

  it("finishes what stopped before the last write, and leaves nothing to speak on but one session", async () => {
    await socket();
    const { hid, cid } = await asked();
    let writes = 0;
    const stop = world.before("state.replace", (_, key) => {
      writes += String(key).startsWith("identity:handshake:") ? 1 : 0;
      if (writes === 2) throw new Error("died");
    });
    expect(await codeOf(take(hid, 1, answer(cid, "right")))).toBe("internal");
    stop();
    const outcome = await take(hid, 1, answer(cid, "right"));
    expect(await sids()).toContain(sidOf(outcome));
    expect(await take(hid, 1, answer(cid, "right"))).toEqual(outcome);
  });
});

describe("nobody is let in", () => {
  it("while nothing can be verified, and the step that comes next has to wait", async () => {
    await socket();
    const { hid, cid } = await asked();
    world.factors.before = () => Promise.reject(new Error("broken"));
    expect(await codeOf(take(hid, 1, answer(cid, "right")))).toBe("internal");
    expect(await codeOf(take(hid, 2, answer(cid, "right")))).toBe("busy");
    expect(await sids()).toEqual([]);
  });

  it.each<[string, { ref: string; ok: boolean }[]]>([
    ["nothing", []],
    ["something else", [{ ref: "9-9", ok: true }]],
    [
      "both",
      [
        { ref: "what was asked", ok: true },
        { ref: "what was asked", ok: false },
      ],
    ],
  ])("on a reply that says %s of what was asked", async (_, results) => {
    await socket();
    const { hid, cid } = await asked();
    world.factors.reply = ([item]) =>
      results.map(({ ref, ok }) => ({ ref: ref === "what was asked" ? (item?.ref ?? "") : ref, ok, cause: null }));
    expect(await codeOf(take(hid, 1, answer(cid, "right")))).toBe("unavailable");
    world.factors.reply = null;
    sidOf(await take(hid, 1, answer(cid, "right")));
  });

  it("with another box under the same handshake, whatever it proved itself", async () => {
    await socket({ gates: [{ gate: "key" }, { gate: "otp" }] });
    const key = { keyId: "k", socketId: mine.socketId, role: "member" as const };
    const request = bob({ key });
    const cid = cidOf(await open(request));
    // A dishonest edge goes on with what somebody else has proven.
    for (const other of [bob({ key, hid: request.hid }), { ...request, answers: [otp("right")] }])
      expect(await codeOf(open(other))).toBe("conflict");
    const elsewhere = await world.owner();
    const theirs = { ownerId: elsewhere.ownerId, label: "two", path, idParameter: null };
    await world.api.call(createSocket, { ...theirs, policy: { gates: [{ gate: "path" }], anonymous: true } });
    expect(await codeOf(open(opening({ label: "two", path, hid: request.hid })))).toBe("conflict");
    sidOf(await take(request.hid, 1, answer(cid, "right")));
  });

  it("by another answer in the place of the one that was given: one of many at once is looked at", async () => {
    await socket();
    const { hid, cid } = await asked();
    const values = ["000000", "111111", "222222", "333333", "right", "555555", "666666"];
    const outcomes = await Promise.allSettled(values.map((value) => take(hid, 1, answer(cid, value))));
    expect(new Set(world.factors.verified.map(({ value }) => value)).size).toBe(1);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "conflict" });
    }
  });

  it("by an answer out of turn", async () => {
    await socket();
    const { hid, cid } = await asked();
    expect(await codeOf(take(hid, 2, answer(cid, "right")))).toBe("conflict");
    const second = await take(hid, 1, answer(cid, "wrong"));
    expect(await codeOf(take(hid, 1, answer(cid, "right")))).toBe("conflict");
    // An old question is answered no more, and counts as a failure.
    expect(await take(hid, 2, answer(cid, "right"))).toMatchObject({ say: "nothing" });
    expect(cidOf(second)).not.toBe(cid);
    expect(world.factors.verified).toHaveLength(1);
  });

  it.each([
    ["the member is removed", "removed", () => world.api.call(removeMember, { ...mine, name: "bob" })],
    ["the socket is deleted", "removed", () => world.api.call(deleteSocket, mine)],
    ["the member's removal stops half-way", "half", () => world.api.call(removeMember, { ...mine, name: "bob" })],
    ["the socket's deletion stops half-way", "half", () => world.api.call(deleteSocket, mine)],
  ])("when %s while an answer is verified", async (_, how, remove) => {
    await socket();
    const { hid, cid } = await asked();
    const { wait, reached, open: release } = gate();
    world.factors.before = wait;
    const taking = take(hid, 1, answer(cid, "right"));
    await reached;
    world.factors.down = how === "half";
    expect(await codeOf(remove())).toBe(how === "half" ? "unavailable" : null);
    release();
    expect(await taking).toEqual(denied);
    expect(await registry().ofSocket(mine.socketId)).toEqual([]);
  });

  it.each([
    ["the member is removed", () => world.api.call(removeMember, { ...mine, name: "bob" })],
    ["the socket is deleted", () => world.api.call(deleteSocket, mine)],
  ])("for long when %s between the verdict and the look at who is there", async (_, remove) => {
    await socket();
    const { hid, cid } = await asked();
    // The session is about to be written: whoever removes finds no session yet.
    const { wait, reached, open: release } = gate();
    const stop = world.before("state.join", wait);
    const taking = take(hid, 1, answer(cid, "right"));
    await reached;
    stop();
    await remove();
    release();
    expect(await taking).toEqual(denied);
    expect(await registry().ofSocket(mine.socketId)).toEqual([]);
  });

  it("without a name when the socket is deleted while an answer is verified", async () => {
    await socket({ gates: [{ gate: "otp", of: "socket" }], anonymous: true });
    await world.api.call(enrolAuthenticator, { ...mine, memberName: null });
    const { wait, reached, open: release } = gate();
    world.factors.before = wait;
    const opened = open(opening({ label, path, answers: [otp("right")] }));
    await reached;
    await world.api.call(deleteSocket, mine);
    release();
    expect(await opened).toEqual(denied);
    expect(await registry().ofSocket(mine.socketId)).toEqual([]);
  });

  it("for long when the removal comes right after that look", async () => {
    await socket();
    const { hid, cid } = await asked();
    const { wait, reached, open: release } = gate();
    let looks = 0;
    // The first look is the one with which the step begins.
    const stop = world.after("identity_members.get", () => {
      looks += 1;
      return looks === 2 ? wait() : undefined;
    });
    const taking = take(hid, 1, answer(cid, "right"));
    await reached;
    stop();
    const removed = await world.api.call(removeMember, { ...mine, name: "bob" });
    release();
    await taking;
    // The removal found the session that was registered before the look.
    expect(removed).toEqual({ closed: 1 });
    expect(await sids()).toEqual([]);
    expect(world.closed).toHaveLength(1);
  });
});

describe("a handshake whose ground goes away while a question is out", () => {
  const removeOtp = (memberName: string | null) => world.api.call(removeAuthenticator, { ...mine, memberName });

  it.each<[string, () => Promise<unknown>, boolean]>([
    ["the member is removed", () => world.api.call(removeMember, { ...mine, name: "bob" }), true],
    ["the member's authenticator is removed", () => removeOtp("bob"), true],
    ["it is replaced by another one", () => world.api.call(enrolAuthenticator, { ...mine, memberName: "bob" }), true],
    ["the socket is deleted", () => world.api.call(deleteSocket, mine), true],
    ["the app key is revoked", async () => undefined, false],
  ])("because %s: ends with its next step, whatever that says, and nothing is verified", async (_, remove, keyLive) => {
    await socket();
    const handshakes = [await asked(), await asked(), await asked()];
    const offer = { do: "offer" as const, answers: [otp("right")], parameters: {} };
    await remove();
    const steps = handshakes.map(({ hid, cid }, index) =>
      take(hid, 1, [answer(cid, "right"), answer(cid, "wrong"), offer][index] ?? offer, keyLive),
    );
    expect(await Promise.all(steps)).toEqual([denied, denied, denied]);
    expect(world.factors.verified).toEqual([]);
    expect(await registry().ofSocket(mine.socketId)).toEqual([]);
    expect(world.logged.filter((line) => line.includes('"cause":"revoked"'))).toHaveLength(3);
    for (const { hid, cid } of handshakes) expect(await codeOf(take(hid, 2, answer(cid, "right")))).toBe("conflict");
  });

  it("also where it offers and nobody is asked", async () => {
    await socket({ mode: "offered" });
    const request = bob();
    expect(await open(request)).toMatchObject({ say: "nothing" });
    await removeOtp("bob");
    expect(await take(request.hid, 1, { do: "offer", answers: [otp("wrong")], parameters: {} })).toEqual(denied);
  });

  it("also while its answer is verified", async () => {
    await socket();
    const { hid, cid } = await asked();
    const { wait, reached, open: release } = gate();
    world.factors.before = wait;
    const taking = take(hid, 1, answer(cid, "right"));
    await reached;
    await removeOtp("bob");
    release();
    expect(await taking).toEqual(denied);
    expect(await sids()).toEqual([]);
  });

  it("goes on where what is removed is none of its business", async () => {
    await socket();
    await world.api.call(enrolAuthenticator, { ...mine, memberName: null });
    const contacts = { email: null, phone: null };
    await world.api.call(createMember, { ...mine, name: "ann", contacts, passphrase: null });
    const { hid, cid } = await asked();
    await removeOtp(null);
    await world.api.call(removeMember, { ...mine, name: "ann" });
    const second = await take(hid, 1, answer(cid, "wrong"));
    expect(second).toMatchObject({ say: "challenge", attemptsLeft: 2 });
    sidOf(await take(hid, 2, answer(cidOf(second), "right")));
  });

  it("is answered alike when the step is repeated, as any other", async () => {
    await socket();
    const { hid, cid } = await asked();
    const action = answer(cid, "right");
    expect(await take(hid, 1, action, false)).toEqual(denied);
    expect(await take(hid, 1, action, false)).toEqual(denied);
    expect(await take(hid, 1, action)).toEqual(denied);
  });
});

function registry() {
  return createSessionRegistry(world.platform.state, world.now);
}
