import { setTimeout as pause } from "node:timers/promises";
import { mintWebhook, prepareFactors, verifyFactors } from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isBy, json, type Receiver, startReceiver } from "../../../libs/runtime/test/support/webhook-receiver.ts";
import { anywhere, type Factors, type FactorsOptions, freshHid, startFactors } from "./harness.ts";

let factors: Factors;
let owner: Receiver;
let webhook: string;
let secret: string;
beforeEach(async () => {
  owner = await startReceiver();
});
afterEach(async () => {
  await factors.stop();
  await owner.close();
});

async function started(options: FactorsOptions = {}) {
  factors = await startFactors(options);
  const made = await factors.identity.call(mintWebhook, { socketId: "s1", url: owner.url, purpose: null });
  [webhook, secret] = [made.webhook.id, made.secret];
}

const where = () => ({ ...anywhere, hid: freshHid(), socketId: "s1", memberId: "m1", member: "bob" });
const config = () => ({ kind: "custom", webhook });
let cids = 0;
async function ask(cid = `c${cids++}`) {
  const items = [{ at: "1", gate: "question", config: config() }];
  return (
    await factors.identity.call(prepareFactors, { ...where(), proven: { key: true, memberBound: false }, cid, items })
  ).prompts[0];
}
async function judge(value: string, given: { hid?: string; cid?: string; ref?: string } = {}) {
  const { hid = freshHid(), cid = "c", ref = "r1" } = given;
  const items = [{ ref, gate: "question", config: config(), value, waitId: null }];
  const { results } = await factors.identity.call(verifyFactors, { ...where(), hid, cid, items });
  return results[0]?.ok === true ? "ok" : results[0]?.cause;
}
/** A program that asks one thing and knows the answer. */
function asksAndKnows(answer: string): void {
  owner.handle = ({ type, data }, response) =>
    json(
      response,
      type === "portcullis.question.ask"
        ? { prompt: "Which street?", choices: ["Elm", "Oak"] }
        : { ok: data.answer === answer },
    );
}
const judged = () => owner.deliveries.filter(({ type }) => type === "portcullis.question.judge");

describe("a question of the owner's own", () => {
  it("is asked and judged by their program, which can tell that it is us", async () => {
    await started();
    asksAndKnows("Oak");
    expect(await ask("c1")).toEqual({ kind: "custom", prompt: "Which street?", choices: ["Elm", "Oak"] });
    expect(await judge("Elm", { cid: "c1" })).toBe("wrong");
    expect(await judge("Oak", { cid: "c1" })).toBe("ok");
    expect(owner.deliveries.map(({ type, data }) => [type, data])).toEqual([
      ["portcullis.question.ask", { questionId: "c1", socket: "s1", member: "bob" }],
      ["portcullis.question.judge", { questionId: "c1", socket: "s1", member: "bob", answer: "Elm" }],
      ["portcullis.question.judge", { questionId: "c1", socket: "s1", member: "bob", answer: "Oak" }],
    ]);
    expect(owner.deliveries.every((delivery) => isBy(secret, delivery))).toBe(true);
    expect(new Set(owner.deliveries.map(({ id }) => id)).size).toBe(3);
  });

  it("is judged once for one answer, however often and wherever it is presented", async () => {
    await started();
    asksAndKnows("Oak");
    const one = { hid: freshHid(), cid: "c1", ref: "r1" };
    expect(await Promise.all(Array.from({ length: 6 }, () => judge("Elm", one)))).toEqual(Array(6).fill("wrong"));
    asksAndKnows("Elm");
    expect(await judge("Elm", one)).toBe("wrong");
    expect(judged()).toHaveLength(1);
    expect(await judge("Elm", { ...one, ref: "r2" })).toBe("ok");
    expect(await judge("Elm", { ...one, hid: freshHid() })).toBe("ok");
    expect(judged()).toHaveLength(3);
  });

  it("is not judged where it was not asked, or by a webhook of another socket", async () => {
    await started();
    asksAndKnows("Oak");
    const items = [{ ref: "r1", gate: "question", config: config(), value: "Oak", waitId: null }];
    const unasked = await factors.identity.call(verifyFactors, { ...where(), cid: null, items });
    expect(unasked.results[0]).toMatchObject({ ok: false, cause: "unasked" });
    const elsewhere = { ...where(), socketId: "s2" };
    await expect(factors.identity.call(verifyFactors, { ...elsewhere, cid: "c", items })).rejects.toMatchObject({
      code: "unavailable",
    });
    const question = [{ at: "1", gate: "question", config: config() }];
    const asked = await factors.identity.call(prepareFactors, {
      ...elsewhere,
      proven: { key: true, memberBound: false },
      cid: "c",
      items: question,
    });
    expect(asked.prompts).toEqual([null]);
    expect(owner.deliveries).toEqual([]);
  });

  it.each([
    ["an error", (_: unknown, response: import("node:http").ServerResponse) => response.writeHead(500).end()],
    ["a page", (_: unknown, response: import("node:http").ServerResponse) => response.end("<p>Which street?</p>")],
    ["nothing", (_: unknown, response: import("node:http").ServerResponse) => response.writeHead(204).end()],
    [
      "a redirect to metadata",
      (_: unknown, response: import("node:http").ServerResponse) =>
        response.writeHead(302, { location: "http://169.254.169.254/latest/meta-data" }).end(),
    ],
    [
      "10 MB",
      (_: unknown, response: import("node:http").ServerResponse) => response.end(Buffer.alloc(10_000_000, "{")),
    ],
    [
      "fields that nobody asked for",
      (_: unknown, r: import("node:http").ServerResponse) => json(r, { prompt: "?", ok: true }),
    ],
  ])("is left out where the program says %s, and nothing is accepted", async (_, handle) => {
    await started();
    owner.handle = handle as Receiver["handle"];
    expect(await ask()).toBeNull();
    await expect(judge("Oak")).rejects.toMatchObject({ code: "unavailable" });
    asksAndKnows("Oak");
    expect(await judge("Oak")).toBe("ok");
    expect(factors.logged.join("")).not.toMatch(/s3cret|Oak|127\.0\.0\.1/);
  });

  it.each([
    ["no text", { prompt: "" }],
    ["too much of it", { prompt: "a".repeat(501) }],
    ["control characters", { prompt: "Which\u001b[2J street?" }],
    ["characters that turn text around", { prompt: "teerts hcihW\u202e" }],
    ["half a character", { prompt: "\ud800" }],
    ["no choices at all", { prompt: "?", choices: [] }],
    ["too many choices", { prompt: "?", choices: Array.from({ length: 9 }, (_each, index) => `${index}`) }],
    ["the same choice twice", { prompt: "?", choices: ["a", "a"] }],
    ["more than a challenge can hold", { prompt: "\u20ac".repeat(500), choices: ["\u20ac".repeat(100), "b"] }],
  ])("is left out where it holds %s", async (_, question) => {
    await started();
    owner.handle = (_delivery, response) => json(response, question);
    expect(await ask()).toBeNull();
  });

  it("waits no longer than two seconds for a program that says nothing, or drips", async () => {
    await started();
    for (const handle of [() => undefined, (_: unknown, r: import("node:http").ServerResponse) => void r.write("{")]) {
      owner.handle = handle;
      const begun = performance.now();
      expect(await ask()).toBeNull();
      expect(performance.now() - begun).toBeLessThan(3_500);
    }
    const one = { hid: freshHid(), cid: "c1" };
    const late = Promise.all([judge("Oak", one), judge("Oak", one)].map((each) => each.catch(({ code }) => code)));
    await pause(100);
    asksAndKnows("Oak");
    // The first gives up; the second then asks once more, and gets an answer.
    expect((await late).toSorted()).toEqual(["ok", "unavailable"]);
  });

  it("goes nowhere that an operator did not allow, whatever was allowed when its webhook was made", async () => {
    await started();
    asksAndKnows("Oak");
    const file = factors;
    expect(await ask()).not.toBeNull();
    await file.stop();
    factors = await startFactors({ config: { outboundAllow: null } });
    const inside = factors.identity.call(mintWebhook, { socketId: "s1", url: owner.url, purpose: null });
    await expect(inside).rejects.toMatchObject({ code: "invalid" });
  });

  it("is asked only so often for one socket", async () => {
    await started({ config: { webhooksPerSocketMinute: 3 } });
    asksAndKnows("Oak");
    const asked = await Promise.all(Array.from({ length: 6 }, () => ask()));
    expect(asked.filter((each) => each !== null).length).toBeLessThanOrEqual(3);
    factors.advance(60_001);
    expect(await ask()).not.toBeNull();
  });
});
