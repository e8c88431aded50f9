import { prepareFactors, verifyFactors } from "@portcullis/contracts";
import { type Challenge, solveChallenge } from "altcha-lib";
import { deriveKey } from "altcha-lib/algorithms/pbkdf2";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Factors, freshHid, startFactors } from "./harness.ts";

let factors: Factors;
beforeEach(async () => {
  factors = await startFactors();
});
afterEach(() => factors.stop());

const cid = "challenge-0123456789ab";
interface Where {
  readonly hid?: string;
  readonly socketId?: string;
  readonly network?: string;
  readonly cid?: string | null;
  readonly ref?: string;
  readonly cost?: string;
}
/** Little work unless the price is what is looked at: the cost of a policy changes nothing else. */
const item = (cost = "low") => ({ gate: "captcha", config: { cost } });
const place = ({ socketId = "s1", network = "n1", hid = freshHid() }: Where) => ({
  hid,
  socketId,
  network,
  memberId: null,
  transcript: new Uint8Array(32),
});

async function ask(where: Where = {}): Promise<Challenge> {
  const proven = { key: false, memberBound: false };
  const asked = { ...place(where), proven, cid: where.cid ?? cid, items: [{ at: "0", ...item(where.cost) }] };
  const { prompts } = await factors.identity.call(prepareFactors, asked);
  return prompts[0]?.challenge as Challenge;
}
async function answer(value: string, where: Where = {}) {
  const asked = { ...place(where), cid: where.cid === undefined ? cid : where.cid };
  const items = [{ ref: where.ref ?? "r1", ...item(where.cost), value, waitId: null }];
  const { results } = await factors.identity.call(verifyFactors, { ...asked, items });
  return results[0]?.ok === true ? "ok" : results[0]?.cause;
}
const solutionOf = async (challenge: Challenge) => {
  const solution = await solveChallenge({ challenge, deriveKey });
  if (solution === null) throw new Error("not solved");
  return { counter: solution.counter, derivedKey: solution.derivedKey };
};
const encoded = (challenge: unknown, solution: unknown) => btoa(JSON.stringify({ challenge, solution }));
const solved = async (challenge: Challenge) => encoded(challenge, await solutionOf(challenge));
/** Tries that it took, more or less: what the client pays. */
const priceOf = async (where: Where) => (await solutionOf(await ask(where))).counter;

describe("the gate captcha", () => {
  it("is passed by the work that was asked for", async () => {
    expect(await answer(await solved(await ask()))).toBe("ok");
  });

  it("says the same to the same step again, and to no other: not to another connection, nor to fifty at once on two replicas", async () => {
    const value = await solved(await ask());
    const hid = freshHid();
    const results = await Promise.all(Array.from({ length: 50 }, () => answer(value)));
    expect(results.filter((result) => result === "ok")).toHaveLength(1);
    expect(new Set(results)).toEqual(new Set(["ok", "used"]));
    const other = "challenge-abcdefghijkl";
    const again = await solved(await ask({ cid: other }));
    expect(await answer(again, { hid, cid: other })).toBe("ok");
    expect(await answer(again, { hid, cid: other })).toBe("ok");
    expect(await answer(again, { hid, cid: other, ref: "r2" })).toBe("used");
  });

  it("asks for one piece of work, however often the question was made", async () => {
    const [one, two] = [await solved(await ask()), await solved(await ask())];
    expect(await answer(one)).toBe("ok");
    expect(await answer(two)).toBe("used");
  });

  it("is passed over another connection, where the handshake goes on there", async () => {
    const value = await solved(await ask({ hid: freshHid() }));
    expect(await answer(value, { hid: freshHid() })).toBe("ok");
  });

  it("is not passed by work for another challenge or socket, nor by what was offered unasked", async () => {
    const value = await solved(await ask());
    expect(await answer(value, { cid: "challenge-another00000" })).toBe("elsewhere");
    expect(await answer(value, { socketId: "s2" })).toBe("elsewhere");
    expect(await answer(value, { cid: null })).toBe("unasked");
    expect(await answer(value)).toBe("ok");
  });

  it("is not passed late, by the service's clock", async () => {
    const value = await solved(await ask());
    factors.advance(11 * 60_000);
    expect(await answer(value)).toBe("late");
  });

  it("takes no challenge that was changed: every field is under one signature (CVE-2025-68113)", async () => {
    const challenge = await ask();
    const solution = await solutionOf(challenge);
    const { parameters, signature } = challenge;
    const data = { ...parameters.data };
    const changes: [string, Challenge["parameters"]][] = [
      ["a later deadline", { ...parameters, data: { ...data, untilMs: Number(data.untilMs) + 1 } }],
      ["another challenge", { ...parameters, data: { ...data, cid: "challenge-another00000" } }],
      ["another salt", { ...parameters, salt: "0".repeat(32) }],
      ["an easier prefix", { ...parameters, keyPrefix: solution.derivedKey.slice(0, 32).replace(/^../, "00") }],
      ["another key signature", { ...parameters, keySignature: "0".repeat(64) }],
    ];
    for (const [, changed] of changes)
      expect(await answer(encoded({ parameters: changed, signature }, solution))).toBe("wrong");
    // One that the attacker made and signed: the key is the server's.
    expect(await answer(encoded({ parameters, signature: "0".repeat(64) }, solution))).toBe("wrong");
    expect(await answer(encoded(challenge, solution))).toBe("ok");
  });

  it("takes no work that was not done, and nothing that is no answer", async () => {
    const challenge = await ask();
    const { counter, derivedKey } = await solutionOf(challenge);
    // The prefix of the key is known, the rest is what the work is for.
    const guessed = challenge.parameters.keyPrefix + "0".repeat(32);
    expect(await answer(encoded(challenge, { counter, derivedKey: guessed }))).toBe("wrong");
    const { keySignature: _, ...unsigned } = challenge.parameters;
    const nonsense = [
      "",
      "e30",
      "null",
      btoa("null"),
      btoa("{"),
      "A".repeat(4096),
      encoded(challenge, { counter, derivedKey: `${derivedKey}00` }),
      encoded(challenge, { counter: -1, derivedKey }),
      encoded({ ...challenge, more: 1 }, { counter, derivedKey }),
      encoded({ ...challenge, parameters: unsigned }, { counter, derivedKey }),
      encoded({ ...challenge, parameters: { ...challenge.parameters, cost: 1 } }, { counter, derivedKey }),
    ];
    for (const value of nonsense) expect(await answer(value)).toBe("malformed");
    expect(await answer("", { cost: "free" })).toBe("config");
  });

  it("costs more where much was asked for and not brought, up to a ceiling, and what it was when that is some time ago", async () => {
    for (let index = 0; index < 5; index += 1) expect(await priceOf({ network: "honest" })).toBeLessThanOrEqual(225);
    for (let index = 0; index < 100; index += 1) await ask({ network: "busy" });
    const raised = await priceOf({ network: "busy" });
    expect(raised).toBeGreaterThanOrEqual(1200);
    expect(raised).toBeLessThanOrEqual(3600);
    expect(await priceOf({ network: "another" })).toBeLessThanOrEqual(225);
    factors.advance(20 * 60_000);
    expect(await priceOf({ network: "busy" })).toBeLessThanOrEqual(225);
  });

  it("costs nobody more who brings what they are asked for", async () => {
    for (let index = 0; index < 20; index += 1) {
      const each = `challenge-${String(index).padStart(12, "0")}`;
      const hid = freshHid();
      const challenge = await ask({ cid: each });
      const solution = await solutionOf(challenge);
      expect(solution.counter).toBeLessThanOrEqual(225);
      // Said twice it is taken back once: nobody earns a credit by it.
      for (let time = 0; time < 2; time += 1)
        expect(await answer(encoded(challenge, solution), { cid: each, hid })).toBe("ok");
    }
    for (let index = 0; index < 100; index += 1) await ask();
    expect(await priceOf({})).toBeGreaterThanOrEqual(1200);
  });

  it("costs more after wrong answers at any gate", async () => {
    for (let index = 0; index < 5; index += 1) await factors.verify({ memberId: "nobody", value: "000000" });
    const prices = await Promise.all([1, 2, 3, 4, 5].map(() => priceOf({ network: "n1" })));
    expect(Math.min(...prices)).toBeGreaterThanOrEqual(150);
  });

  it("costs what the policy says", async () => {
    expect(await priceOf({ cost: "normal" })).toBeGreaterThanOrEqual(150);
    expect(await priceOf({ cost: "high" })).toBeGreaterThanOrEqual(300);
  });
});
