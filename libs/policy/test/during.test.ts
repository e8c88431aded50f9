import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { begin, duringOf, parsePolicy, policySchema, type StepUpRule, stepUpPolicy, transition } from "../src/mod.ts";
import { policyOf } from "./arbitraries.ts";

const otp = { gate: "otp" };
const withRules = (...during: object[]) => ({ gates: [{ gate: "path" }], during });
const issuesOf = (document: object) => {
  const parsed = parsePolicy(document);
  return parsed.ok ? [] : parsed.issues;
};

describe("rules of what is asked again", () => {
  it("are stored with everything said, whichever way they were written, and survive storage", () => {
    const policy = policyOf(
      withRules(
        { every: "15m", gate: "otp" },
        { on: "demand", gates: [{ anyOf: [{ gate: "otp", of: "socket" }, { gate: "sms" }] }] },
        { message: "transfer", gate: "otp", of: "socket" },
        { message: "close-account", gates: [otp, { gate: "email", by: "link" }], for: "10s" },
      ),
    );
    const member = { gate: "otp", of: "member" };
    const socket = { gate: "otp", of: "socket" };
    expect(policy.during).toEqual([
      { on: "every", everyMs: 900_000, gates: [member] },
      { on: "demand", gates: [{ anyOf: [socket, { gate: "sms", by: "code" }] }] },
      { on: "message", class: "transfer", forMs: 300_000, gates: [socket] },
      { on: "message", class: "close-account", forMs: 10_000, gates: [member, { gate: "email", by: "link" }] },
    ]);
    expect(policySchema.parse(JSON.parse(JSON.stringify(policy)))).toEqual(policy);
  });

  it("leave time for whoever is waited for, also where no gate before the session waits", () => {
    expect(policyOf(withRules({ on: "demand", gate: "sms" })).deadlines.handshakeMs).toBe(900_000);
    expect(policyOf(withRules({ on: "demand", gate: "otp" })).deadlines.handshakeMs).toBe(120_000);
  });

  it.each([
    [
      { every: "9s", gate: "otp" },
      "during.0.every",
      "must be a duration from 10s to 24h, written like 30s, 10m or 12h",
    ],
    [
      { every: "25h", gate: "otp" },
      "during.0.every",
      "must be a duration from 10s to 24h, written like 30s, 10m or 12h",
    ],
    [{ every: "1m", on: "demand", gate: "otp" }, "during.0", "must have exactly one of: every, on, message"],
    [{ gate: "otp" }, "during.0", "must have exactly one of: every, on, message"],
    [{ on: "demand" }, "during.0", "must have exactly one of: gates, gate"],
    [{ on: "demand", gate: "otp", gates: [otp] }, "during.0", "must have exactly one of: gates, gate"],
    [{ on: "demand", gate: "key" }, "during.0", "key cannot be asked for while a session lives"],
    [{ on: "demand", gates: [{ gate: "path" }] }, "during.0", "path cannot be asked for while a session lives"],
    [
      { on: "demand", gate: "ident", ask: "pick" },
      "during.0.gates.0.gate",
      "must stand behind `key` and, on every way to it, a gate that only the member passes",
    ],
    [{ on: "demand", gate: "otp", for: "1m" }, "during.0.for", "belongs to a rule for a message class"],
    [
      { message: "Transfer", gate: "otp" },
      "during.0.message",
      "must be 1 to 32 of a-z, 0-9 and -, beginning with a letter",
    ],
    [{ on: "demand", gate: "otp", why: 1 }, "during.0", "not known here; allowed: gate, of"],
    [{ on: "demand", gates: [otp], why: 1 }, "during.0.why", "not known here; allowed: gates, every, on, message, for"],
  ])("%j is refused at %s", (rule, path, message) => {
    expect(issuesOf(withRules(rule))).toEqual([{ path, message }]);
  });

  it("are eight at most, and one for a class", () => {
    const eight = Array.from({ length: 8 }, () => ({ on: "demand", gate: "otp" }));
    expect(issuesOf(withRules(...eight))).toEqual([]);
    expect(issuesOf(withRules(...eight, { on: "demand", gate: "otp" }))).toEqual([
      { path: "during", message: "must hold at most 8 rules" },
    ]);
    expect(issuesOf(withRules({ message: "a", gate: "otp" }, { message: "a", gate: "sms" }))[0]?.path).toBe(
      "during.1.message",
    );
  });
});

describe("a step-up", () => {
  const item = fc.constantFrom<object>(
    otp,
    { gate: "otp", of: "socket" },
    { gate: "sms" },
    { anyOf: [otp, { gate: "email" }] },
    { allOf: [{ gate: "sms" }, { gate: "email" }] },
  );
  const events = fc.array(
    fc.record({ start: fc.boolean(), pick: fc.nat(3), ok: fc.boolean(), confirm: fc.boolean() }),
    { maxLength: 20 },
  );

  it("is passed only by gates that were verified or confirmed in it, all that its rule asks for", () => {
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 3 }), events, (gates, script) => {
        const during = duringOf(policyOf(withRules({ on: "demand", gates })));
        if (during === null) throw new Error("no rules");
        const policy = stepUpPolicy(during, 0);
        let made = 0;
        const fresh = () => {
          made += 1;
          return `i${made}`;
        };
        const member = { id: "bob", enrolled: ["otp", "email", "sms"] };
        let state = begin({ policy, keyId: "k1", member, socketEnrolled: ["otp"], now: 0 });
        let step = transition(state, { type: "opened", answers: [], cid: fresh(), now: 1 });
        const proven = new Set<string>();
        for (const { start, pick, ok, confirm } of script) {
          for (const effect of step.effects)
            if (effect.do === "accept") expect(isPassed(during.rules[0], proven)).toBe(true);
          ({ state } = step);
          const [effect] = step.effects.filter((each) => each.do === "challenge" || each.do === "wait");
          if (effect?.do === "challenge") {
            const option = effect.options[pick % effect.options.length];
            if (option === undefined) break;
            const { cid } = effect;
            const asked = { cid, gate: option.gate, at: option.at, nextCid: fresh(), now: 2 };
            step = start
              ? transition(state, { type: "started", waitId: fresh(), ...asked })
              : transition(state, { type: "answered", ref: fresh(), ...asked });
          } else if (effect?.do === "wait" && confirm) {
            proven.add(effect.at);
            step = transition(state, { type: "confirmed", waitId: effect.waitId, nextCid: fresh(), now: 2 });
            continue;
          } else if (effect?.do === "wait") {
            const { cid, gate, at } = effect;
            step = transition(state, { type: "answered", ref: fresh(), cid, gate, at, nextCid: fresh(), now: 2 });
          } else break;
          for (let [next] = step.effects; next?.do === "verify" || next?.do === "start"; [next] = step.effects) {
            if (next.do === "verify" && ok) for (const { at } of next.items) proven.add(at);
            step =
              next.do === "verify"
                ? transition(step.state, {
                    type: "verified",
                    results: next.items.map(({ ref }) => ({ ref, ok })),
                    nextCid: fresh(),
                    now: 2,
                  })
                : transition(step.state, { type: "begun", waitId: next.waitId, nextCid: fresh(), now: 2 });
          }
        }
        for (const effect of step.effects)
          if (effect.do === "accept") expect(isPassed(during.rules[0], proven)).toBe(true);
      }),
    );
  });

  /** Written anew, so that it does not repeat what the machine may have wrong. */
  function isPassed(rule: StepUpRule | undefined, proven: ReadonlySet<string>): boolean {
    const all = (items: readonly object[], under: string): boolean =>
      items.every((each, index) => one(each, `${under}${index}`));
    const one = (each: object, at: string): boolean => {
      if ("anyOf" in each) return (each.anyOf as object[]).some((child, index) => one(child, `${at}.${index}`));
      return "allOf" in each ? all(each.allOf as object[], `${at}.`) : proven.has(at);
    };
    return all(rule?.gates ?? [{}], "");
  }
});
