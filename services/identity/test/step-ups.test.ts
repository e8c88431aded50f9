import { randomBytes } from "node:crypto";
import {
  askStepUp,
  checkSessions,
  createMember,
  createSocket,
  demandStepUp,
  demandStepUpOfSession,
  enrolAuthenticator,
  identityOpen,
  listLiveSessions,
  liveSessionKey,
  liveSessionView,
  nudgeStepUp,
  type Outcome,
  removeAuthenticator,
  type StepUpSaid,
  sessionEnded,
  takeStepUp,
  wakeHandshake,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freshHid, opening } from "./support/handshake.ts";
import { codeOf, firstPage, startWorld, type World } from "./support/world.ts";

let world: World;
let mine: { readonly ownerId: string; readonly socketId: string };
const nudged: { sid: string; hid: string }[] = [];
const path = "a-path-of-its-own";
const minuteMs = 60_000;
const every = { every: "15m", gate: "otp" };
const transfer = { message: "transfer", gate: "otp", for: "5m" };
const onDemand = { on: "demand", gate: "sms" };

beforeEach(async () => {
  nudged.length = 0;
  world = await startWorld({ replicas: 2 });
  const { server } = world.embedded.platformFor("edge", "edge-1");
  const take = (body: { sid: string; hid: string }) => {
    nudged.push(body);
    return { taken: true };
  };
  await server.serve(nudgeStepUp, take, { route: "edge-1" });
});
afterEach(() => world.close());

/** Bob has an authenticator, enrolled once he is in: on the way in nothing is asked of him. */
async function enter(during: object[], more: object = {}) {
  const { ownerId } = await world.owner();
  const policy = { gates: [{ gate: "path" }], resume: "1m", session: "24h", ...more, during };
  const where = { ownerId, label: "one", path, idParameter: null };
  mine = { ownerId, socketId: (await world.api.call(createSocket, { ...where, policy })).id };
  const contacts = { email: null, phone: "+49301234567" };
  await world.api.call(createMember, { ...mine, name: "bob", contacts, passphrase: null });
  const { hid, sid } = await letIn();
  await world.api.call(enrolAuthenticator, { ...mine, memberName: "bob" });
  return { hid, sid };
}
async function letIn(resumed: { sid: string; next: number } | null = null, edge = "edge-1") {
  const hid = freshHid(edge);
  const request = opening({ label: "one", path, hid, query: "id=bob", resumed });
  const outcome = await world.keysCaller.call(identityOpen, request);
  if (outcome.say !== "accepted") throw new Error(`not let in: ${outcome.say}`);
  return { hid, sid: outcome.admitted.sid, outcome };
}
/** Once there is an authenticator. */
async function letInByCode() {
  world.factors.right.add("code");
  const hid = freshHid();
  const answers = [{ gate: "otp", value: "code", at: null }];
  const outcome = await world.keysCaller.call(
    identityOpen,
    opening({ label: "one", path, hid, query: "id=bob", answers }),
  );
  if (outcome.say !== "accepted") throw new Error(outcome.say);
  return { hid, sid: outcome.admitted.sid };
}
const demandOf = async ({ sid }: On) =>
  void (await world.api.call(demandStepUpOfSession, { ...mine, sid, rule: null }));
type On = { readonly sid: string; readonly hid: string };
const transcript = new Uint8Array(randomBytes(32));
const ask = ({ sid, hid }: On, kind: string | null = null) =>
  world.keysCaller.call(askStepUp, { sid, hid, transcript, keyLive: true, class: kind });
const take = ({ sid, hid }: On, n: number, action: Parameters<typeof world.keysCaller.call<never, never>>[1]) =>
  world.keysCaller.call(takeStepUp, { sid, hid, transcript, keyLive: true, n, action } as never) as Promise<StepUpSaid>;
const answer = (on: On, n: number, said: StepUpSaid, value = "right", gate = "otp") =>
  take(on, n, { do: "answer", cid: cidOf(said.outcome), answer: { gate, value, at: null } } as never);
function cidOf(outcome: Outcome): string {
  if (outcome.say !== "challenge" && outcome.say !== "wait") throw new Error(`no question: ${outcome.say}`);
  return outcome.cid;
}
async function viewOf(sid: string) {
  const entry = await world.platform.state.get(liveSessionKey(sid));
  return entry === null ? null : liveSessionView.parse(JSON.parse(Buffer.from(entry.value).toString())).view;
}
/** The verdict is written, and the session not yet put out behind it. */
async function forgetVerdict(on: On, asked: StepUpSaid) {
  const stop = world.before("state.deleteAndCount", async () => {
    stop();
    throw new Error("it died");
  });
  let said = asked;
  for (let n = 1; n <= 3; n += 1) {
    const next = await answer(on, n, said, "wrong").catch(() => null);
    if (next !== null) said = next;
  }
}
const listed = async () => (await world.api.call(listLiveSessions, { ...mine, ...firstPage })).sessions;

/** As a client that was let in and never heard of it. */
async function comeBack({ hid: parked }: On) {
  const hid = freshHid();
  const request = opening({ label: "one", path, hid, query: "id=bob", parked });
  const outcome = await world.keysCaller.call(identityOpen, request);
  return { hid, sid: outcome.say === "accepted" ? outcome.admitted.sid : "none", outcome };
}

describe("whoever says that they never heard of being let in, and comes back by the secret of the handshake,", () => {
  it.each([
    ["nobody is on", async () => undefined],
    ["is gone already", ({ sid }: On) => world.platform.state.delete(liveSessionKey(sid))],
  ])("in the place of a session that %s is asked when they would have been asked in it", async (_what, happens) => {
    const bob = await enter([{ every: "1m", gate: "otp" }]);
    world.advance(50_000);
    await happens(bob);
    const again = await comeBack(bob);
    expect((await ask(again)).outcome.say).toBe("nothing");
    world.advance(10_000);
    expect((await ask(again)).outcome.say).toBe("challenge");
  });

  it.each([
    ["was asked", async (on: On) => void (await ask(on))],
    ["has used attempts up", async (on: On) => void (await answer(on, 1, await ask(on), "wrong"))],
    ["is demanded to answer", demandOf],
    [
      "was asked in a session that ended by itself",
      async (on: On) => {
        await ask(on);
        await world.platform.state.delete(liveSessionKey(on.sid));
      },
    ],
  ])("and %s has no other session, and begins anew", async (_what, happens) => {
    const bob = await enter([
      { every: "15s", gate: "otp" },
      { on: "demand", gate: "otp" },
    ]);
    world.advance(15_000);
    await happens(bob);
    const anew = { say: "denied", retryAfterMs: null, sealed: true, anew: true };
    expect((await comeBack(bob)).outcome).toEqual(anew);
    expect(await listed()).toEqual([]);
    expect((await comeBack(bob)).outcome).toEqual(anew);
  });
});

describe("an interval", () => {
  it("is due when it has passed, holds from then on, and is due again an interval after it was passed", async () => {
    const bob = await enter([every]);
    expect((await ask(bob)).outcome.say).toBe("nothing");
    const dueAtMs = world.now() + 15 * minuteMs;
    expect(await viewOf(bob.sid)).toEqual({ holdAtMs: dueAtMs, classes: {} });
    world.advance(15 * minuteMs);
    const asked = await ask(bob);
    expect(asked.outcome).toMatchObject({ say: "challenge", options: [{ gate: "otp" }], attemptsLeft: 3 });
    expect((await viewOf(bob.sid))?.holdAtMs).toBe(0);
    world.advance(1_000);
    const passed = await answer(bob, 1, asked);
    expect(passed.outcome).toMatchObject({ say: "stepped-up", gates: ["otp"], untilMs: null });
    expect(passed.n).toBeGreaterThan(asked.n);
    expect(passed.clock.askAtMs).toBe(world.now() + 15 * minuteMs);
    expect((await viewOf(bob.sid))?.holdAtMs).toBe(world.now() + 15 * minuteMs);
    expect(await listed()).toMatchObject([{ sid: bob.sid, gates: [], steppedUpAtMs: world.now() }]);
  });

  it("ends a session that nobody has asked, whoever died: the entry goes by itself", async () => {
    const bob = await enter([every]);
    world.advance(15 * minuteMs + 30_000);
    expect(await viewOf(bob.sid)).toBeNull();
    expect(await codeOf(ask(bob))).toBe("conflict");
    const held = [{ sid: bob.sid, hid: bob.hid }];
    const { gone } = await world.edge.call(checkSessions, { edge: "edge-1", everyMs: 1_000, held });
    expect(gone.map(({ sid }) => sid)).toEqual([bob.sid]);
  });

  it("ends a session that was asked and has not answered, with a word, and by itself where nobody says it", async () => {
    const bob = await enter([every], { deadlines: { answer: "30s", handshake: "1m" } });
    world.advance(15 * minuteMs);
    const { clock } = await ask(bob);
    expect(clock).toEqual({ askAtMs: world.now() + 30_000, endAtMs: world.now() + 90_000 });
    world.advance(30_000);
    expect((await ask(bob)).outcome).toMatchObject({ say: "denied" });
    expect(world.keys.farewells).toEqual([{ sids: [bob.sid], what: "step-up" }]);
    await expect.poll(() => world.closed).toEqual([{ sid: bob.sid, frame: `step-up ${bob.sid}`, closeCode: 4003 }]);

    const eve = await letInByCode();
    world.advance(15 * minuteMs);
    await ask(eve);
    world.advance(90_000);
    expect(await viewOf(eve.sid)).toBeNull();
  });

  it("survives a comeback: what was due is asked on the new connection, and coming back buys no time to answer", async () => {
    const bob = await enter([every], { deadlines: { answer: "30s", handshake: "1m" } });
    world.advance(14 * minuteMs + 50_000);
    world.edge.emit(sessionEnded, { sid: bob.sid, socketId: mine.socketId, hid: bob.hid, why: "lost" });
    await expect.poll(async () => (await world.platform.state.get(liveSessionKey(bob.sid))) !== null).toBe(true);
    world.advance(30_000);
    const back = await letIn({ sid: bob.sid, next: 0 }, "edge-2");
    expect(back.outcome.admitted.stepUp?.askAtMs).toBeLessThan(world.now());
    const asked = await ask(back);
    const again = await letIn({ sid: bob.sid, next: 0 }, "edge-1");
    world.advance(10_000);
    const repeated = await ask(again);
    expect(cidOf(repeated.outcome)).toBe(cidOf(asked.outcome));
    expect(repeated.clock.askAtMs).toBe(asked.clock.askAtMs);
    expect(await codeOf(answer(back, 1, asked))).toBe("conflict");
    world.advance(20_000);
    expect((await answer(again, 1, repeated)).outcome.say).toBe("denied");
    expect(await listed()).toEqual([]);
  });

  it.each([
    ["nobody answered in time", async () => world.advance(30_000)],
    ["was answered wrongly to the end, and whoever looked at it died", forgetVerdict],
  ])("does not go on over another connection where it %s while it was away", async (_why, fail) => {
    const bob = await enter([every], { deadlines: { answer: "30s", handshake: "2m" } });
    world.advance(15 * minuteMs);
    const asked = await ask(bob);
    world.edge.emit(sessionEnded, { sid: bob.sid, socketId: mine.socketId, hid: bob.hid, why: "lost" });
    await fail(bob, asked);
    // Neither the group's key nor what was said meanwhile is for them.
    await expect(letIn({ sid: bob.sid, next: 0 }, "edge-2")).rejects.toThrow("denied");
    expect(world.keys.farewells).toEqual([{ sids: [bob.sid], what: "step-up" }]);
    expect(await listed()).toEqual([]);
  });
});

describe("a class of messages", () => {
  it("is covered for its time and not a moment longer, and no other class with it", async () => {
    const bob = await enter([transfer, { message: "close", gate: "otp" }]);
    expect(await viewOf(bob.sid)).toEqual({ holdAtMs: null, classes: { transfer: 0, close: 0 } });
    const asked = await ask(bob, "transfer");
    const { outcome } = await answer(bob, 1, asked);
    const untilMs = world.now() + 5 * minuteMs;
    expect(outcome).toMatchObject({ say: "stepped-up", untilMs });
    expect((await viewOf(bob.sid))?.classes).toEqual({ transfer: untilMs, close: 0 });
    world.advance(5 * minuteMs - 1);
    expect((await ask(bob, "transfer")).outcome.say).not.toBe("challenge");
    world.advance(1);
    expect((await ask(bob, "transfer")).outcome.say).toBe("challenge");
  });

  it("that no rule names is a conflict", async () => {
    const bob = await enter([transfer]);
    for (const kind of ["other", "constructor"]) expect(await codeOf(ask(bob, kind))).toBe("conflict");
  });
});

describe("a step-up", () => {
  it("is one, however many begin it at once, on both replicas", async () => {
    const bob = await enter([transfer]);
    const said = await Promise.all(Array.from({ length: 20 }, () => ask(bob, "transfer")));
    expect(new Set(said.map(({ outcome }) => cidOf(outcome))).size).toBe(1);
  });

  it("takes an answer once: repeated it is not verified again, and of many at once one counts", async () => {
    const bob = await enter([transfer]);
    const asked = await ask(bob, "transfer");
    const said = await Promise.all(Array.from({ length: 8 }, () => answer(bob, 1, asked)));
    expect(said.every(({ outcome }) => outcome.say === "stepped-up" || outcome.say === "nothing")).toBe(true);
    expect(new Set(world.factors.verified.map(({ hid, ref }) => `${hid} ${ref}`)).size).toBe(1);
    expect((await answer(bob, 1, asked)).outcome.say).toBe("stepped-up");
  });

  it("keeps what was right where the next question cannot be asked, and asks it over another connection when it can be", async () => {
    const bob = await enter([{ message: "transfer", gates: [{ gate: "otp" }, { gate: "captcha" }] }]);
    const asked = await ask(bob, "transfer");
    const { prompt } = world.factors;
    world.factors.prompt = null;
    expect(await codeOf(answer(bob, 1, asked))).toBe("unavailable");
    world.edge.emit(sessionEnded, { sid: bob.sid, socketId: mine.socketId, hid: bob.hid, why: "lost" });
    const back = await letIn({ sid: bob.sid, next: 0 }, "edge-2");
    expect(await codeOf(ask(back))).toBe("unavailable");
    world.factors.prompt = prompt;
    expect((await ask(back)).outcome).toMatchObject({
      say: "challenge",
      options: [{ gate: "captcha" }],
      attemptsLeft: 3,
    });
  });

  /** The edge hands a batch of records on again where no answer to it came, and cannot know which of them were taken. */
  it("is not answered by what was taken before: records that are handed on again say what stands, and cost nothing", async () => {
    const bob = await enter([{ message: "transfer", gates: [{ gate: "sms" }] }], { onFailure: { attempts: 1 } });
    const asked = await ask(bob, "transfer");
    const start = { do: "start", cid: cidOf(asked.outcome), gate: "sms", at: null } as never;
    const wait = await take(bob, 1, start);
    const resend = { do: "resend", cid: cidOf(wait.outcome) } as never;
    expect((await take(bob, 2, resend)).outcome.say).toBe("wait");
    expect((await take(bob, 1, start)).outcome).toMatchObject({ say: "wait", attemptsLeft: 1 });
    expect((await take(bob, 2, resend)).outcome).toMatchObject({ say: "wait", attemptsLeft: 1 });
    expect(world.factors.resent).toHaveLength(1);
    expect(world.factors.waits.size).toBe(1);
    expect((await answer(bob, 3, wait, "right", "sms")).outcome.say).toBe("stepped-up");
  });

  it("is not answered by what answered the one before, should that be handed on again when the next one stands", async () => {
    const during = [transfer, { message: "close", gate: "otp" }];
    const bob = await enter(during, { onFailure: { attempts: 1 } });
    const first = await ask(bob, "transfer");
    expect((await answer(bob, 1, first)).outcome.say).toBe("stepped-up");
    const second = await ask(bob, "close");
    expect((await answer(bob, 1, first)).outcome).toEqual(second.outcome);
    expect((await answer(bob, 1, first, "wrong")).outcome).toEqual(second.outcome);
    expect(world.factors.verified).toHaveLength(1);
    expect((await answer(bob, 2, second)).outcome.say).toBe("stepped-up");
  });

  it("names its answers by itself: what was right for the handshake on the same connection is no answer to it", async () => {
    const bob = await enter([transfer]);
    await answer(bob, 1, await ask(bob, "transfer"));
    const [{ hid, ref } = { hid: "", ref: "" }] = world.factors.verified;
    expect(hid).not.toBe(bob.hid);
    expect(hid).toMatch(/^stepup\./);
    expect(ref.endsWith(bob.hid.slice(-22))).toBe(true);
  });

  it("ends the session after as many wrong answers as the policy allows, and no answer is taken after that", async () => {
    const bob = await enter([transfer], { onFailure: { attempts: 2 } });
    const wrong = await answer(bob, 1, await ask(bob, "transfer"), "wrong");
    expect(wrong.outcome).toMatchObject({ say: "challenge", retry: true, attemptsLeft: 1 });
    expect((await answer(bob, 2, wrong, "wrong")).outcome).toMatchObject({ say: "denied" });
    expect(await listed()).toEqual([]);
    expect(await codeOf(answer(bob, 3, wrong))).toBe("conflict");
    const tries = letIn({ sid: bob.sid, next: 0 });
    await expect(tries).rejects.toThrow("not let in: denied");
  });

  it("ends with `cancel`, with what the session stands on, and for who has nothing to answer with", async () => {
    const bob = await enter([transfer]);
    await ask(bob, "transfer");
    expect((await take(bob, 1, { do: "cancel" } as never)).outcome.say).toBe("denied");

    const eve = await letInByCode();
    await answer(eve, 1, await ask(eve, "transfer"));
    // She came in without it, and stands on it since.
    await world.api.call(removeAuthenticator, { ...mine, memberName: "bob" });
    expect(await listed()).toEqual([]);
  });

  it("that fails costs the same however many are on the socket: nobody else's session is read for it", async () => {
    const bob = await enter([onDemand]);
    const eve = await letInByCode();
    const read: unknown[] = [];
    const stop = world.before("state.get", (_replica, key) => void read.push(key));
    await world.keysCaller.call(demandStepUp, { socketId: mine.socketId, sid: bob.sid, rule: null });
    await ask(bob);
    await take(bob, 1, { do: "cancel" } as never);
    stop();
    expect((await listed()).map(({ sid }) => sid)).toEqual([eve.sid]);
    expect(read).toContain(liveSessionKey(bob.sid));
    expect(read).not.toContain(liveSessionKey(eve.sid));
  });

  it("of somebody who has nothing enrolled for it is not passed by anything", async () => {
    const { ownerId } = await world.owner();
    const policy = { gates: [{ gate: "path" }], anonymous: true, during: [transfer] };
    const where = { ownerId, label: "two", path: "another-path-of-its-own", idParameter: null };
    mine = { ownerId, socketId: (await world.api.call(createSocket, { ...where, policy })).id };
    const hid = freshHid();
    const request = opening({ label: "two", path: "another-path-of-its-own", hid });
    const outcome = await world.keysCaller.call(identityOpen, request);
    if (outcome.say !== "accepted") throw new Error(outcome.say);
    const { outcome: said } = await ask({ sid: outcome.admitted.sid, hid }, "transfer");
    expect(said.say).toBe("denied");
    expect(await listed()).toEqual([]);
  });
});

describe("a step-up on demand", () => {
  it("is asked at once, waits for a message, and goes on when somebody answers it elsewhere", async () => {
    const bob = await enter([{ ...onDemand, by: "link" }, every]);
    const { asked } = await world.keysCaller.call(demandStepUp, { socketId: mine.socketId, sid: bob.sid, rule: null });
    expect([asked, nudged]).toEqual([true, [{ sid: bob.sid, hid: bob.hid }]]);
    expect((await viewOf(bob.sid))?.holdAtMs).toBe(world.now());
    const question = await ask(bob);
    const waiting = await take(bob, 1, { do: "start", cid: cidOf(question.outcome), gate: "sms", at: null } as never);
    expect(waiting.outcome).toMatchObject({ say: "wait", gate: "sms", status: "queued" });
    const [[waitId, wait] = []] = world.factors.waits;
    if (waitId === undefined || wait === undefined) throw new Error("nobody was asked");
    expect(wait.handshake).toMatch(/^stepup\./);
    wait.view = { ...wait.view, status: "sent" };
    await world.factorsCaller.call(wakeHandshake, { handshake: wait.handshake, waitId });
    const news = await ask(bob);
    expect(news.outcome).toMatchObject({ say: "wait", status: "sent" });
    expect(news.n).toBeGreaterThan(waiting.n);
    wait.fate = "confirmed";
    await world.factorsCaller.call(wakeHandshake, { handshake: wait.handshake, waitId });
    expect(nudged).toHaveLength(3);
    // Passed before anybody asks again: the edge may be gone.
    expect((await viewOf(bob.sid))?.holdAtMs).toBe(world.now() + 15 * minuteMs);
    expect((await ask(bob)).outcome).toMatchObject({
      say: "stepped-up",
      gates: ["sms"],
      assurance: { gates: ["sms"] },
    });
  });

  it("needs a rule for it, and a session of that socket", async () => {
    const bob = await enter([every, transfer]);
    const demand = (more: object) =>
      world.keysCaller.call(demandStepUp, { socketId: mine.socketId, sid: bob.sid, rule: null, ...more });
    expect(await codeOf(demand({}))).toBe("invalid");
    for (const rule of [0, 1, 7]) expect(await codeOf(demand({ rule }))).toBe("invalid");
    expect(await codeOf(demand({ sid: "nobody" }))).toBe("not_found");
    expect(await codeOf(demand({ socketId: "another" }))).toBe("not_found");
  });

  it("handed on again with another behind it is never less than was demanded: what was passed meanwhile is asked once more", async () => {
    const bob = await enter([
      { on: "demand", gate: "otp" },
      { on: "demand", gates: [{ gate: "otp" }] },
    ]);
    const demand = (rule: number) =>
      world.keysCaller.call(demandStepUp, { socketId: mine.socketId, sid: bob.sid, rule });
    for (const rule of [0, 1]) await demand(rule);
    expect((await answer(bob, 1, await ask(bob))).outcome.say).toBe("stepped-up");
    for (const rule of [0, 1]) expect(await demand(rule)).toEqual({ asked: true });
    for (const n of [2, 3]) expect((await answer(bob, n, await ask(bob))).outcome.say).toBe("stepped-up");
    expect((await ask(bob)).outcome.say).toBe("stepped-up");
    expect((await viewOf(bob.sid))?.holdAtMs).toBeNull();
  });
});
