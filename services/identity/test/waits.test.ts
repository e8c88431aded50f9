import {
  createAnswerSecret,
  createMember,
  createSocket,
  displaceConnection,
  enrolAuthenticator,
  handshakeLeft,
  identityOpen,
  identityStep,
  kickSession,
  listLiveSessions,
  type Outcome,
  removeMember,
  ServiceError,
  sessionEnded,
  updateMember,
  updateSocket,
  type WaitFate,
  type WaitStatus,
  wakeHandshake,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gate } from "../../../libs/platform/test/support/hooks.ts";
import { freshHid, type OpeningOptions, opening } from "./support/handshake.ts";
import { codeOf, firstPage, startWorld, type World } from "./support/world.ts";

let world: World;
let mine: { readonly ownerId: string; readonly socketId: string };
const path = "a-path-of-its-own";
const label = "one";
const bare: Outcome = { say: "denied", retryAfterMs: null, sealed: false };
const denied: Outcome = { say: "denied", retryAfterMs: null, sealed: true };
const byLink = { gate: "email", by: "link" };

beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
});
afterEach(() => world.close());

async function socket(...gates: object[]) {
  const { ownerId } = await world.owner();
  const policy = { gates };
  const { id } = await world.api.call(createSocket, { ownerId, label, path, idParameter: null, policy });
  mine = { ownerId, socketId: id };
  const contacts = { email: "bob@receiver.example", phone: "+49301234567" };
  await world.api.call(createMember, { ...mine, name: "bob", contacts, passphrase: null });
}
const open = (options: Partial<OpeningOptions> = {}) => {
  const request = opening({ label, path, query: "id=bob", ...options });
  return world.keysCaller.call(identityOpen, request).then((outcome) => ({ hid: request.hid, outcome, request }));
};
type Action =
  | { do: "start"; cid: string; gate: string; at: string | null }
  | { do: "resend"; cid: string }
  | { do: "cancel" }
  | { do: "answer"; cid: string; answer: { gate: string; value: string; at: string | null } };
const take = (handshake: string, n: number, action: Action, hid = handshake) =>
  world.keysCaller.call(identityStep, { handshake, hid, transcript: new Uint8Array(32), n, keyLive: true, action });
const start = (cid: string, gateName = "email"): Action => ({ do: "start", cid, gate: gateName, at: null });
const code = (cid: string, value: string, gateName = "email"): Action => ({
  do: "answer",
  cid,
  answer: { gate: gateName, value, at: null },
});
const cidOf = (outcome: Outcome): string => {
  if (outcome.say !== "challenge" && outcome.say !== "wait") throw new Error(`no question: ${outcome.say}`);
  return outcome.cid;
};
const wake = (handshake: string, waitId: string) => world.factorsCaller.call(wakeHandshake, { handshake, waitId });
const live = async () => (await world.api.call(listLiveSessions, { ...mine, ...firstPage })).sessions;

/** As far as the wait. */
async function waiting(...gates: object[]) {
  await socket(...(gates.length === 0 ? [byLink] : gates));
  const { hid, outcome } = await open();
  const wait = await take(hid, 1, start(cidOf(outcome)));
  const [waitId = ""] = world.factors.waits.keys();
  return { hid, wait, waitId, cid: cidOf(wait) };
}
function becomes(waitId: string, change: { fate?: WaitFate; status?: WaitStatus }): void {
  const wait = world.factors.waits.get(waitId);
  if (wait === undefined) throw new Error("no such wait");
  if (change.fate !== undefined) wait.fate = change.fate;
  if (change.status !== undefined) wait.view = { ...wait.view, status: change.status };
}

describe("a wait", () => {
  it("is begun with the member's contact, and the client is told where it goes", async () => {
    await socket(byLink);
    const { hid, outcome } = await open();
    expect(outcome).toMatchObject({ options: [{ at: "0", gate: "email", prompt: { by: "link" } }] });
    const wait = await take(hid, 1, start(cidOf(outcome)));
    expect(wait).toMatchObject({
      say: "wait",
      at: "0",
      gate: "email",
      prompt: { by: "link", to: "masked", number: "417" },
    });
    expect([...world.factors.waits.values()]).toMatchObject([{ to: "bob@receiver.example", handshake: hid }]);
  });

  it("is begun once, however often and wherever the step is taken", async () => {
    await socket(byLink);
    const { hid, outcome } = await open();
    const action = start(cidOf(outcome));
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => take(hid, 1, action)));
    expect(new Set(outcomes.map((each) => JSON.stringify(each))).size).toBe(1);
    expect(world.factors.waits.size).toBe(1);
  });

  it("whose beginning failed half-way is begun by who takes the step again, under the same name", async () => {
    await socket(byLink);
    const { hid, outcome } = await open();
    world.factors.before = () => {
      throw new ServiceError("unavailable");
    };
    expect(await codeOf(take(hid, 1, start(cidOf(outcome))))).toBe("unavailable");
    const names: string[] = [];
    world.factors.before = ([item]) => void names.push(item?.ref ?? "");
    expect(await take(hid, 1, start(cidOf(outcome)))).toMatchObject({ say: "wait" });
    expect([...world.factors.waits.keys()]).toEqual(names);
  });

  it("is not begun for a member without the contact, nor for one whose contact is another one by now", async () => {
    await socket(byLink);
    const { hid, outcome } = await open();
    const change = (email: string | null, version: number) =>
      world.api.call(updateMember, {
        ...mine,
        name: "bob",
        version,
        contacts: { email, phone: null },
        passphrase: null,
      });
    await change("eve@receiver.example", 1);
    expect(await take(hid, 1, start(cidOf(outcome)))).toEqual(denied);
    await change(null, 2);
    expect((await open()).outcome).toEqual(denied);
    expect(world.factors.waits.size).toBe(0);
  });

  it("is not begun with a contact that was replaced at the last moment", async () => {
    await socket(byLink);
    const { hid, outcome } = await open();
    const contacts = { email: "eve@receiver.example", phone: null };
    // Behind the look at what the handshake stands on, before the contact is read.
    const stop = world.after("state.replace", async () => {
      stop();
      await world.api.call(updateMember, { ...mine, name: "bob", version: 1, contacts, passphrase: null });
    });
    expect(await take(hid, 1, start(cidOf(outcome)))).toEqual(denied);
    expect(world.factors.waits.size).toBe(0);
  });

  it("by code is passed by the code, and goes on after a wrong one under another id", async () => {
    const { hid, cid } = await waiting({ gate: "email" });
    const again = await take(hid, 2, code(cid, "wrong"));
    expect(again).toMatchObject({ say: "wait", retry: true, attemptsLeft: 2 });
    expect(cidOf(again)).not.toBe(cid);
    expect(await take(hid, 3, code(cidOf(again), "right"))).toMatchObject({ say: "accepted", gates: ["email"] });
  });

  it("is asked again for its message by number, and a wish that comes too late costs nothing", async () => {
    const { hid, cid, waitId } = await waiting();
    becomes(waitId, { status: "sent" });
    const [one, two] = await Promise.all([take(hid, 2, { do: "resend", cid }), take(hid, 2, { do: "resend", cid })]);
    expect(one).toMatchObject({ say: "wait", cid, status: "sent" });
    expect(two).toEqual(one);
    expect(new Set(world.factors.resent).size).toBe(1);
    expect(await take(hid, 3, { do: "resend", cid: "other" })).toMatchObject({ say: "nothing" });
    expect(await take(hid, 4, { do: "resend", cid })).toMatchObject({ say: "wait", attemptsLeft: 3 });
  });
});

describe("a wake", () => {
  it("lets in who was confirmed, at once and once, and says so on the connection", async () => {
    const { hid, waitId } = await waiting();
    becomes(waitId, { fate: "confirmed" });
    await Promise.all(
      [wake(hid, waitId), wake(hid, waitId), wake(hid, waitId)].map((one) => one.catch(() => undefined)),
    );
    await wake(hid, waitId);
    const sessions = await live();
    expect(sessions).toMatchObject([{ member: "bob", gates: ["email"] }]);
    expect(new Set(world.keys.pushed.map(({ seq, outcome }) => `${seq} ${outcome.say}`))).toEqual(
      new Set(["1 accepted"]),
    );
    expect(world.keys.pushed[0]).toMatchObject({ hid, outcome: { admitted: { sid: sessions[0]?.sid } } });
  });

  it("leads to the next gate where there is one", async () => {
    const { hid, waitId } = await waiting(byLink, { gate: "sms" });
    becomes(waitId, { fate: "confirmed" });
    await wake(hid, waitId);
    const pushed = world.keys.pushed[0]?.outcome;
    expect(pushed).toMatchObject({ say: "challenge", options: [{ gate: "sms" }], retry: false });
    expect(await take(hid, 2, start(cidOf(pushed ?? denied), "sms"))).toMatchObject({ say: "wait", gate: "sms" });
  });

  it("of a wait that nobody can confirm any more lets the client begin another, and counts as a failed attempt", async () => {
    const { hid, waitId } = await waiting();
    becomes(waitId, { fate: "spent" });
    await wake(hid, waitId);
    await wake(hid, waitId);
    const pushed = world.keys.pushed[0]?.outcome;
    expect(pushed).toMatchObject({ say: "challenge", options: [{ gate: "email" }], retry: true, attemptsLeft: 2 });
    expect(new Set(world.keys.pushed.map(({ seq }) => seq))).toEqual(new Set([1]));
    const again = await take(hid, 2, start(cidOf(pushed ?? denied)));
    expect(again).toMatchObject({ say: "wait", status: "queued" });
    const other = [...world.factors.waits.keys()].at(-1) ?? "";
    expect(other).not.toBe(waitId);
    becomes(other, { fate: "confirmed" });
    await wake(hid, other);
    expect(await live()).toMatchObject([{ member: "bob" }]);
  });

  it("tells how the message fares, each state once", async () => {
    const { hid, waitId, cid } = await waiting();
    for (const status of ["delayed", "delayed", "sent"] as const) {
      becomes(waitId, { status });
      await wake(hid, waitId);
    }
    expect(world.keys.pushed.map(({ seq, outcome }) => [seq, outcome.say === "wait" ? outcome.status : ""])).toEqual([
      [1, "delayed"],
      [1, "delayed"],
      [2, "sent"],
    ]);
    expect(world.keys.pushed.every(({ outcome }) => outcome.say === "wait" && outcome.cid === cid)).toBe(true);
  });

  it.each(["code", "resend"])(
    "between the reading and the writing of a client's %s leaves that whole",
    async (what) => {
      const { hid, cid, waitId } = await waiting({ gate: "email" });
      becomes(waitId, { status: "sent" });
      const stop = world.before("state.replace", async () => {
        stop();
        await wake(hid, waitId);
      });
      const outcome = await take(hid, 2, what === "code" ? code(cid, "right") : { do: "resend", cid });
      expect(outcome).toMatchObject({ say: what === "code" ? "accepted" : "wait" });
      expect(world.keys.pushed).toMatchObject([{ seq: 1, n: 1, outcome: { status: "sent" } }]);
    },
  );

  it("whose news comes too late for the question it belonged to says what is asked by now", async () => {
    const { hid, cid, waitId } = await waiting({ gate: "email" }, { gate: "sms" });
    becomes(waitId, { status: "sent" });
    world.keys.down = true;
    expect(await codeOf(wake(hid, waitId))).toBe("unavailable");
    const next = await take(hid, 2, code(cid, "right"));
    world.keys.down = false;
    await wake(hid, waitId);
    expect(world.keys.pushed).toMatchObject([{ n: 2, outcome: { say: "challenge", cid: cidOf(next) } }]);
  });

  it("does nothing by itself: nobody is let in who was not confirmed", async () => {
    const { hid, waitId } = await waiting();
    await wake(hid, waitId);
    await wake(hid, "another");
    await wake(freshHid(), waitId);
    expect(await live()).toEqual([]);
    expect(world.keys.pushed).toEqual([]);
  });

  it("comes again while the client's own step is under way", async () => {
    await socket({ anyOf: [byLink, { gate: "sms" }] });
    const { hid, outcome } = await open();
    const held = gate();
    world.factors.before = held.wait;
    const taking = take(hid, 1, start(cidOf(outcome)));
    await held.reached;
    expect(await codeOf(wake(hid, "wait"))).toBe("busy");
    held.open();
    expect(await taking).toMatchObject({ say: "wait" });
  });

  it("is not lost with the push: whoever wakes again pushes it, and the client's next record does no harm", async () => {
    const { hid, waitId, cid } = await waiting();
    becomes(waitId, { fate: "confirmed" });
    world.keys.down = true;
    expect(await codeOf(wake(hid, waitId))).toBe("unavailable");
    expect(await take(hid, 2, { do: "resend", cid })).toMatchObject({ say: "nothing" });
    // And it does not end the connection before the verdict is there.
    const crossed = await take(hid, 3, code(cid, "right"));
    expect(crossed).toEqual({ say: "nothing", deadlineMs: world.now() + 15_000 });
    world.keys.down = false;
    await wake(hid, waitId);
    expect(world.keys.pushed).toMatchObject([{ seq: 1, outcome: { say: "accepted" } }]);
    expect(await live()).toHaveLength(1);
  });

  it("lets nobody in who was removed meanwhile, or whose contact was replaced", async () => {
    const { hid, waitId } = await waiting();
    const contacts = { email: "other@receiver.example", phone: null };
    await world.api.call(updateMember, { ...mine, name: "bob", version: 1, contacts, passphrase: null });
    becomes(waitId, { fate: "confirmed" });
    await wake(hid, waitId);
    expect(world.keys.pushed).toMatchObject([{ outcome: denied }]);
    expect(await live()).toEqual([]);
  });

  it("does not even ask on who was removed meanwhile", async () => {
    const { hid, waitId } = await waiting(byLink, { gate: "sms" });
    const contacts = { email: "other@receiver.example", phone: "+49301234567" };
    await world.api.call(updateMember, { ...mine, name: "bob", version: 1, contacts, passphrase: null });
    becomes(waitId, { fate: "confirmed" });
    await wake(hid, waitId);
    expect(world.keys.pushed).toMatchObject([{ outcome: denied }]);
  });
});

describe("a contact that is replaced", () => {
  it("ends the sessions that came in by it, and no others; the same contact again ends none", async () => {
    const { hid, waitId } = await waiting();
    becomes(waitId, { fate: "confirmed" });
    await wake(hid, waitId);
    const change = (email: string, version: number) =>
      world.api.call(updateMember, {
        ...mine,
        name: "bob",
        version,
        contacts: { email, phone: "+49309999999" },
        passphrase: null,
      });
    await change("bob@receiver.example", 1);
    expect(await live()).toHaveLength(1);
    await change("new@receiver.example", 2);
    expect(await live()).toEqual([]);
    expect(world.closed).toHaveLength(1);
  });
});

describe("an answer secret", () => {
  it("ends the sessions that stood on the one before, and goes with the member", async () => {
    await socket({ gate: "question" });
    expect((await open()).outcome).toEqual(denied);
    const secret = { ...mine, name: "bob" };
    await world.api.call(createAnswerSecret, secret);
    const { hid, outcome } = await open();
    expect(outcome).toMatchObject({ options: [{ gate: "question", prompt: { kind: "excerpt" } }] });
    await take(hid, 1, code(cidOf(outcome), "right", "question"));
    expect(await live()).toHaveLength(1);
    await world.api.call(createAnswerSecret, secret);
    expect(await live()).toEqual([]);
    await world.api.call(removeMember, secret);
    expect([...world.factors.active]).toEqual([]);
  });
});

describe("a client that comes back", () => {
  const back = (parked: string, options: Partial<OpeningOptions> = {}) => open({ parked, ...options });

  it("is told what stands, the same under the same id, and goes on under its new connection alone", async () => {
    const { hid, wait, cid, waitId } = await waiting();
    const again = await back(hid);
    expect(again.outcome).toEqual(wait);
    expect(world.factors.waits.size).toBe(1);
    for (const n of [1, 2]) expect(await codeOf(take(hid, n, { do: "resend", cid }))).toBe("conflict");
    expect(await take(hid, 1, { do: "resend", cid }, again.hid)).toMatchObject({ say: "wait" });
    becomes(waitId, { fate: "confirmed" });
    await wake(hid, waitId);
    expect(world.keys.pushed).toMatchObject([{ hid: again.hid, seq: 1, outcome: { say: "accepted" } }]);
    expect(await live()).toMatchObject([{ edge: "edge-1" }]);
  });

  it("repeated gets the same; another one on the same connection is refused", async () => {
    const { hid } = await waiting();
    const again = await back(hid);
    expect(await world.keysCaller.call(identityOpen, again.request)).toEqual(again.outcome);
    const forged = { ...again.request, opening: "another" };
    expect(await codeOf(world.keysCaller.call(identityOpen, forged))).toBe("conflict");
  });

  it("finds the verdict that came meanwhile, with a session of its own in the place of the one that nobody had", async () => {
    const { hid, waitId } = await waiting();
    becomes(waitId, { fate: "confirmed" });
    await wake(hid, waitId);
    const [before] = await live();
    const again = await back(hid, { hid: freshHid("edge-2") });
    expect(again.outcome).toMatchObject({ say: "accepted", gates: ["email"] });
    const after = await live();
    expect(after).toMatchObject([{ edge: "edge-2" }]);
    expect(after[0]?.sid).not.toBe(before?.sid);
  });

  it("of a verdict that was heard leaves nobody on the connection before", async () => {
    const displaced: string[] = [];
    const { server } = world.embedded.platformFor("edge", "edge-1");
    await server.on(displaceConnection, (event) => void displaced.push(event.hid), { route: "edge-1" });
    const { hid, waitId } = await waiting();
    becomes(waitId, { fate: "confirmed" });
    await wake(hid, waitId);
    const again = await back(hid);
    expect(again.outcome.say).toBe("accepted");
    await expect.poll(() => displaced).toEqual([hid]);
    expect((await back(hid)).outcome.say).toBe("accepted");
    await expect.poll(() => displaced).toEqual([hid, again.hid]);
  });

  it("after it was let in has no longer than it had: its session ends when the first one would have ended", async () => {
    const { hid, waitId } = await waiting();
    becomes(waitId, { fate: "confirmed" });
    await wake(hid, waitId);
    const [first] = await live();
    if (first === undefined) throw new Error("not let in");
    for (let passed = 0; passed < 10; passed += 1) {
      world.advance(50_000);
      expect((await back(hid)).outcome.say).toBe("accepted");
    }
    expect(await live()).toMatchObject([{ expiresAtMs: first.expiresAtMs }]);
  });

  it("after it was let in and put out finds no way around the gates", async () => {
    const { hid, waitId } = await waiting();
    becomes(waitId, { fate: "confirmed" });
    await wake(hid, waitId);
    const kick = async () => {
      const [found] = await live();
      await world.api.call(kickSession, { ...mine, sid: found?.sid ?? "" });
    };
    expect((await back(hid)).outcome.say).toBe("accepted");
    await kick();
    for (let tries = 0; tries < 2; tries += 1) expect((await back(hid)).outcome).toEqual(denied);
    expect(await live()).toEqual([]);
  });

  it("after it was let in has no session under a policy that is another one since, and begins anew", async () => {
    const { hid, waitId } = await waiting();
    const policy = { gates: [byLink, { gate: "sms" }] };
    becomes(waitId, { fate: "confirmed" });
    await wake(hid, waitId);
    await world.api.call(updateSocket, { ...mine, version: 1, path: null, idParameter: null, policy });
    expect((await back(hid)).outcome).toEqual({ ...denied, anew: true });
    expect((await open()).outcome).toMatchObject({ say: "challenge", options: [{ at: "0", gate: "email" }] });
  });

  it("twice at once leaves one connection and one session", async () => {
    const { hid, waitId } = await waiting();
    becomes(waitId, { fate: "confirmed" });
    await wake(hid, waitId);
    const both = await Promise.allSettled([back(hid), back(hid), back(hid)]);
    expect(both.some(({ status }) => status === "fulfilled")).toBe(true);
    expect(await live()).toHaveLength(1);
  });

  it("to another socket, as another member, or after it was removed, is nobody", async () => {
    const { hid } = await waiting();
    const contacts = { email: "ann@receiver.example", phone: null };
    await world.api.call(createMember, { ...mine, name: "ann", contacts, passphrase: null });
    expect((await back(hid, { query: "id=ann" })).outcome).toEqual(bare);
    expect((await back(hid, { path: "elsewhere" })).outcome).toEqual(bare);
    expect((await back(freshHid())).outcome).toEqual(bare);
    await world.api.call(removeMember, { ...mine, name: "bob" });
    expect((await back(hid)).outcome).toEqual(bare);
  });

  it("to another socket is nobody where neither asks for a name", async () => {
    const { ownerId } = await world.owner();
    const anonymous = async (each: string) => {
      const policy = { gates: [{ gate: "otp", of: "socket" }], anonymous: true };
      const where = { ownerId, label: each, path: `${path}-${each}`, idParameter: null };
      const { id } = await world.api.call(createSocket, { ...where, policy });
      await world.api.call(enrolAuthenticator, { ownerId, socketId: id, memberName: null });
      return { label: each, path: where.path, query: "" };
    };
    const [one, two] = [await anonymous("one"), await anonymous("two")];
    const { hid } = await open(one);
    expect((await back(hid, two)).outcome).toEqual(bare);
    expect((await back(hid, one)).outcome).toMatchObject({ say: "challenge" });
  });

  it("whose contact was replaced is denied", async () => {
    const { hid } = await waiting();
    const contacts = { email: "new@receiver.example", phone: null };
    await world.api.call(updateMember, { ...mine, name: "bob", version: 1, contacts, passphrase: null });
    expect((await back(hid)).outcome).toEqual(denied);
  });

  it("waits for the step that is under way; one that was left behind is no way to a free guess", async () => {
    await socket({ gate: "email" });
    const { hid, outcome } = await open();
    const wait = await take(hid, 1, start(cidOf(outcome)));
    const held = gate();
    world.factors.before = async (items) => {
      if (items[0]?.value === "wrong") await held.wait();
    };
    const taking = take(hid, 2, code(cidOf(wait), "wrong")).catch(() => "conflict");
    await held.reached;
    expect(await codeOf(back(hid))).toBe("busy");
    world.advance(6_000);
    const again = await back(hid);
    expect(again.outcome).toMatchObject({ say: "wait", retry: true, attemptsLeft: 2 });
    held.open();
    expect(await taking).toBe("conflict");
    expect((await back(hid)).outcome).toMatchObject({ attemptsLeft: 2 });
  });

  it("is believed what it answers, whatever it answered over the connection before", async () => {
    await socket({ gate: "question" }, { gate: "email" });
    await world.api.call(createAnswerSecret, { ...mine, name: "bob" });
    const { hid, outcome } = await open();
    const challenge = await take(hid, 1, code(cidOf(outcome), "right", "question"));
    await take(hid, 2, start(cidOf(challenge)));
    const again = await back(hid);
    // The first record of this connection, as the other answer was of the one before.
    const accepted = await take(hid, 1, code(cidOf(again.outcome), "right"), again.hid);
    expect(accepted).toMatchObject({ say: "accepted", gates: ["question", "email"] });
  });

  it("does not come back after it gave up, or after a raw close that it meant", async () => {
    const { hid } = await waiting();
    world.edge.emit(handshakeLeft, { hid, why: "lost" });
    const again = await back(hid);
    expect(again.outcome.say).toBe("wait");
    // Of the connection before: not the one that counts.
    world.edge.emit(handshakeLeft, { hid, why: "closed" });
    // Any question: by its answer the statement has been heard.
    await wake(hid, "another");
    const third = await back(hid);
    expect(third.outcome.say).toBe("wait");
    world.edge.emit(handshakeLeft, { hid: third.hid, why: "closed" });
    await expect.poll(async () => (await back(hid)).outcome).toEqual(denied);
  });

  it("does not come back after it gave up while news of its wait was written", async () => {
    const { hid, waitId } = await waiting();
    becomes(waitId, { status: "sent" });
    const stop = world.before("state.replace", async () => {
      stop();
      await wake(hid, waitId);
    });
    world.edge.emit(handshakeLeft, { hid, why: "closed" });
    await expect.poll(() => world.logged.some((line) => line.includes('"cause":"left"'))).toBe(true);
    expect((await back(hid)).outcome).toEqual(denied);
  });

  it("does not come back after it was let in and left", async () => {
    const { hid, waitId } = await waiting();
    becomes(waitId, { fate: "confirmed" });
    await wake(hid, waitId);
    const [session] = await live();
    world.edge.emit(sessionEnded, { sid: session?.sid ?? "", socketId: mine.socketId, hid, why: "left" });
    await expect.poll(live).toEqual([]);
    expect((await back(hid)).outcome).toEqual(denied);
    expect(await live()).toEqual([]);
  });

  it("does not come back when its time is over", async () => {
    const { hid } = await waiting();
    world.advance(10 * 60_000 - 1);
    expect((await back(hid)).outcome.say).toBe("wait");
    world.advance(1);
    // Nobody was judged: they may begin anew.
    expect((await back(hid)).outcome).toEqual({ ...denied, anew: true });
    world.advance(2 * 60_000);
    expect((await back(hid)).outcome).toEqual(bare);
  });
});
