import { describe, expect, it } from "vitest";
import { adviceOf, begin, isBehindProof, isMemberProven, parsePolicy, transition } from "../src/mod.ts";
import { policyOf } from "./arbitraries.ts";

const key = { gate: "key" };
const mine = { gate: "otp" };
const shared = { gate: "otp", of: "socket" };
const mail = { gate: "email" };
const pick = { gate: "ident", ask: "pick" };
const agree = { gate: "ident" };
const issues = (...gates: object[]) => {
  const parsed = parsePolicy({ gates });
  return parsed.ok ? [] : parsed.issues.map(({ path, message }) => `${path}: ${message}`);
};

describe("the gate ident in a policy", () => {
  it("asks to agree unless it says otherwise", () => {
    expect(policyOf({ gates: [key, agree] }).gates[1]).toEqual({ gate: "ident", ask: "agree" });
  });

  it.each([
    ["a gate that only the member passes", [key, mine, pick]],
    ["whichever of several the member takes", [key, { anyOf: [mine, mail] }, pick]],
    ["one of several that all are passed", [key, { allOf: [shared, mine] }, pick]],
    ["as an alternative, later", [key, mine, { anyOf: [pick, mail] }]],
  ])("may have a sign picked behind %s", (_what, gates) => {
    expect(issues(...gates)).toEqual([]);
  });

  it.each([
    ["no app key", [mine, pick], "1.gate"],
    ["nothing of the member's", [key, pick], "1.gate"],
    ["an authenticator that is shared", [key, shared, pick], "2.gate"],
    ["a way round the member's gate", [key, { anyOf: [mine, shared] }, pick], "2.gate"],
    ["the member's gate beside it", [key, { allOf: [mine, pick] }], "1.allOf.1.gate"],
    ["the member's gate after it", [key, pick, mine], "1.gate"],
    ["another pick, which one of five guess", [key, { anyOf: [mine, shared] }, agree, pick], "3.gate"],
  ])("may not have one picked behind %s: whoever found a key would collect signs", (_what, gates, path) => {
    expect(issues(...gates)).toEqual([
      `gates.${path}: must stand behind \`key\` and, on every way to it, a gate that only the member passes`,
    ]);
  });

  it("stands twice at most, since all signs go into one record", () => {
    expect(issues(key, mine, agree, agree)).toEqual([]);
    expect(issues(key, mine, agree, { allOf: [agree, agree] })).toEqual([
      "gates.3.allOf.1.gate: may stand in a policy 2 times at most",
    ]);
  });

  it("needs somebody who is asked", () => {
    const parsed = parsePolicy({ gates: [key, agree], mode: "offered" });
    expect(parsed.ok).toBe(false);
  });

  it("comes with advice where no sign is shown, and says what it is worth", () => {
    const about = (...gates: object[]) =>
      adviceOf(policyOf({ gates })).filter(({ message }) => message.includes("only words"));
    expect(about(key, agree, mine).map(({ path }) => path)).toEqual(["gates.1"]);
    expect(about(key, mine, agree)).toEqual([]);
    expect(about(mine, agree)).toHaveLength(1);
    expect(
      adviceOf(policyOf({ gates: [key, mine, pick] })).some(({ message }) => message.includes("one of five")),
    ).toBe(true);
    const toReaders = adviceOf(policyOf({ gates: [mail, agree] }));
    expect(toReaders.some(({ message }) => message.startsWith("whoever reads"))).toBe(true);
  });

  it("is behind a proof by position, nested or not", () => {
    const { gates } = policyOf({ gates: [key, mine, { anyOf: [agree, mail] }] });
    expect([isBehindProof(gates, "2.0"), isBehindProof(gates, "1"), isBehindProof(gates, "0")]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe("who the member is", () => {
  const terms = (...gates: object[]) => ({
    policy: policyOf({ gates }),
    keyId: "k1",
    member: { id: "bob", enrolled: ["otp", "ident", "email"] },
    socketEnrolled: ["otp"],
    ticket: false,
    work: false,
    held: [],
    branches: [],
  });

  it("is proven once a gate of theirs has passed, and by no other", () => {
    const all = terms(key, shared, agree, mine, pick);
    expect(isMemberProven(all, ["0"])).toBe(false);
    expect(isMemberProven(all, ["0", "1", "2", "4"])).toBe(false);
    expect(isMemberProven(all, ["0", "1", "2", "3"])).toBe(true);
  });

  it("is not proven by their authenticator that everybody is asked for on top, until it is passed", () => {
    const some = terms(key, agree);
    expect(isMemberProven(some, ["0", "1"])).toBe(false);
    expect(isMemberProven(some, ["0", "1", "enrolled.otp"])).toBe(true);
  });

  it("is not in what is accepted by a sign alone", () => {
    const now = 1_000_000;
    const state = begin({ ...terms(key, mine, pick), now });
    let at = transition(state, { type: "opened", answers: [], cid: "c0", now });
    const refs = ["otp", "ident"];
    for (const [index, gate] of refs.entries()) {
      at = transition(at.state, { type: "answered", cid: `c${index * 2}`, gate, ref: `r${index}`, nextCid: "x", now });
      at = transition(at.state, {
        type: "verified",
        results: [{ ref: `r${index}`, ok: true }],
        nextCid: `c${index * 2 + 2}`,
        now,
      });
    }
    const [accepted] = at.effects;
    expect(accepted).toMatchObject({
      do: "accept",
      passed: ["key", "otp", "ident"],
      assurance: { memberBound: true, gates: ["otp"] },
    });
  });
});

describe("a client that leaves because it does not recognise the server", () => {
  it("is denied for that, and nobody else is", () => {
    const now = 1_000_000;
    const state = begin({
      policy: policyOf({ gates: [key, agree] }),
      keyId: "k1",
      member: { id: "bob", enrolled: [] },
      socketEnrolled: [],
      now,
    });
    expect(transition(state, { type: "left", why: "not-recognised", now }).effects).toEqual([
      { do: "deny", cause: "not-recognised" },
    ]);
    expect(transition(state, { type: "left", now }).effects).toEqual([{ do: "deny", cause: "left" }]);
  });
});
