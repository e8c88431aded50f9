import {
  createMember,
  createSocket,
  deleteSocket,
  enrolAuthenticator,
  identityOpen,
  identityStep,
  inviteSign,
  listLiveSessions,
  listMembers,
  type Outcome,
  readSign,
  removeMember,
  removeSign,
  setOwnSign,
  setSign,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { z } from "zod";
import { freshHid, type OpeningOptions, opening } from "./support/handshake.ts";
import { codeOf, firstPage, refusal, startWorld, temporaryFolder, type World } from "./support/world.ts";

let world: World;
let mine: { readonly ownerId: string; readonly socketId: string };
let bob: { readonly ownerId: string; readonly socketId: string; readonly name: string };
const path = "a-path-of-its-own";
const label = "one";
const cat = ["  /\\_/\\", " ( o.o )", "  > ^ <"].join("\n");
const key = { gate: "key" };
const otp = { gate: "otp" };
const agree = { gate: "ident", ask: "agree" };
const pick = { gate: "ident", ask: "pick" };
const denied: Outcome = { say: "denied", retryAfterMs: null, sealed: true };

beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
});
afterEach(() => world.close());

async function socket(...gates: object[]) {
  const { ownerId } = await world.verifiedOwner();
  const policy = { gates };
  const { id } = await world.api.call(createSocket, { ownerId, label, path, idParameter: null, policy });
  mine = { ownerId, socketId: id };
  bob = { ...mine, name: "bob" };
  const contacts = { email: null, phone: null };
  await world.api.call(createMember, { ...bob, contacts, passphrase: null });
  await world.api.call(enrolAuthenticator, { ...mine, memberName: "bob" });
}
const holder = () => ({ keyId: "k1", socketId: mine.socketId, role: "member" as const });
async function open(options: Partial<OpeningOptions> = {}) {
  const request = opening({ label, path, query: "id=bob", key: holder(), ...options });
  return { hid: request.hid, outcome: await world.keysCaller.call(identityOpen, request), request };
}
type Action = z.infer<(typeof identityStep)["request"]>["action"];
const take = (handshake: string, n: number, action: Action, hid = handshake) =>
  world.keysCaller.call(identityStep, { handshake, hid, transcript: new Uint8Array(32), n, keyLive: true, action });
const answer = (outcome: Outcome, gate: string, value: string): Action => {
  if (outcome.say !== "challenge") throw new Error(`no challenge: ${outcome.say}`);
  return { do: "answer", cid: outcome.cid, answer: { gate, value, at: null } };
};
const live = async () => (await world.api.call(listLiveSessions, { ...mine, ...firstPage })).sessions.length;
const alerts = () => world.mails.filter(({ subject }) => subject.includes("did not recognise"));

/** As far as the gate `ident`, behind the code. */
async function shown(...gates: object[]) {
  await socket(...(gates.length === 0 ? [key, otp, agree] : gates));
  await world.api.call(setSign, { ...bob, art: cat });
  const { hid, outcome } = await open();
  return { hid, question: await take(hid, 1, answer(outcome, "otp", "right")) };
}

describe("a member's sign", () => {
  it("is set, read and removed by the owner of the socket, and by no other", async () => {
    await socket(key, otp, agree);
    expect(await world.api.call(setSign, { ...bob, art: cat })).toEqual({ art: cat });
    expect(await world.api.call(readSign, bob)).toEqual({ art: cat });
    expect((await world.api.call(listMembers, { ...mine, ...firstPage })).members).toMatchObject([{ sign: true }]);
    const { ownerId } = await world.owner();
    for (const contract of [readSign, removeSign, inviteSign] as const)
      expect(await codeOf(world.api.call(contract as typeof readSign, { ...bob, ownerId }))).toBe("not_found");
    expect(await codeOf(world.api.call(setSign, { ...bob, ownerId, art: cat }))).toBe("not_found");
    await world.api.call(removeSign, bob);
    expect(await codeOf(world.api.call(readSign, bob))).toBe("not_found");
    expect(await codeOf(world.api.call(removeSign, bob))).toBe("not_found");
    expect(await codeOf(world.api.call(setSign, { ...bob, name: "ann", art: cat }))).toBe("not_found");
  });

  it("goes with the member", async () => {
    await socket(key, otp, agree);
    await world.api.call(setSign, { ...bob, art: cat });
    await world.api.call(removeMember, bob);
    expect(world.factors.signs.size).toBe(0);
  });

  it("that is replaced or removed ends who came in by picking it, and nobody else", async () => {
    const { hid, question } = await shown(key, otp, pick);
    expect((await take(hid, 2, answer(question, "ident", "right"))).say).toBe("accepted");
    expect(await live()).toBe(1);
    await world.api.call(setSign, { ...bob, art: "[ bob ]" });
    expect(await live()).toBe(0);
  });

  it("that is replaced while it is being picked ends the handshake", async () => {
    const { hid, question } = await shown(key, otp, pick);
    await world.api.call(setSign, { ...bob, art: "[ bob ]" });
    expect(await take(hid, 2, answer(question, "ident", "right"))).toEqual(denied);
  });

  it("is needed where it is to be picked", async () => {
    await socket(key, otp, pick);
    expect((await open()).outcome).toEqual(denied);
  });
});

describe("a token by which a member sets their own", () => {
  beforeEach(() => socket(key, otp, agree));
  const invite = async () => (await world.api.call(inviteSign, bob)).token;
  const own = (token: string, art: string | null = cat) => world.api.call(setOwnSign, { token, art });

  it("sets it once", async () => {
    const token = await invite();
    expect(await own(token)).toEqual({ art: cat });
    expect(await world.api.call(readSign, bob)).toEqual({ art: cat });
    expect(await codeOf(own(token, "[ eve ]"))).toBe("not_found");
    expect(await world.api.call(readSign, bob)).toEqual({ art: cat });
  });

  it("sets it once, however many come with it at the same moment, over whichever replica", async () => {
    const token = await invite();
    const results = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => own(token, `[ ${index} ]...`)));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  it("is good for nothing once the sign was set otherwise, or the day is over", async () => {
    const [one, two] = [await invite(), await invite()];
    await own(one);
    expect(await codeOf(own(two, "[ eve ]"))).toBe("not_found");
    const late = await invite();
    world.advance(24 * 3_600_000 + 1);
    expect(await codeOf(own(late))).toBe("not_found");
    const overtaken = await invite();
    await world.api.call(setSign, { ...bob, art: "[ bob ]" });
    expect(await codeOf(own(overtaken))).toBe("not_found");
  });

  it("is not used up by what is no sign, nor by a part that is gone for a moment", async () => {
    const token = await invite();
    expect(await refusal(own(token, "\u001b[2Jcats"))).toMatchObject({ code: "invalid", issues: [{ path: "art" }] });
    world.factors.down = true;
    expect(await codeOf(own(token))).toBe("unavailable");
    world.factors.down = false;
    expect(await own(token)).toEqual({ art: cat });
  });

  it.each(["", "psi_", `psi_${"A".repeat(43)}`, "../../etc", "psi_\u0000"])("is not guessed: %j", async (token) => {
    expect(await codeOf(own(token))).toBe("not_found");
  });

  it("is nobody's whose member or socket is gone", async () => {
    const [one, two] = [await invite(), await invite()];
    await world.api.call(removeMember, bob);
    expect(await codeOf(own(one))).toBe("not_found");
    await world.api.call(deleteSocket, mine);
    expect(await codeOf(own(two))).toBe("not_found");
  });

  it("is kept as a hash", async () => {
    const folder = await temporaryFolder();
    await world.close();
    world = await startWorld({ dataDir: folder.path });
    await socket(key, otp, agree);
    const token = await invite();
    const bytes = await folder.bytes();
    expect(bytes.length).toBeGreaterThan(1000);
    expect(bytes.includes(token.slice(4))).toBe(false);
    await folder.remove();
  });
});

describe("what factors is told has been proven", () => {
  const told = () => world.factors.prepared.map(({ proven }) => proven);

  it("is the app key and, once a gate bound to the member has passed, the member", async () => {
    await shown(key, agree, otp, agree);
    // `otp` answers the first question wrongly: nothing has been proven but the key.
    expect(told()[0]).toEqual({ key: true, memberBound: false });
    const { hid, outcome } = await open();
    const second = await take(hid, 1, answer(outcome, "ident", "right"));
    await take(hid, 2, answer(second, "otp", "right"));
    expect(told().at(-1)).toEqual({ key: true, memberBound: true });
  });

  it("is not the member where only what everybody shares has passed, nor a key in Base mode", async () => {
    await socket({ gate: "otp", of: "socket" }, agree);
    await world.api.call(enrolAuthenticator, { ...mine, memberName: null });
    const { hid, outcome } = await open({ key: null });
    await take(hid, 1, answer(outcome, "otp", "right"));
    expect(told()).toEqual([{ key: false, memberBound: false }]);
  });

  it("is not the member where an answer for them was wrong", async () => {
    await socket(key, { anyOf: [otp, agree] });
    const { hid, outcome } = await open();
    await take(hid, 1, answer(outcome, "otp", "wrong"));
    expect(told()).toEqual([
      { key: true, memberBound: false },
      { key: true, memberBound: false },
    ]);
  });
});

describe("a question that was prepared", () => {
  it("is said again to who comes back over another edge, without being made anew, and answered there", async () => {
    world.factors.prompt = { ask: "agree", sign: cat };
    const { hid, question } = await shown();
    expect(question).toMatchObject({ options: [{ gate: "ident", prompt: { ask: "agree", sign: cat } }] });
    const asked = world.factors.prepared.length;
    const back = await open({ hid: freshHid("edge-2"), parked: hid, key: null });
    expect(back.outcome).toEqual(question);
    expect(world.factors.prepared).toHaveLength(asked);
    const accepted = await take(hid, 1, answer(back.outcome, "ident", "right"), back.hid);
    expect(accepted).toMatchObject({ say: "accepted", gates: ["key", "otp", "ident"] });
    // On the connection before it is over.
    expect(await codeOf(take(hid, 2, answer(question, "ident", "right")))).toBe("conflict");
  });

  it("is answered once, by however many at once", async () => {
    const { hid, question } = await shown();
    const step = () => take(hid, 2, answer(question, "ident", "right"));
    const outcomes = await Promise.all(Array.from({ length: 6 }, step));
    expect(new Set(outcomes.map((each) => JSON.stringify(each))).size).toBe(1);
    expect(await live()).toBe(1);
    expect(await codeOf(take(hid, 3, answer(question, "ident", "right")))).toBe("conflict");
  });

  it("that is answered wrongly is a failed attempt, and late is over", async () => {
    const { hid, question } = await shown();
    const again = await take(hid, 2, answer(question, "ident", "wrong"));
    expect(again).toMatchObject({ say: "challenge", attemptsLeft: 2, retry: true });
    expect(world.factors.prepared).toHaveLength(2);
    world.advance(31_000);
    expect(await take(hid, 3, answer(again, "ident", "right"))).toEqual(denied);
  });

  it("lies in no store in the clear", async () => {
    const folder = await temporaryFolder();
    await world.close();
    world = await startWorld({ dataDir: folder.path });
    world.factors.prompt = { ask: "agree", sign: "planted-sign-4711" };
    const { question } = await shown();
    expect(JSON.stringify(question)).toContain("planted-sign");
    expect((await folder.bytes()).includes("planted-sign")).toBe(false);
    await folder.remove();
  });
});

describe("a server that somebody did not recognise", () => {
  const report = (hid: string, n = 2) => take(hid, n, { do: "cancel", why: "not-recognised" });

  it("ends the handshake, and its owner is told of it, by label and with nothing of the person", async () => {
    const { hid } = await shown();
    expect(await report(hid)).toEqual(denied);
    await expect.poll(alerts).toHaveLength(1);
    const [mail] = alerts();
    expect(mail?.text).toContain(`  ${label}\n`);
    expect(mail?.text).not.toMatch(/bob|192\.0\.2\.1|a-path/);
    expect(world.logged.join("")).toContain("not-recognised");
    expect(await live()).toBe(0);
  });

  it("is a mail an hour at most, however often it is said", async () => {
    const { hid } = await shown();
    await report(hid);
    await expect.poll(alerts).toHaveLength(1);
    for (let times = 0; times < 5; times += 1) await report((await open()).hid, 1);
    await report(hid);
    world.advance(3_599_000);
    await report((await open()).hid, 1);
    // What was left to be sent would have been by then.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(alerts()).toHaveLength(1);
    world.advance(2_000);
    await report((await open()).hid, 1);
    await expect.poll(alerts).toHaveLength(2);
  });

  it("is said by who gives up with that reason only", async () => {
    const { hid } = await shown();
    expect(await take(hid, 2, { do: "cancel" })).toEqual(denied);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(alerts()).toEqual([]);
  });

  it("fills no mailbox that nobody has confirmed", async () => {
    const { ownerId } = await world.owner();
    const policy = { gates: [agree] };
    const { id } = await world.api.call(createSocket, { ownerId, label, path, idParameter: null, policy });
    await world.api.call(createMember, {
      ownerId,
      socketId: id,
      name: "bob",
      contacts: { email: null, phone: null },
      passphrase: null,
    });
    await report((await open({ key: null })).hid, 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(alerts()).toEqual([]);
  });
});
