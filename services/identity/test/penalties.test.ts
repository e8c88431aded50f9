import { parsePolicy } from "@portcullis/policy";
import { openEmbeddedState } from "@portcullis/state/embedded";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createNetworkRisk } from "../src/handshake/risk.ts";
import { holdLength, ladderOf, rulesOf } from "../src/penalties/ladder.ts";
import { createPenalties, type Penalties } from "../src/penalties/penalties.ts";
import { gateOf, holderOf, type Who } from "../src/penalties/subjects.ts";

/** Of the engine, and of us: they need not agree. */
let engineMs: number;
let oursMs: number;
let state: ReturnType<typeof openEmbeddedState>;
let replicas: readonly Penalties[];
let steps = 0;
const minute = 60_000;
const hour = 60 * minute;

beforeEach(() => {
  engineMs = 1_795_000_000_000;
  oursMs = engineMs;
  state = openEmbeddedState({ file: ":memory:", clock: () => engineMs });
  replicas = [0, 1].map(() => createPenalties(state, createNetworkRisk(state), () => oursMs));
});
afterEach(() => state.close());

function rules(onFailure: Record<string, unknown> = {}, more: Record<string, unknown> = {}) {
  const parsed = parsePolicy({ gates: [{ gate: "key" }, { gate: "otp" }], onFailure, ...more });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed));
  return rulesOf(parsed.policy);
}
const keyless = { gates: [{ gate: "otp" }] };
const bob: Who = { network: "n1", socketId: "s1", keyId: "k1", memberId: "bob" };
function pass(ms: number) {
  engineMs += ms;
  oursMs += ms;
}
const answering = (of = rules(), who = bob, gates = ["otp"], known = false) => ({ who, known, rules: of, gates });
const penalties = (replica = 0): Penalties => replicas[replica] as Penalties;
/** One more answer, wrong unless it is said otherwise. @returns whether it was looked at, or what stopped it */
async function answer(of = answering(), { paid = true, right = false, replica = 0 } = {}) {
  steps += 1;
  const charging = await penalties(replica).charge(of, `step ${steps}`, paid);
  if (charging.held !== null) return charging.held;
  if (right) {
    await penalties(replica).lift(charging.charges);
    await penalties(replica).giveBack(charging.charges);
    await penalties(replica).forgive(of);
  }
  return "looked at";
}
const work = () =>
  penalties()
    .look(bob, rules().onFailure)
    .then((standing) => standing.work);

describe("the ladder", () => {
  it("goes from free tries over work and doubling delays to a lockout", () => {
    const ladder = ladderOf(rules({ then: "lockout" }), holderOf(bob));
    expect(ladder).toMatchObject({ free: 5, open: 10, lockoutAfter: 20, lockoutMs: 24 * hour });
    const lengths = Array.from({ length: 11 }, (_, nth) => holdLength(ladder, nth + 1));
    const seconds = [30, 60, 120, 240, 480, 960, 1920, 3600, 3600];
    expect(lengths.slice(0, 9)).toEqual(seconds.map((s) => ({ isLockout: false, ms: s * 1000 })));
    expect(lengths[9]).toEqual({ isLockout: true, ms: 24 * hour });
    expect(holdLength(ladderOf(rules(), holderOf(bob)), 5000)).toEqual({ isLockout: false, ms: hour });
  });

  it("has no work where credentials are offered: the delay comes in its place", () => {
    const ladder = ladderOf(rules({}, { mode: "offered" }), holderOf(bob));
    expect(ladder).toMatchObject({ free: 5, open: 5 });
  });

  it("has no delay and no lockout for a member of a socket that asks for no key, but where they came in from", () => {
    const of = rules({ then: "lockout" }, keyless);
    const never = Number.POSITIVE_INFINITY;
    expect(ladderOf(of, gateOf(bob, "otp", false))).toMatchObject({ free: 5, open: never, lockoutAfter: never });
    expect(ladderOf(of, gateOf(bob, "otp", true))).toMatchObject({ free: 5, open: 10, lockoutAfter: never });
    expect(ladderOf(of, holderOf({ ...bob, keyId: null }))).toMatchObject({ free: 5, open: 10, lockoutAfter: never });
  });

  it("is climbed failure by failure, and asks for work, then time, then nothing more", async () => {
    const of = answering(rules({ then: "lockout" }));
    for (let n = 0; n < 5; n += 1) expect(await answer(of, { paid: false })).toBe("looked at");
    expect(await work()).toBe(true);
    expect(await answer(of, { paid: false })).toMatchObject({ isLockout: false, untilMs: oursMs });
    for (let n = 0; n < 5; n += 1) expect(await answer(of)).toBe("looked at");
    for (const seconds of [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]) {
      expect(await answer(of)).toBe("looked at");
      const untilMs = oursMs + seconds * 1000;
      expect(await answer(of)).toMatchObject({ isLockout: false, untilMs });
      pass(seconds * 1000 - 1);
      expect(await answer(of)).toMatchObject({ untilMs });
      pass(1);
    }
    expect(await answer(of)).toBe("looked at");
    expect(await answer(of)).toMatchObject({ isLockout: true, untilMs: oursMs + 24 * hour });
    const { holds } = await penalties().look(bob, of.rules.onFailure);
    expect(holds.map(({ gate, isLockout }) => [gate, isLockout])).toEqual([
      [null, true],
      ["otp", true],
    ]);
    pass(24 * hour);
    expect((await penalties().look(bob, of.rules.onFailure)).holds).toEqual([]);
  });

  it("begins anew a day after each failure", async () => {
    for (let n = 0; n < 5; n += 1) await answer();
    pass(24 * hour - 1);
    expect(await work()).toBe(true);
    pass(1);
    expect(await work()).toBe(false);
  });

  it("is another one for each gate, and a right answer takes down its own only", async () => {
    const own = (gate: string, network: string) => answering(rules(), { ...bob, network }, [gate]);
    for (let n = 0; n < 11; n += 1) await answer(own("otp", `otp ${n}`));
    expect(await answer(own("otp", "another"))).toMatchObject({ gate: "otp" });
    for (let n = 0; n < 11; n += 1) expect(await answer(own("sms", `sms ${n}`))).toBe("looked at");
    expect(await answer(own("sms", "another"))).toMatchObject({ gate: "sms" });
    pass(30_000);
    expect(await answer(own("sms", "another"), { right: true })).toBe("looked at");
    expect(await answer(own("sms", "once more"), { paid: false })).toBe("looked at");
    expect(await answer(own("otp", "yet another"), { paid: false })).toBe("looked at");
    expect(await answer(own("otp", "still another"))).toMatchObject({ gate: "otp", isLockout: false });
  });

  it("is not taken down by an insider's own codes between their guesses at somebody else's", async () => {
    const eve = answering(rules(), { ...bob, memberId: "eve" });
    for (let n = 0; n < 11; n += 1) {
      expect(await answer(eve, { right: true })).toBe("looked at");
      expect(await answer(answering(rules(), bob, [`gate ${n}`]))).toBe("looked at");
    }
    expect(await answer(answering(rules(), bob, ["another gate"]))).toMatchObject({ gate: null });
    expect(await answer(eve, { right: true })).toBe("looked at");
  });
});

describe("of many answers at once, on two replicas", () => {
  it("no more are looked at than are free or paid for", async () => {
    const many = await Promise.all(Array.from({ length: 200 }, (_, n) => answer(answering(), { replica: n % 2 })));
    const looked = many.filter((outcome) => outcome === "looked at").length;
    // Ten cost no wait, and one writes the first.
    expect(looked).toBe(11);
  });

  it("without work none is looked at that is not free", async () => {
    const all = Array.from({ length: 200 }, (_, n) => answer(answering(), { replica: n % 2, paid: false }));
    const looked = (await Promise.all(all)).filter((outcome) => outcome === "looked at").length;
    expect(looked).toBe(5);
  });

  it("behind the first ones, one for each wait", async () => {
    for (let n = 0; n < 10; n += 1) await answer();
    for (const seconds of [30, 60, 120]) {
      const many = await Promise.all(Array.from({ length: 100 }, (_, n) => answer(answering(), { replica: n % 2 })));
      expect(many.filter((outcome) => outcome === "looked at").length).toBe(1);
      expect(many.find((outcome) => outcome !== "looked at")).toMatchObject({ untilMs: oursMs + seconds * 1000 });
      pass(seconds * 1000);
    }
  });

  it("one that is the same step is charged once", async () => {
    await Promise.all(Array.from({ length: 20 }, (_, n) => penalties(n % 2).charge(answering(), "the step", false)));
    for (let n = 0; n < 4; n += 1) expect(await answer(answering(), { paid: false })).toBe("looked at");
    expect(await answer(answering(), { paid: false })).not.toBe("looked at");
  });

  it("and a lockout that another answer wrote outlives a right one", async () => {
    const of = answering(rules({ then: "lockout", lockout: { after: 11 } }));
    const early = await penalties().charge(of, "early", true);
    for (let n = 0; n < 10; n += 1) await answer(of);
    if (early.held !== null) throw new Error("held");
    await penalties().lift(early.charges);
    await penalties().forgive(of);
    expect(await penalties(1).holdOf(of, true)).toMatchObject({ isLockout: true });
  });
});

describe("nobody is held up by others", () => {
  const neighbour = { ...bob, memberId: "eve" };
  const stranger = { ...bob, keyId: null, network: "n2" };

  it("where a member came in from before, neither by a neighbour with the key nor by anybody elsewhere", async () => {
    await penalties().cameIn(bob);
    for (let n = 0; n < 12; n += 1) {
      await answer(answering(rules(), neighbour));
      await answer(answering(rules(), { ...bob, network: `elsewhere ${n}` }));
    }
    const { known, holds, work: priced, spent } = await penalties().look(bob, rules().onFailure);
    expect({ known, holds, priced, spent }).toEqual({ known: true, holds: [], priced: false, spent: false });
    expect(await answer(answering(rules(), bob, ["otp"], known))).toBe("looked at");
    // Nor is another one at the same place, with the same key, who has never been there before.
    const ann = await penalties().look({ ...bob, memberId: "ann" }, rules().onFailure);
    expect(ann).toMatchObject({ known: false, spent: false, holds: [] });
    const eve = await penalties().look(neighbour, rules().onFailure);
    expect(eve).toMatchObject({ known: false, spent: true });
    expect(eve.holds).toContainEqual(expect.objectContaining({ gate: null, isLockout: false }));
    // Nor is the member known from elsewhere, or by another key.
    for (const other of [{ network: "n9" }, { keyId: "k9" }, { socketId: "s9" }])
      expect((await penalties().look({ ...bob, ...other }, rules().onFailure)).known).toBe(false);
    pass(30 * 24 * hour);
    expect((await penalties().look(bob, rules().onFailure)).known).toBe(false);
  });

  it("under another key of the same network", async () => {
    for (let n = 0; n < 12; n += 1) await answer(answering(rules(), neighbour));
    expect((await penalties().look({ ...bob, keyId: "k2" }, rules().onFailure)).holds).toEqual([]);
  });

  it("without the key: a stranger moves a member's price, and nothing else", async () => {
    const of = rules({ then: "lockout" }, keyless);
    for (let n = 0; n < 60; n += 1) {
      expect(await answer(answering(of, { ...stranger, network: `botnet ${n}` }))).toBe("looked at");
      pass(minute);
    }
    const standing = await penalties().look({ ...bob, keyId: null }, of.onFailure);
    expect(standing).toMatchObject({ work: true, holds: [] });
  });

  it("and nobody without a key is ever locked out, nor those who share their network", async () => {
    const of = rules({ then: "lockout", lockout: { after: 11, for: "24h" } }, keyless);
    for (let n = 0; n < 40; n += 1) {
      await answer(answering(of, stranger));
      pass(hour);
    }
    const { holds } = await penalties().look(stranger, of.onFailure);
    expect(holds.filter(({ isLockout }) => isLockout)).toEqual([]);
  });
});

describe("clocks and engines", () => {
  it.each([
    ["back", -hour],
    ["forward", hour],
  ])(
    "a clock of ours that is set %s frees nobody early, locks nobody longer, and words no hint beyond the delay",
    async (_, by) => {
      const of = answering(rules({ then: "lockout", lockout: { after: 11, for: "2h" } }));
      for (let n = 0; n < 11; n += 1) await answer(of);
      oursMs += by;
      const held = await answer(of);
      expect(held).toMatchObject({ isLockout: true });
      expect((held as { untilMs: number }).untilMs - oursMs).toBeLessThanOrEqual(2 * hour);
      engineMs += 2 * hour - 1;
      expect(await answer(of)).toMatchObject({ isLockout: true });
      engineMs += 1;
      expect(await penalties().holdOf(of)).toBe(null);
    },
  );

  it.each([-hour, hour])(
    "a replica whose clock is %i ms off sees, counts and ends the same as the others",
    async (by) => {
      replicas = [0, by].map((off) => createPenalties(state, createNetworkRisk(state), () => oursMs + off));
      const of = answering(rules({ then: "lockout", free: 2, work: 0, lockout: { after: 4, for: "1h" } }));
      const locked = async (replica: number) =>
        (await penalties(replica).look(bob, of.rules.onFailure)).holds.map(({ isLockout }) => isLockout);
      for (const replica of [0, 1, 1]) expect(await answer(of, { replica })).toBe("looked at");
      for (const replica of [0, 1]) expect(await locked(replica)).toEqual([false, false]);
      pass(30_000);
      expect(await answer(of, { replica: by < 0 ? 0 : 1 })).toBe("looked at");
      pass(hour - 1);
      for (const replica of [0, 1]) expect(await locked(replica)).toEqual([true, true]);
      pass(1);
      for (const replica of [0, 1]) expect(await locked(replica)).toEqual([]);
    },
  );

  it("prices begin anew where the engine forgot everything, and nobody is looked at while it is not there", async () => {
    for (let n = 0; n < 11; n += 1) await answer();
    expect(await answer()).not.toBe("looked at");
    await state.close();
    await expect(answer()).rejects.toThrow();
    await expect(penalties().look(bob, null)).rejects.toThrow();
    state = openEmbeddedState({ file: ":memory:", clock: () => engineMs });
    replicas = [createPenalties(state, createNetworkRisk(state), () => oursMs)];
    expect(await answer(answering(), { paid: false })).toBe("looked at");
  });
});
