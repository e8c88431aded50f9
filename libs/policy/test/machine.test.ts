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
  const terms = {
    policy: policyOf(document),
    keyId: "k1",
    member,
    socketEnrolled: ["otp"],
    ticket: false,
    now: start,
    ...facts,
  };
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
      { do: "verify", items: [{ ref: "r1", at: "1", gate: "otp", config: { of: "member" }, waitId: null }] },
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
    ["no-ticket", { gates: [mine], before: { ticket: "required" } }, {}],
    ["no-ticket", { gates: [mine, { gate: "ticket" }] }, {}],
    ["not-enrolled", { gates: [{ allOf: [{ anyOf: [{ gate: "ticket" }] }] }] }, {}],
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

describe("a gate that waits", () => {
  const phone = { id: "bob", enrolled: ["email", "sms"] };
  const gates = [key, { gate: "email", by: "link" }];
  const start = (cid: string, waitId: string, gate = "email", at?: string): Loose<HandshakeEvent> => ({
    type: "started",
    cid,
    gate,
    at,
    waitId,
    nextCid: `${cid}s`,
  });
  const begun = (waitId: string, nextCid: string): Loose<HandshakeEvent> => ({ type: "begun", waitId, nextCid });
  const confirmed = (waitId: string, nextCid: string): Loose<HandshakeEvent> => ({
    type: "confirmed",
    waitId,
    nextCid,
  });
  function waiting(document: object = { gates }) {
    const one = handshake(document, { member: phone });
    one.send(one.opened());
    one.send(start("c0", "w1"));
    one.send(begun("w1", "c1"));
    return one;
  }

  it("is picked, begun, waited for under one deadline, and passed by who confirms it", () => {
    const one = handshake({ gates }, { member: phone });
    expect(options(one.send(one.opened()))).toEqual(["1"]);
    const byMs = 1_000_000 + 600_000;
    expect(one.send(start("c0", "w1"))).toEqual([
      { do: "start", waitId: "w1", byMs, at: "1", gate: "email", config: { by: "link" } },
    ]);
    expect(deadlineMs(one.state)).toBe(1_000_000 + 900_000);
    expect(one.send(begun("w1", "c1"))).toMatchObject([
      { do: "wait", cid: "c1", waitId: "w1", gate: "email", answerByMs: byMs, attemptsLeft: 3, retry: false },
    ]);
    expect(deadlineMs(one.state)).toBe(byMs);
    expect(one.send(confirmed("w1", "c2"))).toEqual([
      { do: "accept", passed: ["key", "email"], assurance: { key: true, memberBound: true, gates: ["email"] } },
    ]);
  });

  it("that is spent is a failure like any other, after which another may begin", () => {
    const spent = (waitId: string, nextCid: string): Loose<HandshakeEvent> => ({ type: "spent", waitId, nextCid });
    const one = waiting();
    expect(names(one.send(spent("w0", "c2")))).toEqual(["ignore not-pending"]);
    expect(one.send(spent("w1", "c2"))).toMatchObject([{ do: "challenge", attemptsLeft: 2, retry: true }]);
    expect(names(one.send(spent("w1", "c3")))).toEqual(["ignore not-pending"]);
    expect(names(one.send(confirmed("w1", "c3")))).toEqual(["ignore not-pending"]);
    for (const [cid, waitId] of [
      ["c2", "w2"],
      ["c4", "w3"],
    ] as const) {
      one.send(start(cid, waitId));
      one.send(begun(waitId, `${waitId}b`));
      one.send(spent(waitId, "c4"));
    }
    expect(one.state.verdict).toEqual({ is: "deny", cause: "too-many-failures" });
  });

  it("that is refused ends everything, whatever other way there is; another one that was refused changes nothing", () => {
    const refused = (waitId: string): Loose<HandshakeEvent> => ({ type: "refused", waitId });
    const two = { gates: [key, { anyOf: [{ gate: "approval" }, { gate: "email" }] }] };
    const one = handshake(two, { member: phone });
    one.send(one.opened());
    one.send(start("c0", "w1", "approval"));
    expect(names(one.send(refused("w1")))).toEqual(["ignore not-pending"]);
    expect(one.send(begun("w1", "c1"))).toMatchObject([
      { do: "wait", gate: "approval", config: { quorum: 1, notify: "mail" } },
    ]);
    expect(names(one.send(refused("w0")))).toEqual(["ignore not-pending"]);
    expect(names(one.send(refused("w1")))).toEqual(["deny refused"]);
    expect(one.state.verdict).toEqual({ is: "deny", cause: "refused" });
    expect(names(one.send(confirmed("w1", "c2")))).toEqual(["ignore ended"]);
  });

  it("for people of the socket is bound to no member", () => {
    const one = handshake({ gates: [key, { gate: "approval", quorum: 2 }] }, { member: phone });
    one.send(one.opened());
    one.send(start("c0", "w1", "approval"));
    one.send(begun("w1", "c1"));
    expect(one.send(confirmed("w1", "c2"))).toEqual([
      { do: "accept", passed: ["key", "approval"], assurance: { key: true, memberBound: false, gates: [] } },
    ]);
  });

  it("is not passed by a confirmation of another wait, or one that is over", () => {
    const one = waiting();
    expect(names(one.send(confirmed("w0", "c2")))).toEqual(["ignore not-pending"]);
    const switched = waiting({ gates: [key, { anyOf: [{ gate: "email" }, { gate: "sms" }] }] });
    switched.send(start("c1", "w2", "sms"));
    switched.send(begun("w2", "c2"));
    expect(names(switched.send(confirmed("w1", "c3")))).toEqual(["ignore not-pending"]);
    expect(names(switched.send({ ...confirmed("w2", "c4"), now: 1_000_000 + 600_000 }))).toEqual(["deny deadline"]);
  });

  it("takes a code only for the wait that goes on, and goes on waiting after a wrong one", () => {
    const unstarted = handshake({ gates: [key, { gate: "email" }] }, { member: phone });
    unstarted.send(unstarted.opened());
    const code = (cid: string, ref: string) => ({ ...answer(cid, ref), gate: "email" }) as Loose<HandshakeEvent>;
    expect(names(unstarted.send(code("c0", "r0")))).toEqual(["ignore unexpected", "challenge"]);

    const one = waiting({ gates: [key, { gate: "email" }] });
    expect(one.send(code("c1", "r1"))).toEqual([
      { do: "verify", items: [{ ref: "r1", at: "1", gate: "email", config: { by: "code" }, waitId: "w1" }] },
    ]);
    expect(one.send(verified("c2", { r1: false }))).toMatchObject([
      { do: "wait", cid: "c2", waitId: "w1", attemptsLeft: 2, retry: true, answerByMs: 1_600_000 },
    ]);
    one.send(code("c2", "r2"));
    expect(names(one.send(verified("c3", { r2: true })))).toEqual(["accept"]);
  });

  it("leaves the other ways open", () => {
    const both = { gates: [key, { anyOf: [{ gate: "email" }, { gate: "otp", of: "socket" }] }] };
    const one = waiting(both);
    one.send(answer("c1", "r1", "1.1"));
    expect(names(one.send(verified("c2", { r1: true })))).toEqual(["accept"]);
  });

  it("waits until what is being looked at has been looked at", () => {
    const one = waiting({ gates: [key, { anyOf: [{ gate: "email" }, { gate: "otp", of: "socket" }] }] });
    one.send(answer("c1", "r1", "1.1"));
    expect(names(one.send(confirmed("w1", "c2")))).toEqual(["ignore later"]);
  });

  it("is not begun twice, for a gate that does not wait, without being asked, or without end", () => {
    const one = waiting();
    expect(names(one.send(start("c1", "w2")))).toEqual(["ignore unexpected", "wait"]);
    expect(names(one.send(start("c0", "w2")))).toEqual(["ignore stale"]);
    const otp = handshake({ gates: [mine] });
    otp.send(otp.opened());
    expect(names(otp.send(start("c0", "w1", "otp")))).toEqual(["ignore unexpected", "challenge"]);

    const both = handshake(
      { gates: [{ anyOf: [{ gate: "email" }, { gate: "sms" }] }], onFailure: { attempts: 10 } },
      { member: phone },
    );
    both.send(both.opened());
    let cid = "c0";
    for (let index = 0; index < 8; index += 1) {
      expect(names(both.send(start(cid, `w${index}`, index % 2 === 0 ? "email" : "sms")))).toEqual(["start"]);
      cid = `d${index}`;
      expect(names(both.send(begun(`w${index}`, cid)))).toEqual(["wait"]);
    }
    expect(names(both.send(start(cid, "w9", "email")))).toEqual(["ignore unexpected", "wait"]);
  });

  it("ends with the verdict: nothing that comes later changes it", () => {
    const one = waiting();
    expect(names(one.send({ type: "revoked" }))).toEqual(["deny revoked"]);
    expect(one.state.waiting).toBe(null);
    expect(names(one.send(confirmed("w1", "c2")))).toEqual(["ignore ended"]);
  });

  it("cannot be passed by who has no such contact", () => {
    const one = handshake({ gates }, { member: { id: "bob", enrolled: ["sms"] } });
    expect(names(one.send(one.opened()))).toEqual(["deny not-enrolled"]);
  });
});

describe("a ticket", () => {
  const required = { before: { ticket: "required" } };
  const nobody = { id: "bob", enrolled: [] };
  const alternative = { gates: [{ anyOf: [{ gate: "ticket" }, { allOf: [shared, { gate: "email" }] }] }] };

  it("that is required before the connection is the first gate passed, and shows who it is", () => {
    const one = handshake({ ...required, gates: [key, shared] }, { member: nobody, ticket: true });
    expect(names(one.send(one.opened({ at: "1" })))).toEqual(["verify"]);
    expect(one.send(verified("c1", { o0: true }))).toEqual([
      {
        do: "accept",
        passed: ["ticket", "key", "otp"],
        assurance: { key: true, memberBound: true, gates: ["ticket"] },
      },
    ]);
  });

  it("for nobody in particular shows nobody", () => {
    const one = handshake({ gates: [{ gate: "ticket" }], anonymous: true }, { member: null, ticket: true });
    expect(one.send(one.opened())).toEqual([
      { do: "accept", passed: ["ticket"], assurance: { key: true, memberBound: false, gates: [] } },
    ]);
  });

  it("does not stand in for the authenticator that its member has enrolled", () => {
    const one = handshake(alternative, { ticket: true });
    expect(options(one.send(one.opened()))).toEqual(["enrolled.otp"]);
  });

  it("is one way among others: with it nothing else is asked, without it only the others", () => {
    const enrolled = { id: "bob", enrolled: ["email"] };
    const having = handshake(alternative, { member: enrolled, ticket: true });
    expect(names(having.send(having.opened()))).toEqual(["accept"]);
    const without = handshake(alternative, { member: enrolled });
    expect(options(without.send(without.opened()))).toEqual(["0.1.0", "0.1.1"]);
  });

  it("is never an answer: what claims to be one is a failure", () => {
    const one = handshake(alternative, { member: { id: "bob", enrolled: ["email"] } });
    expect(names(one.send(one.opened({ gate: "ticket", at: "0.0" }, { gate: "ticket" })))).toEqual([
      "ignore unexpected",
      "challenge",
    ]);
    expect(one.state.failures).toBe(2);
  });
});
