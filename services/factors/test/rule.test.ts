import { forgetAnswerRule, forgetSocketSecrets, setAnswerRule, verifyFactors } from "@portcullis/contracts";
import { answerByRule, readAnswerRule, ruleWords, statementOf } from "@portcullis/policy";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { answerRulesCollection } from "../src/authenticators/record.ts";
import { subjectId } from "../src/authenticators/subject.ts";
import { type Factors, freshHid, startFactors } from "./harness.ts";

const cid = "challenge-0123456789ab";
const written = "3 -1 2+4 =tea";
let factors: Factors;
beforeEach(async () => {
  factors = await startFactors();
  await set(written);
});
afterEach(() => factors.stop());

const set = async (rule: string | null, member = "bob", socketId = "s1") =>
  (await factors.identity.call(setAnswerRule, { socketId, member, rule })).rule;
function answerTo(rule: string, challenge = cid): string {
  const read = readAnswerRule(rule);
  if (read === null) throw new Error("no rule");
  return answerByRule(read, statementOf(challenge, ruleWords));
}
interface Where {
  readonly cid?: string | null;
  readonly memberId?: string | null;
  readonly socketId?: string;
  readonly hid?: string;
  readonly config?: Record<string, unknown>;
}
async function verify(value: string, { config = { kind: "rule" }, ...where }: Where = {}) {
  const { results } = await factors.identity.call(verifyFactors, {
    hid: freshHid(),
    socketId: "s1",
    memberId: "bob",
    transcript: new Uint8Array(32),
    network: "n1",
    cid,
    ...where,
    items: [{ ref: "r1", gate: "question", config, value, waitId: null }],
  });
  return results[0]?.ok === true ? "ok" : results[0]?.cause;
}

describe("the gate question of the kind rule", () => {
  it("is passed by what the member's rule picks, as people type it, and by the same step again", async () => {
    const hid = freshHid();
    expect(await verify(answerTo(written), { hid })).toBe("ok");
    expect(await verify(answerTo(written), { hid })).toBe("ok");
    expect(await verify(`  ${answerTo(written).toUpperCase().replaceAll(" ", ", ")} `)).toBe("ok");
  });

  it("is passed over another connection, where the handshake goes on there: the statement is the challenge's", async () => {
    expect(await verify(answerTo(written), { hid: freshHid() })).toBe("ok");
  });

  it("is not passed by an answer to another statement: what was seen once is good for nothing", async () => {
    const seen = answerTo(written);
    const next = "challenge-abcdefghijkl";
    expect(await verify(seen, { cid: next })).toBe("wrong");
    expect(await verify(answerTo(written, next), { cid: next })).toBe("ok");
  });

  it("is not passed by another rule, by the one before, by another member's, on another socket, or by nobody", async () => {
    expect(await verify(answerTo("1 2 3 4"))).toBe("wrong");
    expect(await verify(statementOf(cid, ruleWords))).toBe("wrong");
    expect(await verify("")).toBe("wrong");
    expect(await verify(answerTo(written), { memberId: "eve" })).toBe("unknown");
    expect(await verify(answerTo("1 2 3 4"), { memberId: null })).toBe("unknown");
    expect(await verify(answerTo(written), { socketId: "s2" })).toBe("unknown");
    expect(await verify(answerTo(written), { cid: null })).toBe("unasked");
    expect(await verify(answerTo(written), { config: { kind: "rule", more: 1 } })).toBe("config");
    await set("4 3 2 1");
    expect(await verify(answerTo(written))).toBe("wrong");
    expect(await verify(answerTo("4 3 2 1"))).toBe("ok");
  });

  it("tells an unknown member from a wrong answer by the cause alone: the same operations on the stores", async () => {
    const traced = async (where: Where) => {
      factors.calls.length = 0;
      const cause = await verify("wrong", where);
      return { cause, calls: [...factors.calls] };
    };
    const calls = ["state.create", "documents.get", "state.add", "state.add"];
    expect(await traced({})).toEqual({ cause: "wrong", calls });
    expect(await traced({ memberId: "eve" })).toEqual({ cause: "unknown", calls });
    expect(await traced({ memberId: null })).toEqual({ cause: "unknown", calls });
    expect(await traced({ cid: null })).toEqual({ cause: "unasked", calls });
  });

  it("compares no more guesses than allowed, however many come at once on two replicas, and lives again with another rule", async () => {
    const guesses = [...Array.from({ length: 20 }, () => "wrong"), answerTo(written)];
    const results = await Promise.all(guesses.map((value) => verify(value)));
    expect(results.filter((result) => result === "wrong").length).toBeLessThanOrEqual(10);
    factors.advance(30 * 86_400_000);
    for (let index = 0; index < 10; index += 1) await verify("wrong");
    expect(await verify(answerTo(written))).toBe("exhausted");
    await set(written);
    expect(await verify(answerTo(written))).toBe("ok");
  });

  it("forgives after a right answer", async () => {
    for (let round = 0; round < 3; round += 1) {
      for (let index = 0; index < 9; index += 1) expect(await verify("wrong")).toBe("wrong");
      expect(await verify(answerTo(written))).toBe("ok");
    }
  });

  it("makes a rule where the owner gives none, another one each time, and refuses one that is guessed too easily", async () => {
    const made = new Set<string>();
    for (let index = 0; index < 20; index += 1) made.add((await set(null)) ?? "");
    expect(made.size).toBeGreaterThan(15);
    for (const rule of made) expect(new Set(rule.split(" ")).size).toBe(4);
    const weak = factors.identity.call(setAnswerRule, { socketId: "s1", member: "bob", rule: "1 2" });
    await expect(weak).rejects.toMatchObject({ code: "invalid", issues: [{ path: "rule" }] });
  });

  it("is forgotten with its member's, and with the socket", async () => {
    await set(written, "ann");
    const gone = { socketId: "s1", member: "bob" };
    expect(await factors.identity.call(forgetAnswerRule, gone)).toEqual({ existed: true });
    expect(await factors.identity.call(forgetAnswerRule, gone)).toEqual({ existed: false });
    expect(await verify(answerTo(written))).toBe("unknown");
    await factors.identity.call(forgetSocketSecrets, { socketId: "s1" });
    expect(await verify(answerTo(written), { memberId: "ann" })).toBe("unknown");
  });

  it("lies wrapped in the store, all of one length, and opens for nobody else; neither rule nor answer is in a log", async () => {
    const collection = await factors.documents.collection(answerRulesCollection);
    const idOf = (member: string) => subjectId({ of: "member", socketId: "s1", member });
    await set("1 2 3 4 5 6 7 =longword", "ann");
    const [bobs, anns] = [await collection.get(idOf("bob")), await collection.get(idOf("ann"))];
    const blobs = [bobs, anns].map((each) => each?.body.active?.secret ?? "");
    expect(Buffer.from(blobs[0] ?? "", "base64url").includes("=tea")).toBe(false);
    expect(blobs[0]?.length).toBe(blobs[1]?.length);
    if (bobs === null || anns === null) throw new Error("not stored");
    await collection.replace(anns.id, anns.version, bobs.body);
    expect(await verify(answerTo(written), { memberId: "ann" })).toBe("unreadable");
    const logs = factors.logged.join("");
    expect(logs).toContain("does not open");
    for (const secret of [written, answerTo(written), "=tea"]) expect(logs).not.toContain(secret);
  });
});
