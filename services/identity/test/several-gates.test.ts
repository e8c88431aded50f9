import {
  createMember,
  createSocket,
  enrolAuthenticator,
  identityOpen,
  identityStep,
  listHolds,
  type Outcome,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freshHid, type OpeningOptions, opening } from "./support/handshake.ts";
import { firstPage, startWorld, type World } from "./support/world.ts";

let world: World;
let mine: { readonly ownerId: string; readonly socketId: string };
const label = "one";
const path = "a-path-of-its-own";
/** The code that all of the socket have, and bob's own: two authenticators, and two gates of one name. */
const twoCodes = [{ gate: "key" }, { gate: "otp", of: "socket" }, { gate: "otp" }];
const [shared, own] = ["1", "2"];
const steep = { attempts: 3, then: "lockout", free: 1, work: 0, lockout: { after: 3, for: "1h" } };

beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
  world.factors.right.add("worked");
  world.factors.prompt = { challenge: "made" };
});
afterEach(() => world.close());

async function socket(policy: Record<string, unknown>, hasOwnCode = true) {
  const { ownerId } = await world.owner();
  const { id } = await world.api.call(createSocket, { ownerId, label, path, idParameter: null, policy });
  mine = { ownerId, socketId: id };
  await world.api.call(enrolAuthenticator, { ...mine, memberName: null });
  await world.api.call(createMember, {
    ...mine,
    name: "bob",
    contacts: { email: null, phone: null },
    passphrase: null,
  });
  if (hasOwnCode) await world.api.call(enrolAuthenticator, { ...mine, memberName: "bob" });
}

/** One handshake in which each question is answered by its position, up to what is not known. @returns what was heard, in order */
async function enter(answers: Readonly<Record<string, string>>, options: Partial<OpeningOptions> = {}) {
  const hid = freshHid();
  const key = { keyId: "k1", socketId: mine.socketId, role: "member" as const };
  const given = { "before.work": "worked", ...answers };
  let outcome: Outcome = await world.keysCaller.call(
    identityOpen,
    opening({ label, path, query: "id=bob", key, hid, ...options }),
  );
  const heard = [outcome];
  for (let n = 1; outcome.say === "challenge"; n += 1) {
    const [option] = outcome.options;
    const value = new Map(Object.entries(given)).get(option?.at ?? "");
    if (option === undefined || value === undefined) break;
    const action = { do: "answer" as const, cid: outcome.cid, answer: { gate: option.gate, value, at: option.at } };
    const taken = { handshake: hid, hid, transcript: new Uint8Array(32), n, keyLive: true, action };
    outcome = await world.keysCaller.call(identityStep, taken);
    heard.push(outcome);
  }
  return heard;
}
const said = (heard: readonly Outcome[]) => heard.at(-1)?.say;
const isPaid = ([first]: readonly Outcome[]) =>
  first?.say === "challenge" && first.options.some(({ at }) => at === "before.work");
const lockouts = async () =>
  (await world.api.call(listHolds, { ...mine, ...firstPage })).holds.filter(({ kind }) => kind === "lockout");
const elsewhere = (n: number) => ({ address: `198.51.100.${n}` });

/*
 * Whoever mistyped, or whose name somebody used up from the same network, has to pay. The price is to be one that leads in: a member who can never get through is locked out
 * by who was to make trying dearer for them.
 */
describe("whoever has spent their free tries comes in through several gates", () => {
  it("by one proof of work, as long as every answer is right", async () => {
    await socket({ gates: twoCodes, onFailure: { attempts: 5, free: 5, work: 5 } });
    expect(said(await enter({ [shared]: "wrong" }))).toBe("denied");
    const heard = await enter({ [shared]: "right", [own]: "right" });
    expect([isPaid(heard), said(heard)]).toEqual([true, "accepted"]);
  });

  it("which buys one answer that is wrong, wherever: the next is not looked at", async () => {
    await socket({ gates: twoCodes, onFailure: { attempts: 5, free: 5, work: 5 } });
    await enter({ [shared]: "wrong" });
    const before = world.factors.verified.length;
    const heard = await enter({ [shared]: "right", [own]: "wrong" });
    // The work, the right one and the wrong one; behind that, they are to begin anew.
    expect(world.factors.verified.length - before).toBe(3);
    expect(heard.at(-1)).toMatchObject({ say: "denied", retryAfterMs: 1 });
  });

  it("where each answer waits, by right ones that do not hold each other up", async () => {
    await socket({ gates: twoCodes, onFailure: { ...steep, lockout: { after: 100, for: "1h" } } });
    for (let n = 0; n < 3; n += 1) {
      await enter({ [shared]: "wrong" });
      world.advance(10 * 60_000);
    }
    expect(said(await enter({ [shared]: "right", [own]: "right" }))).toBe("accepted");
  });
});

/* An insider has the key and the code that all have, and many networks. They guess at bob's own, at the gate behind. */
describe("what failed before is forgiven to who comes in", () => {
  const guess = (n: number) => enter({ [shared]: "right", [own]: "wrong" }, elsewhere(n));

  it("and not for a right answer at another gate of the same name, or one could guess there without end", async () => {
    await socket({ gates: twoCodes, onFailure: steep });
    for (let n = 0; n < 4; n += 1) {
      await guess(n);
      world.advance(5 * 60_000);
    }
    expect(await lockouts()).toContainEqual(expect.objectContaining({ member: "bob", gate: "otp" }));
  });

  it("from then on, at the gates that they passed", async () => {
    await socket({ gates: twoCodes, onFailure: { ...steep, lockout: { after: 100, for: "1h" } } });
    for (let n = 0; n < 3; n += 1) {
      await guess(n);
      world.advance(60 * 60_000);
    }
    const hint = (heard: readonly Outcome[]) => heard.find((outcome) => outcome.say === "denied")?.retryAfterMs ?? 0;
    expect(hint(await guess(10))).toBeGreaterThan(60_000);
    world.advance(60 * 60_000);
    expect(said(await enter({ [shared]: "right", [own]: "right" }))).toBe("accepted");
    await guess(20);
    expect(hint(await guess(21))).toBe(30_000);
  });
});

/*
 * Where a member came in from before, nobody's failures elsewhere hold them up, and their own are counted apart: a thief of the key who could have that anywhere would have free
 * tries from each of their networks, and none of their guesses would meet the lockout.
 */
describe("to have come in by the key alone makes nobody known", () => {
  const byDay = { time: { from: "08:00", to: "18:00" } };
  const gates = [{ gate: "key" }, { when: byDay, then: [], else: [{ gate: "otp", of: "socket" }] }];
  const noon = Date.UTC(2026, 10, 19, 12);
  const code = "1.else.0";

  it("so that a lockout of the member's gate holds there as well", async () => {
    await socket({ gates, onFailure: steep }, false);
    world.advance(noon - world.now());
    expect(said(await enter({}, elsewhere(1)))).toBe("accepted");
    world.advance(8 * 3_600_000);
    for (let n = 2; n < 6; n += 1) {
      await enter({ [code]: "wrong" }, elsewhere(n));
      world.advance(60_000);
    }
    expect(await lockouts()).toContainEqual(expect.objectContaining({ member: "bob", gate: "otp" }));
    expect(await enter({ [code]: "right" }, elsewhere(1))).toEqual([
      { say: "denied", retryAfterMs: null, sealed: false },
    ]);
  });

  it("but to have come in by a code does", async () => {
    await socket({ gates, onFailure: steep }, false);
    world.advance(noon + 8 * 3_600_000 - world.now());
    expect(said(await enter({ [code]: "right" }, elsewhere(1)))).toBe("accepted");
    for (let n = 2; n < 6; n += 1) {
      await enter({ [code]: "wrong" }, elsewhere(n));
      world.advance(60_000);
    }
    expect(said(await enter({ [code]: "right" }, elsewhere(1)))).toBe("accepted");
  });
});
