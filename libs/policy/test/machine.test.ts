import { describe, expect, it } from "vitest";
import { authenticatorsOf, begin, deadlineMs, type Effect, type HandshakeEvent, transition } from "../src/mod.ts";
import { policyOf } from "./arbitraries.ts";

const start = 1_000_000;
const member = { id: "bob", enrolled: ["otp"] };
const key = { gate: "key" };
const mine = { gate: "otp" };
const shared = { gate: "otp", of: "socket" };

type Loose<T> = T extends { now: number } ? Omit<T, "now"> & { now?: number } : never;

function handshake(document: object, facts: Partial<Parameters<typeof begin>[0]> = {}) {
  const terms = { policy: policyOf(document), keyId: "k1", member, socketEnrolled: ["otp"], now: start, ...facts };
  let state = begin(terms);
  return {
    send(event: Loose<HandshakeEvent>): readonly Effect[] {
      const next = transition(state, { now: start, ...event } as HandshakeEvent);
      state = next.state;
      return next.effects;
    },
    opened: (...gates: object[]): Loose<HandshakeEvent> => ({
      type: "opened",
      answers: gates.map((answer, index) => ({ ref: `o${index}`, gate: "otp", ...answer })),
      cid: "c0",
    }),
    get state() {
      return state;
    },
  };
}

const answer = (cid: string, ref: string, at?: string): Loose<HandshakeEvent> => ({
  type: "answered",
  cid,
  gate: "otp",
  at,
  ref,
  nextCid: `${cid}x`,
});
const verified = (nextCid: string, results: Record<string, boolean>): Loose<HandshakeEvent> => ({
  type: "verified",
  results: Object.entries(results).map(([ref, ok]) => ({ ref, ok })),
  nextCid,
});
const names = (effects: readonly Effect[]) =>
  effects.map((effect) => ("cause" in effect ? `${effect.do} ${effect.cause}` : effect.do));
const options = (effects: readonly Effect[]) =>
  effects.flatMap((effect) => (effect.do === "challenge" ? effect.options.map(({ at }) => at) : []));

describe("a handshake that is prompted", () => {
  it("asks, verifies and accepts, and says what was proven", () => {
    const one = handshake({ gates: [key, mine] });
    expect(one.send(one.opened())).toEqual([
      {
        do: "challenge",
        cid: "c0",
        options: [{ at: "1", gate: "otp", config: { of: "member" } }],
        attemptsLeft: 3,
        answerByMs: start + 30_000,
        retry: false,
      },
    ]);
    expect(one.send(answer("c0", "r1"))).toEqual([
      { do: "verify", items: [{ ref: "r1", at: "1", gate: "otp", config: { of: "member" } }] },
    ]);
    expect(one.send(verified("c1", { r1: true }))).toEqual([
      { do: "accept", passed: ["key", "otp"], assurance: { key: true, memberBound: true, gates: ["otp"] } },
    ]);
  });

  it("asks again after a wrong answer under a fresh id, until the attempts are spent", () => {
    const one = handshake({ gates: [mine], onFailure: { attempts: 2 } });
    one.send(one.opened());
    one.send(answer("c0", "r1"));
    expect(one.send(verified("c1", { r1: false }))).toMatchObject([
      { do: "challenge", cid: "c1", attemptsLeft: 1, retry: true },
    ]);
    one.send(answer("c1", "r2"));
    expect(names(one.send(verified("c2", { r2: false })))).toEqual(["deny too-many-failures"]);
    expect(names(one.send(verified("c2", { r2: true })))).toEqual(["ignore ended"]);
  });

  it("counts a second answer to the same challenge, and does not look at it", () => {
    const one = handshake({ gates: [mine] });
    one.send(one.opened());
    one.send(answer("c0", "r1"));
    expect(names(one.send(answer("c0", "r2")))).toEqual(["ignore stale"]);
    expect(one.state.failures).toBe(1);
    expect(names(one.send(verified("c1", { r1: true })))).toEqual(["accept"]);
  });

  it("counts an answer for a gate that is not open, and asks again", () => {
    const one = handshake({ gates: [mine, shared] });
    one.send(one.opened());
    expect(names(one.send(answer("c0", "r1", "1")))).toEqual(["ignore unexpected", "challenge"]);
    expect(one.state.failures).toBe(1);
  });

  it("takes answers with the first frame and asks for the rest", () => {
    const one = handshake({ gates: [shared, mine] });
    expect(names(one.send(one.opened({})))).toEqual(["verify"]);
    expect(one.send(verified("c1", { o0: true }))).toMatchObject([{ do: "challenge", retry: false }]);
  });

  it("takes nothing but a plain yes for a right answer", () => {
    for (const ok of [undefined, null, 1, "true"]) {
      const one = handshake({ gates: [mine] });
      one.send(one.opened());
      one.send(answer("c0", "r1"));
      one.send(verified("c1", { r1: ok as never }));
      expect(one.state.passed).toEqual([]);
      expect(one.state.failures).toBe(1);
    }
  });

  it("refuses offers after the first frame", () => {
    const one = handshake({ gates: [mine] });
    one.send(one.opened());
    expect(names(one.send({ type: "offered", answers: [{ ref: "r1", gate: "otp" }] }))).toEqual(["ignore unexpected"]);
    expect(one.state.failures).toBe(1);
    expect(one.state.outstanding?.cid).toBe("c0");
  });

  it("never asks under an id that it used before", () => {
    const one = handshake({ gates: [mine] });
    one.send(one.opened());
    one.send(answer("c0", "r1"));
    expect(names(one.send(verified("c0", { r1: false })))).toEqual(["deny reused-id"]);
  });

  it("never has an answer verified twice, so that one code cannot pass two gates", () => {
    const one = handshake({ gates: [mine, shared] });
    one.send(one.opened());
    one.send(answer("c0", "r1"));
    one.send(verified("c1", { r1: true }));
    expect(names(one.send(answer("c1", "r1")))).toEqual(["ignore unexpected", "challenge"]);
  });
});

describe("alternatives and combinations", () => {
  const document = { gates: [{ anyOf: [{ allOf: [mine, shared] }, shared] }] };

  it("offers every way that is open, in the order of the document", () => {
    const one = handshake(document);
    expect(options(one.send(one.opened()))).toEqual(["0.0.0", "0.0.1", "0.1"]);
    one.send(answer("c0", "r1", "0.0.1"));
    expect(options(one.send(verified("c1", { r1: true })))).toEqual(["0.0.0", "0.1"]);
  });

  it("does not offer a way that leads nowhere", () => {
    const one = handshake(document, { member: { id: "eve", enrolled: [] } });
    expect(options(one.send(one.opened()))).toEqual(["0.1"]);
  });

  it("wants an enrolled authenticator in every branch", () => {
    const one = handshake({ gates: [shared] });
    one.send(one.opened());
    one.send(answer("c0", "r1"));
    expect(options(one.send(verified("c1", { r1: true })))).toEqual(["enrolled.otp"]);
    one.send(answer("c1", "r2"));
    expect(one.send(verified("c2", { r2: true }))).toMatchObject([
      { do: "accept", passed: ["otp", "otp"], assurance: { memberBound: true } },
    ]);
  });

  it("does not want it twice", () => {
    const one = handshake({ gates: [{ anyOf: [mine, shared] }] });
    one.send(one.opened());
    one.send(answer("c0", "r1", "0.0"));
    expect(names(one.send(verified("c1", { r1: true })))).toEqual(["accept"]);
  });

  it("calls a member bound only if something of theirs was asked for", () => {
    const one = handshake({ gates: [key, shared] }, { member: { id: "eve", enrolled: [] } });
    one.send(one.opened());
    one.send(answer("c0", "r1"));
    expect(one.send(verified("c1", { r1: true }))).toMatchObject([{ do: "accept", assurance: { memberBound: false } }]);
  });
});

describe("a handshake that is offered", () => {
  const document = { gates: [shared, mine], mode: "offered" };

  it("never asks: one offer to the verdict", () => {
    const one = handshake(document);
    expect(names(one.send(one.opened({}, {})))).toEqual(["verify"]);
    expect(names(one.send(verified("c1", { o0: true, o1: true })))).toEqual(["accept"]);
  });

  it("keeps what was right and takes the rest in another offer", () => {
    const one = handshake(document);
    one.send(one.opened({}, {}));
    expect(one.send(verified("c1", { o0: false, o1: true }))).toEqual([]);
    expect(one.send({ type: "offered", answers: [{ ref: "r1", gate: "otp" }] })).toMatchObject([
      { do: "verify", items: [{ at: "0" }] },
    ]);
    expect(names(one.send(verified("c2", { r1: true })))).toEqual(["accept"]);
  });

  it("is silent about nothing, and counts an offer of nothing or one too many", () => {
    const one = handshake(document);
    expect(one.send(one.opened())).toEqual([]);
    expect(names(one.send({ type: "offered", answers: [] }))).toEqual(["ignore unexpected"]);
    one.send({ type: "offered", answers: [{ ref: "r1", gate: "otp" }] });
    expect(names(one.send({ type: "offered", answers: [{ ref: "r2", gate: "otp" }] }))).toEqual(["ignore busy"]);
    expect(one.state.failures).toBe(2);
  });

  it("gives a batch no more guesses than there are attempts, though the right one be in it", () => {
    const branch = { allOf: [shared, mine] };
    const one = handshake({
      gates: [{ anyOf: [branch, branch, branch] }],
      mode: "offered",
      onFailure: { attempts: 2 },
    });
    expect(names(one.send(one.opened({ at: "0.0.0" }, { at: "0.1.0" }, { at: "0.2.0" }, { at: "0.2.1" })))).toEqual([
      "verify",
    ]);
    expect(names(one.send(verified("c", { o0: false, o1: false, o2: true, o3: true })))).toEqual([
      "deny too-many-failures",
    ]);
  });

  it("looks at no more than sixteen answers", () => {
    const one = handshake({ gates: [{ allOf: Array.from({ length: 20 }, () => shared) }], mode: "offered" });
    expect(names(one.send(one.opened(...Array.from({ length: 17 }, () => ({})))))).toEqual([
      "ignore unexpected",
      "verify",
    ]);
    expect(one.state.pending).toHaveLength(16);
    expect(one.state.failures).toBe(1);
  });
});

describe("a handshake without a way in is denied when it opens", () => {
  it.each([
    ["no-key", { gates: [key] }, { keyId: null }],
    ["no-member", { gates: [key] }, { member: null }],
    ["not-enrolled", { gates: [mine] }, { member: { id: "eve", enrolled: [] } }],
    ["not-enrolled", { gates: [shared] }, { socketEnrolled: [] }],
    ["not-enrolled", { gates: [{ allOf: [{ anyOf: [mine] }, shared] }] }, { socketEnrolled: [] }],
    ["not-enrolled", { gates: [mine], anonymous: true }, { member: null }],
  ])("%s: %j", (cause, document, facts) => {
    const one = handshake(document, facts);
    expect(names(one.send(one.opened({})))).toEqual([`deny ${cause}`]);
  });

  it("and looks at no answer before it opens", () => {
    const one = handshake({ gates: [shared], mode: "offered" }, { member: null });
    expect(names(one.send({ type: "offered", answers: [{ ref: "r1", gate: "otp" }] }))).toEqual(["ignore unexpected"]);
    expect(names(one.send(answer("c0", "r2")))).toEqual(["ignore stale"]);
    expect(one.state.failures).toBe(2);
    expect(names(one.send(one.opened({})))).toEqual(["deny no-member"]);
  });

  it("but not where the policy is content with the opening", () => {
    const anonymous = handshake({ gates: [{ gate: "path" }], anonymous: true }, { keyId: null, member: null });
    expect(anonymous.send(anonymous.opened())).toEqual([
      { do: "accept", passed: [], assurance: { key: false, memberBound: false, gates: [] } },
    ]);
    const keyed = handshake({ gates: [{ gate: "path" }, key] }, { member: { id: "eve", enrolled: [] } });
    expect(keyed.send(keyed.opened())).toMatchObject([{ do: "accept", passed: ["key"] }]);
  });
});

describe("deadlines", () => {
  const document = { gates: [mine], deadlines: { answer: "30s", handshake: "50s" } };

  it("are the question's, then the handshake's", () => {
    const one = handshake(document);
    expect(deadlineMs(one.state)).toBe(start + 50_000);
    one.send(one.opened());
    expect(deadlineMs(one.state)).toBe(start + 30_000);
    one.send({ ...answer("c0", "r1"), now: start + 29_999 });
    expect(deadlineMs(one.state)).toBe(start + 50_000);
    one.send({ ...verified("c1", { r1: false }), now: start + 40_000 });
    expect(deadlineMs(one.state)).toBe(start + 50_000);
  });

  it("end it, whatever comes at that moment", () => {
    for (const event of [answer("c0", "r1"), { type: "expired" }, { type: "left" }] as const) {
      const one = handshake(document);
      one.send(one.opened());
      expect(names(one.send({ ...event, now: start + 30_000 }))).toEqual(["deny deadline"]);
      expect(deadlineMs(one.state)).toBe(null);
    }
  });

  it("end a verification that comes back too late, though it be right", () => {
    const one = handshake(document);
    one.send(one.opened());
    one.send(answer("c0", "r1"));
    expect(names(one.send({ ...verified("c1", { r1: true }), now: start + 50_000 }))).toEqual(["deny deadline"]);
  });

  it("do not come early, and a clock that makes no sense does not extend them", () => {
    const one = handshake(document);
    one.send(one.opened());
    expect(names(one.send({ type: "expired", now: start + 29_999 }))).toEqual(["ignore early"]);
    expect(names(one.send({ ...answer("c0", "r1"), now: Number.NaN }))).toEqual(["deny deadline"]);
  });
});

describe("the authenticators that a handshake counts on", () => {
  it.each<[string, object[], Parameters<typeof handshake>[1], string[]]>([
    ["those of its gates", [key, mine, { anyOf: [shared, mine] }], {}, ["member", "socket"]],
    ["the member's own, asked for or not", [key], {}, ["member"]],
    ["none that was not enrolled", [{ anyOf: [mine, shared] }], { member: { id: "eve", enrolled: [] } }, ["socket"]],
    ["none that no gate asks for", [key], { member: null }, []],
  ])("are %s", (_, gates, facts, expected) => {
    const one = handshake({ gates, anonymous: true }, facts);
    expect([...new Set(authenticatorsOf(one.state).map(({ of }) => of))].sort()).toEqual(expected);
  });
});

describe("the end", () => {
  it.each(["left", "revoked"] as const)("%s denies", (type) => {
    const one = handshake({ gates: [mine] });
    one.send(one.opened());
    expect(names(one.send({ type }))).toEqual([`deny ${type}`]);
  });

  it("of an opening that is repeated is that it counts for nothing", () => {
    const one = handshake({ gates: [mine] });
    one.send(one.opened());
    expect(names(one.send(one.opened({})))).toEqual(["ignore duplicate"]);
  });

  it("of results that were not asked for likewise", () => {
    const one = handshake({ gates: [shared, mine], mode: "offered" });
    one.send(one.opened({}, {}));
    for (const results of [{}, { o0: true }, { o0: true, x: true }, { o0: true, o1: true, x: true }])
      expect(names(one.send(verified("c1", results)))).toEqual(["ignore not-pending"]);
    const twice = [
      { ref: "o0", ok: true },
      { ref: "o0", ok: true },
    ];
    expect(names(one.send({ type: "verified", results: twice, nextCid: "c1" }))).toEqual(["ignore not-pending"]);
    expect(one.state.passed).toEqual([]);
  });
});
