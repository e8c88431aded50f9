import { describe, expect, it } from "vitest";
import { adviceCodes, adviceOf, type Severity, validatePolicy } from "../src/mod.ts";
import { policyOf } from "./arbitraries.ts";

const key = { gate: "key" };
const otp = { gate: "otp" };
const shared = { gate: "otp", of: "socket" };
const mail = { gate: "email" };
const sms = { gate: "sms" };
const question = { gate: "question" };
const passkey = { gate: "passkey", relyingParty: "app.example.com" };
const when = (conditions: object, then: object[], otherwise: object[] = []) => ({
  when: conditions,
  then,
  else: otherwise,
});

/** Severity by place, for one code. */
function said(code: string, document: object, facts = {}): [Severity, string][] {
  return adviceOf(policyOf(document), facts)
    .filter((one) => one.code === code)
    .map(({ severity, path }) => [severity, path]);
}

describe("advice", () => {
  it.each<[string, object, [Severity, string][], object]>([
    ["discoverable", { gates: [otp] }, [["warning", "gates"]], { gates: [key, otp] }],
    ["nobody-asked", { gates: [{ gate: "path" }] }, [["danger", "gates"]], { gates: [key] }],
    [
      "nobody-asked",
      { gates: [when({ risk: "low" }, [], [otp])] },
      [["danger", "gates"]],
      { gates: [when({ risk: "low" }, [otp], [otp])] },
    ],
    ["holder-only", { gates: [key, when({ risk: "high" }, [otp])] }, [["warning", "gates"]], { gates: [key, otp] }],
    [
      "messages-only",
      { gates: [key, { anyOf: [otp, mail] }] },
      [["warning", "gates.1.1"]],
      { gates: [key, { anyOf: [otp, sms] }] },
    ],
    [
      "readers-get-in",
      { gates: [{ distinct: [mail, sms] }] },
      [["danger", "gates"]],
      { gates: [{ distinct: [mail, sms] }, otp] },
    ],
    ["email-no-authenticator", { gates: [key, otp, mail] }, [["warning", "gates.2"]], { gates: [key, otp, sms] }],
    [
      "sms-restricted",
      { gates: [key, otp, when({ risk: "high" }, [sms])] },
      [["warning", "gates.2.then.0"]],
      { gates: [key, mail] },
    ],
    ["fatigue", { gates: [otp, { ...mail, by: "link" }] }, [["warning", "gates.1"]], { gates: [otp, mail] }],
    ["question-no-person", { gates: [key, question] }, [["info", "gates.1"]], { gates: [key, otp] }],
    ["relay", { gates: [otp, mail] }, [["warning", "gates"]], { gates: [otp, passkey] }],
    ["relay", { gates: [{ anyOf: [passkey, otp] }] }, [["warning", "gates"]], { gates: [key, otp] }],
    ["same-device", { gates: [key, otp, otp] }, [["warning", "gates.2"]], { gates: [key, otp, shared] }],
    [
      "same-device",
      { gates: [key, mail, { ...mail, by: "link" }] },
      [["warning", "gates.2"]],
      { gates: [key, { anyOf: [mail, mail] }] },
    ],
    [
      "same-phone",
      { gates: [key, { distinct: [otp, sms] }] },
      [["info", "gates.1.1"]],
      { gates: [key, { distinct: [shared, sms] }] },
    ],
    [
      "claimed-name",
      { gates: [key, when({ member: ["bob"] }, [shared], [otp])] },
      [["danger", "gates.1"]],
      { gates: [key, otp] },
    ],
    [
      "claimed-name",
      { gates: [key, when({ member: ["bob"] }, [otp], [sms])] },
      [["info", "gates.1"]],
      { gates: [key, when({ risk: "low" }, [otp])] },
    ],
    [
      "claimed-name",
      { gates: [key, when({ member: { not: ["bob"] } }, [shared]), otp] },
      [["info", "gates.1"]],
      { gates: [key] },
    ],
    [
      "relaxed",
      { gates: [key, when({ network: ["10.0.0.0/8"] }, [otp], [otp, sms])] },
      [["warning", "gates.1"]],
      { gates: [key, when({ network: ["10.0.0.0/8"] }, [otp, sms], [otp])] },
    ],
    [
      "many-attempts",
      { gates: [key, otp], onFailure: { attempts: 7 } },
      [["warning", "gates.1"]],
      { gates: [key, otp], onFailure: { attempts: 6 } },
    ],
    [
      "lockout-keyless",
      { gates: [otp], onFailure: { then: "lockout" } },
      [["warning", "onFailure.then"]],
      { gates: [key, otp], onFailure: { then: "lockout" } },
    ],
    [
      "answer-short",
      { gates: [key, otp], deadlines: { answer: "14s" } },
      [["warning", "deadlines.answer"]],
      { gates: [key, otp], deadlines: { answer: "15s" } },
    ],
    [
      "answer-long",
      { gates: [key, otp], deadlines: { answer: "3m", handshake: "5m" } },
      [["info", "deadlines.answer"]],
      { gates: [key, otp], deadlines: { answer: "2m" } },
    ],
    [
      "wait-short",
      { gates: [key, mail], deadlines: { wait: "90s" } },
      [["warning", "deadlines.wait"]],
      { gates: [key, mail], deadlines: { wait: "2m" } },
    ],
    [
      "handshake-long",
      { gates: [key, otp], deadlines: { handshake: "31m" } },
      [["info", "deadlines.handshake"]],
      { gates: [key, otp], deadlines: { handshake: "30m" } },
    ],
    [
      "not-sealed",
      { gates: [key, otp] },
      [["info", "encryption.session"]],
      { gates: [key, otp], encryption: { session: "required" } },
    ],
    [
      "suite-any",
      { gates: [key, otp], encryption: { session: "required" } },
      [["info", "encryption.suite"]],
      { gates: [key, otp], encryption: { session: "required", suite: "post-quantum" } },
    ],
    [
      "end-to-end-optional",
      { gates: [key, otp], encryption: { endToEnd: "allowed" } },
      [["info", "encryption.endToEnd"]],
      { gates: [key, otp], encryption: { endToEnd: "required" } },
    ],
    [
      "end-to-end-broadcast",
      { gates: [key, otp], encryption: { endToEnd: "required" } },
      [["info", "messaging.mode"]],
      { gates: [key, otp], encryption: { endToEnd: "required" }, messaging: { mode: "consumer" } },
    ],
    [
      "history-unsealed",
      { gates: [key, otp], messaging: { history: { minutes: 5 } } },
      [["warning", "messaging.history"]],
      { gates: [key, otp] },
    ],
  ])("%s: %j", (code, weak, expected, better) => {
    expect(said(code, weak)).toEqual(expected);
    expect(said(code, better)).toEqual([]);
  });

  it("not-enrolled: of what the socket has, and only where that is known", () => {
    const document = { gates: [key, { anyOf: [otp, shared] }] };
    expect(said("not-enrolled", document, { socketEnrolled: [] })).toEqual([["warning", "gates.1.1"]]);
    expect(said("not-enrolled", document, { socketEnrolled: ["otp"] })).toEqual([]);
    expect(said("not-enrolled", document)).toEqual([]);
    const again = {
      gates: [key, otp],
      during: [
        { on: "demand", gate: "otp" },
        { every: "1h", ...shared },
      ],
    };
    expect(said("not-enrolled", again, { socketEnrolled: [] })).toEqual([["warning", "during.1.gates.0"]]);
  });

  it("comes the gravest first, bounded, and with codes of the list only", () => {
    const many = adviceOf(policyOf({ gates: [{ allOf: Array(32).fill(question) }] }));
    expect(many.length).toBeLessThanOrEqual(64);
    for (const { code, message } of many) {
      expect(adviceCodes).toContain(code);
      expect(message.length).toBeLessThanOrEqual(512);
    }
    const grave = adviceOf(policyOf({ gates: [mail] })).map(({ severity }) => severity);
    expect(grave).toEqual(
      [...grave].sort((a, b) => ["danger", "warning", "info"].indexOf(a) - ["danger", "warning", "info"].indexOf(b)),
    );
  });

  it("is not given to what is no policy", () => {
    expect(validatePolicy({ gates: [] })).toMatchObject({ ok: false, issues: [{ path: "gates" }], advice: [] });
    expect(validatePolicy(null).ok).toBe(false);
    expect(validatePolicy({ gates: [key, otp] })).toMatchObject({ ok: true, issues: [], policy: { mode: "prompted" } });
  });

  it("finds what lies among more ways than it tells", () => {
    const gates = Array(7).fill({ anyOf: [otp, question, shared, mail] });
    expect(said("readers-get-in", { gates })).toEqual([["danger", "gates"]]);
    expect(said("relay", { gates: [...gates, passkey] })).toEqual([]);
  });
});
