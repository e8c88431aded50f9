import { describe, expect, it } from "vitest";
import {
  authenticatorsOf,
  begin,
  type Circumstances,
  type Effect,
  type HandshakeState,
  handshakeStateSchema,
  parsePolicy,
  takeOf,
  transition,
} from "../src/mod.ts";
import { policyOf } from "./arbitraries.ts";

const mine = { gate: "otp" };
const shared = { gate: "otp", of: "socket" };
const mail = { gate: "email" };
const sms = { gate: "sms" };
const now = Date.parse("2026-11-25T12:00:00Z"); // a Wednesday

/** Plays right answers to positions; what is open after each. */
function play(gates: object[], options: { enrolled?: string[]; circumstances?: Circumstances } = {}) {
  const { enrolled = ["email", "sms"], circumstances = {} } = options;
  const policy = policyOf({ gates, onFailure: { attempts: 10 } });
  const member = { id: "mem_1", enrolled };
  let state: HandshakeState = begin({ policy, keyId: null, member, socketEnrolled: ["otp"], circumstances, now });
  let count = 0;
  let last: readonly Effect[] = [];
  const send = (event: Parameters<typeof transition>[1]) => {
    const next = transition(state, event);
    // As a store does between two steps.
    state = handshakeStateSchema.parse(JSON.parse(JSON.stringify(next.state)));
    last = next.effects;
  };
  send({ type: "opened", answers: [], cid: "c", now });
  const open = () => last.flatMap((effect) => (effect.do === "challenge" ? effect.options.map(({ at }) => at) : []));
  return {
    open,
    get state() {
      return state;
    },
    get verdict() {
      return state.verdict?.is ?? null;
    },
    pass(at: string) {
      count += 1;
      const found = last
        .flatMap((effect) => (effect.do === "challenge" ? effect.options : []))
        .find((one) => one.at === at);
      if (found === undefined) throw new Error(`${at} is not open: ${open().join(" ")}`);
      const { gate } = found;
      const cid = state.outstanding?.cid ?? "";
      if (gate === "otp") {
        send({ type: "answered", cid, gate, at, ref: `r${count}`, nextCid: `n${count}`, now });
        send({ type: "verified", results: [{ ref: `r${count}`, ok: true }], nextCid: `v${count}`, now });
      } else {
        send({ type: "started", cid, gate, at, waitId: `w${count}`, nextCid: `n${count}`, now });
        send({ type: "begun", waitId: `w${count}`, nextCid: `b${count}`, now });
        send({ type: "confirmed", waitId: `w${count}`, nextCid: `v${count}`, now });
      }
      return open();
    },
  };
}

describe("when", () => {
  const gates = [{ when: { network: ["10.0.0.0/8"] }, then: [shared], else: [mail, { anyOf: [sms, shared] }] }, sms];

  it("asks for the branch whose conditions hold, in its order, and keeps positions as they are written", () => {
    const inside = play(gates, { circumstances: { address: "10.9.8.7" } });
    expect(inside.open()).toEqual(["0.then.0"]);
    expect(inside.pass("0.then.0")).toEqual(["1"]);
    inside.pass("1");
    expect(inside.verdict).toBe("accept");
    const outside = play(gates, { circumstances: { address: "192.0.2.1" } });
    expect(outside.open()).toEqual(["0.else.0"]);
    expect(outside.pass("0.else.0")).toEqual(["0.else.1.0", "0.else.1.1"]);
    expect(outside.pass("0.else.1.1")).toEqual(["1"]);
  });

  it("asks for both branches where nobody can tell whether the conditions hold", () => {
    for (const address of [undefined, "", "unknown", "10.1", "0x0a000001"]) {
      const one = play(gates, { circumstances: address === undefined ? {} : { address } });
      expect(one.open()).toEqual(["0.then.0"]);
      expect(one.pass("0.then.0")).toEqual(["0.else.0"]);
      expect(one.state.branches).toEqual([{ at: "0", take: "both" }]);
    }
  });

  it("is decided once: neither another address nor a later hour moves a handshake that has begun", () => {
    const hours = [{ when: { time: { to: "12:01" } }, then: [shared, mail], else: [sms] }];
    const one = play(hours);
    expect(one.open()).toEqual(["0.then.0"]);
    const later = transition(one.state, {
      type: "answered",
      cid: "c",
      gate: "otp",
      ref: "r",
      nextCid: "n",
      now: now + 25_000,
    });
    const evening = transition(later.state, {
      type: "verified",
      results: [{ ref: "r", ok: true }],
      nextCid: "m",
      now: now + 90_000,
    });
    expect(evening.effects).toMatchObject([{ do: "challenge", options: [{ at: "0.then.1" }] }]);
  });

  it("adds nothing without an else, and never takes the enrolled authenticator away", () => {
    const one = play([{ when: { member: ["alice"] }, then: [sms] }], {
      enrolled: ["otp"],
      circumstances: { member: "bob" },
    });
    expect(one.open()).toEqual(["enrolled.otp"]);
    const nothing = play([{ when: { member: ["bob"] }, then: [], else: [sms] }], {
      enrolled: ["otp", "sms"],
      circumstances: { member: "bob" },
    });
    expect(nothing.open()).toEqual(["enrolled.otp"]);
  });

  it("counts only on what its branch asks for", () => {
    const one = play([{ when: { member: ["bob"] }, then: [sms], else: [mail] }], { circumstances: { member: "bob" } });
    expect(authenticatorsOf(one.state)).toEqual([{ gate: "sms", of: "member" }]);
  });

  it("is denied at once where its branch cannot be passed", () => {
    const one = play([{ when: { risk: "raised" }, then: [mine] }], { circumstances: { risk: "high" } });
    expect(one.state.verdict).toEqual({ is: "deny", cause: "not-enrolled" });
    expect(play([{ when: { risk: "raised" }, then: [mine] }], { circumstances: { risk: "low" } }).verdict).toBe(
      "accept",
    );
  });

  it("is taken back from no store with other branches than its policy has", () => {
    const { state } = play(gates);
    for (const branches of [[], [{ at: "1", take: "then" }], [{ at: "0", take: "neither" }]])
      expect(handshakeStateSchema.safeParse({ ...state, branches }).success).toBe(false);
  });
});

describe("a condition", () => {
  const take = (when: object, given: Circumstances, at = now) => {
    const [item] = policyOf({ gates: [{ when, then: [shared] }] }).gates;
    if (item === undefined || !("when" in item)) throw new Error("no when");
    return takeOf(item.when, given, at);
  };

  it.each<[object, Circumstances, string]>([
    [{ member: ["alice"] }, { member: "alice" }, "then"],
    [{ member: ["alice"] }, { member: "Alice" }, "else"],
    [{ member: ["alice"] }, { member: null }, "else"],
    [{ member: ["alice"] }, {}, "both"],
    [{ member: { not: ["alice"] } }, { member: "alice" }, "else"],
    [{ member: { not: ["alice"] } }, { member: null }, "then"],
    [{ network: ["10.0.0.0/8"] }, { address: "10.255.255.255" }, "then"],
    [{ network: ["10.0.0.0/8"] }, { address: "11.0.0.0" }, "else"],
    [{ network: ["10.0.0.0/8"] }, { address: "::ffff:10.0.0.1" }, "then"],
    [{ network: ["10.0.0.0/8"] }, { address: "::ffff:0a00:0001" }, "then"],
    [{ network: ["0.0.0.0/0"] }, { address: "2001:db8::1" }, "else"],
    [{ network: ["::/0"] }, { address: "10.0.0.1" }, "else"],
    [{ network: ["2001:db8::/32"] }, { address: "2001:DB8:0:0::1" }, "then"],
    [{ network: ["2001:db8::/32"] }, { address: "2001:db9::1" }, "else"],
    [{ network: ["fe80::/10"] }, { address: "fe80::1%eth0" }, "then"],
    [{ network: ["192.0.2.7"] }, { address: "192.0.2.7" }, "then"],
    [{ network: ["192.0.2.7"] }, { address: "192.0.2.8" }, "else"],
    [{ network: ["10.0.0.0/8"] }, { address: "012.0.0.1" }, "both"],
    [{ risk: "low" }, { risk: "low" }, "then"],
    [{ risk: "low" }, { risk: "raised" }, "else"],
    [{ risk: "raised" }, { risk: "high" }, "then"],
    [{ risk: "high" }, { risk: "raised" }, "else"],
    [{ risk: "high" }, {}, "both"],
    [{ member: ["bob"], network: ["10.0.0.0/8"] }, { member: "eve" }, "else"],
    [{ member: ["bob"], network: ["10.0.0.0/8"] }, { member: "bob" }, "both"],
    [{ member: ["bob"], network: ["10.0.0.0/8"] }, { member: "bob", address: "10.0.0.1" }, "then"],
  ])("%j of %j: %s", (when, given, expected) => {
    expect(take(when, given)).toBe(expected);
  });

  it.each([
    ["2026-11-25T07:00:00Z", "then"],
    ["2026-11-25T06:59:59Z", "else"],
    ["2026-11-25T16:59:59Z", "then"],
    ["2026-11-25T17:00:00Z", "else"],
    // Summer time: 08:00 in Berlin is 06:00 UTC.
    ["2026-07-01T06:00:00Z", "then"],
    ["2026-07-01T16:00:00Z", "else"],
    // A Sunday.
    ["2026-11-29T12:00:00Z", "else"],
  ])("of office hours in Berlin at %s: %s", (at, expected) => {
    const time = { days: ["mon", "tue", "wed", "thu", "fri"], from: "08:00", to: "18:00", zone: "Europe/Berlin" };
    expect(take({ time }, {}, Date.parse(at))).toBe(expected);
  });

  it("of hours over midnight belongs to the day on which they begin", () => {
    const time = { days: ["fri"], from: "22:00", to: "06:00" };
    const at = (text: string) => take({ time }, {}, Date.parse(text));
    expect(at("2026-11-27T22:00:00Z")).toBe("then"); // Friday
    expect(at("2026-11-28T05:59:00Z")).toBe("then"); // Saturday, still Friday's
    expect(at("2026-11-28T06:00:00Z")).toBe("else");
    expect(at("2026-11-27T05:00:00Z")).toBe("else"); // Thursday's
    expect(at("2026-11-28T23:00:00Z")).toBe("else");
  });

  it("of a zone that this runtime does not know cannot be told", () => {
    const conditions = { time: { days: ["mon" as const], from: "00:00", to: "24:00", zone: "Mars/Olympus_Mons" } };
    expect(takeOf(conditions, {}, now)).toBe("both");
  });

  it.each<[object, string, string]>([
    [{ when: {}, then: [mine] }, "gates.0.when", "must hold at least one of: member, network, time, risk"],
    [{ when: { member: [] }, then: [mine] }, "gates.0.when.member", "must name at least one member"],
    [
      { when: { member: "bob" }, then: [mine] },
      "gates.0.when.member",
      'must be a list of names, or { "not": [names] }',
    ],
    [
      { when: { network: ["10.0.0.0/33"] }, then: [mine] },
      "gates.0.when.network.0",
      "must be an address or a network such as 10.0.0.0/8 or 2001:db8::/32",
    ],
    [
      { when: { network: ["::ffff:10.0.0.0/104"] }, then: [mine] },
      "gates.0.when.network.0",
      "must be an address or a network such as 10.0.0.0/8 or 2001:db8::/32",
    ],
    [
      { when: { network: ["10"] }, then: [mine] },
      "gates.0.when.network.0",
      "must be an address or a network such as 10.0.0.0/8 or 2001:db8::/32",
    ],
    [{ when: { time: {} }, then: [mine] }, "gates.0.when.time", "must say days, from or to"],
    [
      { when: { time: { from: "8:00" } }, then: [mine] },
      "gates.0.when.time.from",
      "must be a time of day such as 08:00",
    ],
    [{ when: { time: { from: "08:00", to: "08:00" } }, then: [mine] }, "gates.0.when.time.to", "must not be `from`"],
    [
      { when: { time: { from: "08:00", zone: "+02:00" } }, then: [mine] },
      "gates.0.when.time.zone",
      "must be a time zone such as Europe/Berlin",
    ],
    [
      { when: { time: { from: "08:00", zone: "Mars/Base" } }, then: [mine] },
      "gates.0.when.time.zone",
      "must be a time zone such as Europe/Berlin",
    ],
    [{ when: { risk: "some" }, then: [mine] }, "gates.0.when.risk", "allowed: low, raised, high"],
    [{ when: { risk: "low" }, then: [] }, "gates.0.then", "must hold at least one item"],
    [{ when: { risk: "low" } }, "gates.0.then", "is missing; expected array"],
    [
      { when: { risk: "low" }, then: [{ gate: "key" }] },
      "gates.0.then.0.gate",
      "key may only stand at the top, first or after path",
    ],
    [
      { when: { risk: "low" }, then: [{ gate: "x" }] },
      "gates.0.then.0.gate",
      "allowed: path, key, otp, email, sms, question",
    ],
    [{ distinct: [mine] }, "gates.0.distinct", "must hold at least two items"],
  ])("is refused: %j", (item, path, message) => {
    const parsed = parsePolicy({ gates: [item] });
    expect(parsed.ok ? [] : parsed.issues).toEqual([
      {
        path,
        message:
          path.endsWith("0.gate") && message.startsWith("allowed")
            ? expect.stringMatching(/^allowed: path, key/)
            : message,
      },
    ]);
  });
});

describe("distinct", () => {
  it("is passed by one device for each gate", () => {
    const one = play([{ distinct: [sms, mail, shared] }]);
    expect(one.open()).toEqual(["0.0", "0.1", "0.2"]);
    one.pass("0.2");
    one.pass("0.0");
    one.pass("0.1");
    expect(one.verdict).toBe("accept");
  });

  it("does not offer a device that was used, nor one that another gate cannot do without", () => {
    const one = play([{ distinct: [{ anyOf: [sms, mail] }, { anyOf: [sms, shared] }] }]);
    expect(one.open()).toEqual(["0.0.0", "0.0.1", "0.1.0", "0.1.1"]);
    expect(one.pass("0.0.0")).toEqual(["0.1.1"]);
    const needed = play([{ distinct: [{ anyOf: [sms, mail] }, sms] }]);
    expect(needed.open()).toEqual(["0.0.1", "0.1"]);
    // With nothing but a phone there is no way in, and nobody is sent there.
    expect(play([{ distinct: [{ anyOf: [sms, mail] }, sms] }], { enrolled: ["sms"] }).state.verdict).toEqual({
      is: "deny",
      cause: "not-enrolled",
    });
  });

  it("is not passed by one phone twice, though two of its gates were: also not in one offer", () => {
    const gates = [{ distinct: [{ anyOf: [shared, mine] }, { anyOf: [shared, mine] }] }];
    const policy = policyOf({ gates, mode: "offered" });
    const member = { id: "mem_1", enrolled: ["otp"] };
    const terms = { policy, keyId: null, member, socketEnrolled: ["otp"], now };
    const answers = [
      { ref: "a", gate: "otp", at: "0.0.0" },
      { ref: "b", gate: "otp", at: "0.1.0" },
    ];
    const offered = transition(begin(terms), { type: "opened", answers, cid: "c", now });
    expect(offered.effects).toMatchObject([
      { do: "ignore", cause: "unexpected" },
      { do: "verify", items: [{ ref: "a" }] },
    ]);
    // Whatever a store or a verifier says: both were right, and it was one authenticator.
    const forged = { ...begin(terms), opened: true, passed: ["0.0.0"], pending: [{ ref: "b", at: "0.1.0" }] };
    const told = transition(forged, { type: "verified", results: [{ ref: "b", ok: true }], nextCid: "n", now });
    expect(told).toMatchObject({ state: { passed: ["0.0.0", "0.1.0"], verdict: null }, effects: [] });
  });

  it("refuses a ticket, which is there or not before anybody picks a device", () => {
    const gates = [{ distinct: [{ gate: "otp" }, { anyOf: [{ gate: "ticket" }, { gate: "sms" }] }] }];
    expect(parsePolicy({ gates })).toEqual({
      ok: false,
      issues: [{ path: "gates.0.distinct", message: "ticket may not stand in distinct: it is decided by the opening" }],
    });
  });

  it.each<[object, string]>([
    [{ distinct: [mine, mine] }, "gates.0.distinct"],
    [{ distinct: [sms, { allOf: [mail, { anyOf: [sms, mail] }] }] }, "gates.0.distinct"],
    [{ anyOf: [mine, { distinct: [mail, { gate: "email", by: "link" }] }] }, "gates.0.anyOf.1.distinct"],
    [{ distinct: [sms, { when: { risk: "low" }, then: [sms], else: [sms] }] }, "gates.0.distinct"],
  ])("that can never be passed is refused: %j", (item, path) => {
    const parsed = parsePolicy({ gates: [item] });
    const message = "can never be passed: two of its gates rest on the same device, whichever way is taken";
    expect(parsed.ok ? [] : parsed.issues).toEqual([{ path, message }]);
  });

  it("holds at most twelve gates, so that looking for a way costs nothing", () => {
    const twelve = { distinct: [{ anyOf: Array(6).fill(mine) }, { anyOf: Array(6).fill(shared) }] };
    expect(parsePolicy({ gates: [twelve] }).ok).toBe(true);
    const parsed = parsePolicy({ gates: [{ distinct: [...twelve.distinct, mail] }] });
    expect(parsed.ok ? [] : parsed.issues).toEqual([
      { path: "gates.0.distinct", message: "must hold at most 12 gates" },
    ]);
  });
});
