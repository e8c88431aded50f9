import { afterEach, beforeEach, expect, test } from "vitest";
import { startApi, type TestApi } from "./api.ts";

const contract = "factors.webhooks.decide";
let api: TestApi;
beforeEach(async () => {
  api = await startApi();
  api.answers[contract] = { result: "taken" };
});
afterEach(() => api.close());

const signed = {
  "content-type": "application/json",
  "webhook-id": "msg_1",
  "webhook-timestamp": "1795000000",
  "webhook-signature": "v1,c2lnbmVk",
};
const post = (body: string, headers: Record<string, string> = signed, path = "wait_1") =>
  fetch(`${api.url}/v1/callbacks/${path}`, { method: "POST", headers, body });

test("the bytes go on as they came: a signature is over them and not over what they mean", async () => {
  const body = '{ "decision" :\n"confirm", "é": "\\u00e9" }';
  const answer = await post(body);
  expect([answer.status, await answer.text()]).toEqual([204, ""]);
  const [asked] = api.asked as { body: { body: Uint8Array } }[];
  expect(Buffer.from(asked?.body.body ?? []).toString()).toBe(body);
});

test("what cannot be genuine is refused like what is not, without anybody being asked", async () => {
  api.answers[contract] = { result: "refused" };
  const refusals: string[] = [];
  const refused = async (answer: Promise<Response>) => {
    const { status } = await answer;
    refusals.push(`${status} ${await (await answer).text()}`);
  };
  await refused(post("{}"));
  expect(api.asked).toHaveLength(1);
  const without = (name: string) => Object.fromEntries(Object.entries(signed).filter(([key]) => key !== name));
  for (const name of ["webhook-id", "webhook-timestamp", "webhook-signature"]) await refused(post("{}", without(name)));
  await refused(post("{}", { ...signed, "webhook-id": "x".repeat(129) }));
  await refused(post("{}", { ...signed, "webhook-signature": "x".repeat(1_025) }));
  await refused(post("{}", signed, "wait%201"));
  await refused(post("{}", signed, "w".repeat(65)));
  expect(api.asked).toHaveLength(1);
  expect(new Set(refusals)).toEqual(new Set([expect.stringMatching(/^403 .*"code":"forbidden"/)]));
});

test("what is no JSON, or too much of it, is not taken in", async () => {
  expect((await post("x".repeat(4_097))).status).toBe(400);
  expect(
    (await post("decision=confirm", { ...signed, "content-type": "application/x-www-form-urlencoded" })).status,
  ).toBe(400);
  expect(api.asked).toEqual([]);
});

test("who has signed is told what was wrong", async () => {
  api.answers[contract] = { result: "late" };
  expect((await post("{}")).status).toBe(409);
  api.answers[contract] = { result: "invalid" };
  const answer = await post("{}");
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ issues: [{ path: "decision" }] });
});
