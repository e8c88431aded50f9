import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { leavesOf, playable, policySchema } from "../src/mod.ts";
import { facts, policyOf } from "./arbitraries.ts";

const gatesOf = (...gates: object[]) => playable(policyOf({ gates })).gates;
const otp = { gate: "otp" };
const webhook = "h1";

describe("the policy that a decoy plays", () => {
  it("keeps what can be asked for without anybody real", () => {
    const kept = [
      { gate: "key" },
      { gate: "captcha", cost: "low" },
      { gate: "otp", of: "socket" },
      { gate: "question", kind: "excerpt" },
      { gate: "question", kind: "rule" },
      { gate: "email", by: "code" },
      { gate: "sms", by: "code" },
      { gate: "call", by: "code" },
    ];
    expect(gatesOf(...kept)).toEqual(kept);
  });

  it("leaves out every gate at which somebody, or a program of the owner's, would be asked", () => {
    const asking = [
      { gate: "approval" },
      { gate: "external", webhook },
      { gate: "question", kind: "custom", webhook },
      { gate: "email", by: "link" },
      { gate: "sms", by: "link" },
      { gate: "ident" },
    ];
    expect(gatesOf({ gate: "key" }, otp, ...asking)).toEqual(gatesOf({ gate: "key" }, otp));
    expect(gatesOf({ anyOf: asking })).toEqual([{ gate: "path" }]);
  });

  it("leaves no empty group, and none that one device cannot pass", () => {
    const approval = { gate: "approval" };
    expect(gatesOf(otp, { anyOf: [approval, { allOf: [approval] }] })).toEqual(gatesOf(otp));
    const when = { member: ["bob"] };
    expect(gatesOf({ when, then: [approval], else: [otp] })).toEqual([{ when, then: [], else: gatesOf(otp) }]);
    expect(gatesOf(otp, { when, then: [approval] })).toEqual(gatesOf(otp));
    const either = { anyOf: [otp, { gate: "ident" }] };
    expect(gatesOf({ distinct: [otp, either] })).toEqual([{ allOf: [...gatesOf(otp), { anyOf: gatesOf(otp) }] }]);
    expect(gatesOf({ distinct: [otp, { gate: "sms" }, approval] })).toMatchObject([
      { distinct: [otp, { gate: "sms" }] },
    ]);
  });

  it("asks for nothing again in the session", () => {
    expect(playable(policyOf({ gates: [otp], during: [{ every: "1m", gate: "otp" }] })).during).toEqual([]);
  });

  it("is, of whichever policy, one that a handshake can begin with, and all of it playable", () => {
    fc.assert(
      fc.property(facts, ({ policy }) => {
        const cut = playable(policy);
        expect(policySchema.parse(cut)).toEqual(cut);
        expect(playable(cut)).toEqual(cut);
        const asking = ["approval", "external", "passkey", "jwt", "ident"];
        expect(leavesOf(cut).filter(({ gate }) => asking.includes(gate))).toEqual([]);
        expect({ ...cut, gates: [], during: [] }).toEqual({ ...policy, gates: [], during: [] });
      }),
    );
  });
});
