import { mintAnswerSecret, verifyFactors } from "@portcullis/contracts";
import { answerProof, parseAnswerSecret } from "@portcullis/crypto";
import { choiceOf, excerptOf } from "@portcullis/policy";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Factors, freshHid, startFactors } from "./harness.ts";

const th = new Uint8Array(32).fill(7);
const cid = "challenge-0123456789ab";
let factors: Factors;
let secret: Uint8Array;
beforeEach(async () => {
  factors = await startFactors();
  secret = await mint("bob");
});
afterEach(() => factors.stop());

const mint = async (member: string, socketId = "s1") =>
  parseAnswerSecret((await factors.identity.call(mintAnswerSecret, { socketId, member })).secret);
const proof = (change: Partial<Parameters<typeof answerProof>[0]> = {}) => {
  const excerpt = excerptOf(change.cid ?? cid);
  return answerProof({ secret, th, cid, statement: excerpt.statement, choice: choiceOf(excerpt), ...change });
};
async function verify(value: string, where: { cid?: string | null; memberId?: string | null; socketId?: string } = {}) {
  const { results } = await factors.identity.call(verifyFactors, {
    hid: freshHid(),
    socketId: "s1",
    memberId: "bob",
    transcript: th,
    network: "n1",
    cid,
    ...where,
    items: [{ ref: "r1", gate: "question", config: { kind: "excerpt" }, value, waitId: null }],
  });
  return results[0]?.ok === true ? "ok" : results[0]?.cause;
}

describe("the gate question", () => {
  it("is passed by the proof of who has the secret, and by the same request again", async () => {
    expect(await verify(await proof())).toBe("ok");
    expect(await verify(await proof())).toBe("ok");
  });

  it.each([
    ["another connection", { th: new Uint8Array(32).fill(8) }],
    ["another challenge", { cid: "challenge-another0000a" }],
    ["another statement", { statement: "amber anchor apple" }],
    ["another choice", { choice: "amber anchor apple" }],
    ["another secret", { secret: new Uint8Array(32) }],
  ])("is not passed by the proof for %s", async (_what, change) => {
    expect(await verify(await proof(change))).toBe("wrong");
  });

  it("is not passed by another member's proof, on another socket, or by nobody's", async () => {
    const anns = await mint("ann");
    expect(await verify(await proof({ secret: anns }))).toBe("wrong");
    expect(await verify(await proof(), { socketId: "s2" })).toBe("unknown");
    expect(await verify(await proof(), { memberId: "eve" })).toBe("unknown");
    expect(await verify(await proof({ secret: new Uint8Array(32) }), { memberId: null })).toBe("unknown");
  });

  it("is not passed by what answers no challenge", async () => {
    expect(await verify(await proof({ cid: "none" }), { cid: null })).toBe("unasked");
  });

  it("is not passed by the secret before", async () => {
    await mint("bob");
    expect(await verify(await proof())).toBe("wrong");
  });
});
