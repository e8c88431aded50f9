import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  begin,
  explorationSchema,
  explore,
  type PlayFacts,
  playFactsSchema,
  type ScriptDocument,
  scriptSchema,
  simulate,
  simulationSchema,
  transition,
} from "../src/mod.ts";
import { documents, policyOf } from "./arbitraries.ts";

const now = Date.parse("2026-11-25T12:00:00Z");
const otp = { gate: "otp" };
const key = { gate: "key" };
const mail = { gate: "email" };

function play(document: object, script: ScriptDocument | null, facts: PlayFacts = {}) {
  const played = simulate(policyOf(document), script === null ? null : scriptSchema.parse(script), facts, now);
  expect(simulationSchema.parse(JSON.parse(JSON.stringify(played)))).toEqual(played);
  return played;
}
const heard = (document: object, script: ScriptDocument | null, facts?: PlayFacts) =>
  play(document, script, facts).transcript.map((entry) => entry.heard.is);

describe("a policy that is played", () => {
  it("says what is asked, what is left, until when, and what was true", () => {
    expect(play({ gates: [key, otp] }, [{ answer: "otp", right: false }, { pass: "10s" }, { answer: "otp" }])).toEqual({
      branches: [],
      transcript: [
        {
          step: null,
          atMs: 0,
          did: "connects",
          heard: {
            is: "challenge",
            options: [{ at: "1", gate: "otp" }],
            attemptsLeft: 3,
            retry: false,
            answerByMs: 30_000,
          },
          noted: [],
          failures: 0,
        },
        {
          step: 0,
          atMs: 0,
          did: "answers otp wrongly",
          heard: {
            is: "challenge",
            options: [{ at: "1", gate: "otp" }],
            attemptsLeft: 2,
            retry: true,
            answerByMs: 30_000,
          },
          noted: ["wrong"],
          failures: 1,
        },
        { step: 1, atMs: 10_000, did: "lets 10 s pass", heard: { is: "nothing" }, noted: [], failures: 0 },
        { step: 2, atMs: 10_000, did: "answers otp", heard: { is: "accepted" }, noted: [], failures: 0 },
      ],
      verdict: "accept",
      cause: null,
      gates: ["key", "otp"],
      assurance: { key: true, memberBound: true, gates: ["otp"] },
      unplayed: 0,
    });
  });

  it("ends where the deadline, the attempts, the owner or somebody who was asked ends it", () => {
    const ends = (document: object, script: ScriptDocument, facts?: PlayFacts) => {
      const { verdict, cause, unplayed } = play(document, script, facts);
      return [verdict, cause, unplayed];
    };
    const wrong = { answer: "otp", right: false };
    expect(ends({ gates: [otp] }, [{ pass: "31s" }, { answer: "otp" }])).toEqual(["deny", "deadline", 1]);
    expect(ends({ gates: [otp] }, [wrong, wrong, wrong, wrong])).toEqual(["deny", "too-many-failures", 1]);
    expect(ends({ gates: [otp] }, [{ revoke: true }])).toEqual(["deny", "revoked", 0]);
    expect(ends({ gates: [otp] }, [{ leave: true }])).toEqual(["deny", "left", 0]);
    expect(ends({ gates: [mail] }, [{ wait: "email", then: "refused" }])).toEqual(["deny", "refused", 0]);
    expect(ends({ gates: [key] }, [], { key: false })).toEqual(["deny", "no-key", 0]);
    expect(ends({ gates: [otp] }, [], { member: null })).toEqual(["deny", "no-member", 0]);
    expect(ends({ gates: [otp] }, [], { member: { name: "eve", enrolled: [] } })).toEqual(["deny", "not-enrolled", 0]);
    expect(ends({ gates: [otp] }, [wrong])).toEqual([null, null, 0]);
  });

  it("waits, takes the code that was sent, and another way meanwhile", () => {
    const document = { gates: [key, { anyOf: [mail, { ...otp, of: "socket" }] }] };
    const toWait: ScriptDocument = [{ wait: "email", then: "nothing" }];
    expect(heard(document, [...toWait, { answer: "email" }])).toEqual(["challenge", "wait", "accepted"]);
    expect(heard(document, [...toWait, { answer: "email", right: false }])).toEqual(["challenge", "wait", "wait"]);
    expect(heard(document, [...toWait, { answer: "otp" }])).toEqual(["challenge", "wait", "accepted"]);
    expect(heard(document, [...toWait, { wait: "email" }])).toEqual(["challenge", "wait", "accepted"]);
    expect(heard({ gates: [{ ...mail, by: "link" }] }, [{ wait: "email", then: "spent" }])).toEqual([
      "challenge",
      "challenge",
    ]);
    expect(play(document, [{ wait: "sms" }]).transcript[1]).toMatchObject({ noted: ["unexpected"], failures: 1 });
  });

  it("is silent to offers that are not enough, right or wrong, and adds up what was right", () => {
    const document = { gates: [key, otp, { gate: "otp", of: "socket" }], mode: "offered" };
    const half = { gate: "otp", at: "1" };
    const rest = { gate: "otp", at: "2" };
    expect(heard(document, [{ offer: [half] }, { offer: [rest] }])).toEqual(["nothing", "accepted"]);
    expect(heard(document, [{ offer: [{ ...half, right: false }] }, { offer: [half, rest] }])).toEqual([
      "nothing",
      "accepted",
    ]);
    expect(heard(document, [{ answer: "otp" }, { pass: "2m" }])).toEqual(["nothing", "nothing", "denied"]);
    expect(play(document, [{ offer: [] }]).transcript).toMatchObject([{ did: "connects", heard: { is: "nothing" } }]);
  });

  it("takes the branch that the facts say, and both where they say nothing", () => {
    const document = {
      gates: [{ when: { network: ["10.0.0.0/8"], time: { from: "11:00" } }, then: [otp], else: [mail] }],
    };
    const take = (facts: PlayFacts) => play(document, [], facts).branches;
    expect(take({ address: "10.0.0.1" })).toEqual([{ at: "0", take: "then" }]);
    expect(take({ address: "192.0.2.1" })).toEqual([{ at: "0", take: "else" }]);
    expect(take({ address: "10.0.0.1", at: "2026-11-25T10:00:00Z" })).toEqual([{ at: "0", take: "else" }]);
    expect(take({})).toEqual([{ at: "0", take: "both" }]);
  });

  it("goes to its end by itself, whatever it asks for", () => {
    let accepted = 0;
    fc.assert(
      fc.property(documents, (document) => {
        const { verdict, transcript } = play(document, null);
        // In offered mode everything is offered at once, up to the bound of an offer.
        expect(verdict).toBe("accept");
        expect(transcript.length).toBeLessThanOrEqual(201);
        accepted += 1;
      }),
      { numRuns: 200 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it("is bounded: steps, answers in an offer, and what a fact may be", () => {
    const step = { answer: "otp", right: false };
    expect(scriptSchema.safeParse(Array(200).fill(step)).success).toBe(true);
    for (const script of [
      Array(201).fill(step),
      [{ offer: Array(17).fill({ gate: "otp" }) }],
      [{ pass: "25h" }],
      [{ answer: "otp", wait: "email" }],
      [{ sleep: "1s" }],
      [{ leave: false }],
      {},
    ])
      expect(scriptSchema.safeParse(script).success, JSON.stringify(script).slice(0, 60)).toBe(false);
    for (const facts of [{ at: "noon" }, { risk: "some" }, { member: "bob" }, { who: 1 }])
      expect(playFactsSchema.safeParse(facts).success, JSON.stringify(facts)).toBe(false);
  });
});

describe("a policy that is explored", () => {
  const passes = (...gates: object[]) =>
    explore(policyOf({ gates }))
      .holders.filter((one) => one.passes)
      .map(({ holds }) => holds);

  it("tells every way through, once, and what it rests on", () => {
    const { ways, more } = explore(
      policyOf({
        gates: [
          key,
          { anyOf: [otp, { allOf: [mail, { gate: "sms" }] }, otp] },
          { when: { risk: "high" }, then: [mail] },
        ],
      }),
    );
    expect(more).toBe(false);
    expect(
      ways.map((way) => [way.gates.map(({ at }) => at).join(" "), way.branches[0]?.take, way.authenticator]),
    ).toEqual([
      ["0 1.0 2.then.0", "then", true],
      ["0 1.0", "else", true],
      ["0 1.1.0 1.1.1 2.then.0", "then", false],
      ["0 1.1.0 1.1.1", "else", false],
      ["0 1.2 2.then.0", "then", true],
      ["0 1.2", "else", true],
    ]);
    expect(ways[2]?.devices).toEqual(["app-key", "mailbox", "phone"]);
  });

  it("says who gets in with what was stolen, and what the others lack", () => {
    expect(passes(mail)).toEqual([
      "the mailbox",
      "the unlocked phone",
      "the unlocked laptop",
      "app key and mailbox",
      "laptop and phone",
    ]);
    expect(passes(key)).toEqual([
      "an app key",
      "the unlocked laptop",
      "app key and mailbox",
      "app key and phone number",
      "laptop and phone",
    ]);
    expect(passes(key, otp, { distinct: [mail, { gate: "sms" }] })).toEqual(["laptop and phone"]);
    const { holders } = explore(policyOf({ gates: [key, mail] }));
    const byName = new Map(holders.map((one) => [one.holds, one]));
    expect(byName.get("the mailbox")).toMatchObject({ passes: false, lacks: ["app-key"] });
    expect(byName.get("app key and mailbox")).toMatchObject({ passes: true, passesAuthenticator: false });
    expect(byName.get("laptop and phone")).toMatchObject({ passes: true, passesAuthenticator: true });
  });

  it("is bounded, also for a policy with millions of ways", () => {
    const gates = Array(10)
      .fill({ anyOf: [otp, mail, { gate: "otp", of: "socket" }].slice(0, 3) })
      .slice(0, 8);
    const startedMs = performance.now();
    const found = explore(policyOf({ gates }));
    expect(found.more).toBe(true);
    expect(found.ways.length).toBe(100);
    expect(explorationSchema.parse(found)).toEqual(found);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  it("counts what is asked for before the connection: nobody is let in without it", () => {
    const policy = policyOf({ before: { ticket: "required" }, gates: [{ gate: "path" }] });
    const { ways, holders } = explore(policy);
    expect(ways.map(({ gates }) => gates.map(({ at }) => at))).toEqual([["before.ticket", "0"]]);
    expect(holders.filter(({ passes }) => passes)).toEqual([]);
  });

  it("agrees with the machine: each way is enough, and nothing of it can be left out", () => {
    let seen = 0;
    fc.assert(
      fc.property(documents, (document) => {
        const policy = policyOf({ ...document, anonymous: true, onFailure: { attempts: 10 } });
        const { ways } = explore(policy);
        for (const way of ways.slice(0, 10)) {
          // Where a way says nothing of a `when`, it is one that its gates are not part of.
          const fresh = begin({
            policy,
            keyId: "k1",
            member: { id: "bob", enrolled: ["email", "sms"] },
            socketEnrolled: ["otp"],
            ticket: true,
            now,
          });
          const branches = fresh.branches.map(
            ({ at }) => way.branches.find((branch) => branch.at === at) ?? { at, take: "then" as const },
          );
          const isIn = (passed: readonly string[]) => {
            const [last, ...rest] = passed.toReversed();
            if (last === undefined) return true;
            const before = { ...fresh, branches, opened: true, passed: rest, pending: [{ ref: "r", at: last }] };
            const { state } = transition(before, {
              type: "verified",
              results: [{ ref: "r", ok: true }],
              nextCid: "c",
              now,
            });
            return state.verdict?.is === "accept";
          };
          const passed = way.gates.map(({ at }) => at);
          expect(isIn(passed), JSON.stringify([policy.gates, way])).toBe(true);
          for (const left of passed)
            if (passed.length > 1) expect(isIn(passed.filter((at) => at !== left)), `${left} of ${passed}`).toBe(false);
          seen += 1;
        }
      }),
      { numRuns: 150 },
    );
    expect(seen).toBeGreaterThan(100);
  });
});
