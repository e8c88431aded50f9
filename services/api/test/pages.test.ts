import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startApi, type TestApi } from "./api.ts";

const token = "wait_planted.0123456789-_abcdefghijklmnopqrstuvwxyzABCDEF";
const find = "factors.waits.find";
const confirm = "factors.waits.confirm";
const link = `/confirm/${token}`;

let api: TestApi;
beforeEach(async () => {
  api = await startApi();
  api.answers[find] = { wait: { label: "<script>alert(1)</script>&\"'" } };
  api.answers[confirm] = { result: "confirmed" };
});
afterEach(() => api.close());

const submit = (body: string, headers: Record<string, string> = {}) =>
  fetch(`${api.url}${link}`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    body,
  });
const contracts = () => api.asked.map(({ name }) => name);

describe("the page behind a link", () => {
  test.each(["GET", "HEAD"])("%s changes nothing", async (method) => {
    const answer = await fetch(`${api.url}${link}`, { method });
    expect(answer.status).toBe(200);
    expect(contracts()).toEqual([find]);
    expect(api.asked[0]?.body).toEqual({ token, address: "127.0.0.1" });
  });

  test("shows for what it is, as text, and runs nothing", async () => {
    const answer = await fetch(`${api.url}${link}`);
    const html = await answer.text();
    expect(html).toContain("&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#39;");
    expect(html).not.toContain("<script");
    const style = /<style>([\s\S]*)<\/style>/.exec(html)?.[1] ?? "";
    const hash = createHash("sha256").update(style).digest("base64");
    expect(answer.headers.get("content-security-policy")).toBe(
      `default-src 'none';style-src 'sha256-${hash}';script-src 'none';connect-src 'none';form-action 'self';base-uri 'none';frame-ancestors 'none'`,
    );
    expect(answer.headers.get("referrer-policy")).toBe("strict-origin");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("x-robots-tag")).toBe("noindex");
    expect(html).toMatch(/<label for="number">/);
  });

  test("confirms with the number, and says so", async () => {
    const answer = await submit("number=417");
    expect([answer.status, contracts()]).toEqual([200, [confirm]]);
    expect(api.asked[0]?.body).toEqual({ token, number: "417", address: "127.0.0.1" });
    expect(await answer.text()).toContain("<h1>Confirmed</h1>");
  });

  test("asks again after a wrong number, and ties what was wrong to the field", async () => {
    api.answers[confirm] = { result: "wrong" };
    const answer = await submit("number=418");
    expect(answer.status).toBe(422);
    const html = await answer.text();
    expect(html).toMatch(/role="alert"/);
    expect(html).toMatch(/aria-invalid="true" aria-describedby="error"/);
  });

  test.each(["", "number=", "number=abc", "other=417", `number=${"1".repeat(9)}`])(
    "does not even ask about what is no number: %s",
    async (body) => {
      expect((await submit(body)).status).toBe(422);
      expect(contracts()).toEqual([find]);
    },
  );

  test("is the same for a link that never was, is over or was used", async () => {
    const page = async (answer: Response) => [answer.status, await answer.text()] as const;
    api.answers[confirm] = { result: "gone" };
    const used = await page(await submit("number=417"));
    api.answers[find] = { wait: null };
    const over = await page(await fetch(`${api.url}${link}`));
    const never = await page(await fetch(`${api.url}/confirm/a%20b`));
    const long = await page(await fetch(`${api.url}/confirm/${"x".repeat(300)}`));
    expect(used[0]).toBe(410);
    for (const other of [over, never, long]) expect(other).toEqual(used);
  });

  test.each([
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { origin: "https://evil.example" },
    { origin: "null" },
  ])("takes no form of another site: %j", async (headers) => {
    expect((await submit("number=417", headers)).status).toBe(403);
    expect(contracts()).toEqual([]);
  });

  test("takes its own form from a browser that says its origin only: an old one, or any over plain http", async () => {
    expect((await submit("number=417", { origin: `http://localhost:${new URL(api.url).port}` })).status).toBe(200);
    expect(contracts()).toEqual([confirm]);
  });

  test.each([
    ["number=417", "application/json"],
    ["number=417", "text/plain"],
    [`number=417&x=${"y".repeat(2_000)}`, "application/x-www-form-urlencoded"],
  ])("takes no other body: %s as %s", async (body, type) => {
    expect((await submit(body, { "content-type": type })).status).toBe(400);
    expect(contracts()).toEqual([]);
  });

  test("says that it is us where a part of the system is missing, and that the link stays good", async () => {
    api.answers[find] = "unavailable";
    const answer = await fetch(`${api.url}${link}`);
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining("The link stays good")]);
    api.answers[find] = "too_many";
    expect((await fetch(`${api.url}${link}`)).status).toBe(429);
  });

  test("leaves its token in no log", async () => {
    await fetch(`${api.url}${link}`);
    await submit("number=417");
    api.answers[confirm] = "internal";
    await submit("number=417");
    const lines = api.logLines.join("");
    expect(lines).toContain("/confirm/:token");
    expect(lines).not.toContain("planted");
  });
});

describe("the outbox", () => {
  test("takes its key in a header and nothing else", async () => {
    api.answers["notify.outbox.read"] = { messages: [] };
    expect((await fetch(`${api.url}/v1/outbox?key=k`)).status).toBe(400);
    expect((await fetch(`${api.url}/v1/outbox`)).status).toBe(401);
    expect((await api.signedIn("GET", "/v1/outbox")).status).toBe(401);
    expect(contracts()).toEqual([]);
    api.answers["notify.outbox.read"] = "unauthenticated";
    expect((await fetch(`${api.url}/v1/outbox`, { headers: { authorization: "Bearer wrong" } })).status).toBe(401);
    api.answers["notify.outbox.read"] = { messages: null };
    expect((await fetch(`${api.url}/v1/outbox`, { headers: { authorization: "Bearer key" } })).status).toBe(404);
  });

  test("has a page that runs its own script only and holds no message by itself", async () => {
    const answer = await fetch(`${api.url}/outbox`);
    expect(answer.headers.get("content-security-policy")).toContain("script-src 'self';connect-src 'self'");
    const script = await fetch(`${api.url}/outbox/outbox.js`);
    expect([script.status, script.headers.get("content-type")]).toEqual([200, "text/javascript; charset=utf-8"]);
    expect(await script.text()).not.toContain("innerHTML");
    expect(contracts()).toEqual([]);
  });
});
