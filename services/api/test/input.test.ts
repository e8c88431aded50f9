import { request as httpRequest } from "node:http";
import { ServiceError, serviceErrors } from "@portcullis/contracts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sessionSecret, startApi, type TestApi } from "./api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startApi({ RATE_LIMIT_PER_MINUTE: "100000" });
});
afterAll(() => api.close());
beforeEach(() => {
  api.asked.length = 0;
});

const canary = "canary-7f3a9c";
type Shown = {
  readonly code: string;
  readonly issues?: readonly { readonly path: string; readonly message: string }[];
};

async function refusal(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Shown> {
  const response = await api.signedIn(method, path, body, headers);
  const text = await response.text();
  expect(response.status, text).toBe(400);
  expect(response.headers.get("content-type")).toContain("application/problem+json");
  expect(text).not.toContain(canary);
  expect(api.asked).toEqual([]);
  return JSON.parse(text) as Shown;
}

const signUp = { email: "ann@example.com", password: "long enough password" };
const policy = { gates: [{ gate: "key" }] };
const nested = (depth: number): unknown => JSON.parse(`${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`);

describe("what is wrong is named, what would be right is said, what was sent is not repeated", () => {
  test.each<[string, string, unknown, { path: string; message: RegExp }]>([
    ["POST", "/v1/account", { password: canary }, { path: "email", message: /required/ }],
    ["POST", "/v1/account", { ...signUp, email: canary }, { path: "email", message: /e-mail address/ }],
    ["POST", "/v1/account", { ...signUp, email: `${"a".repeat(250)}@x.de` }, { path: "email", message: /at most 254/ }],
    ["POST", "/v1/account", { ...signUp, password: canary.repeat(30) }, { path: "password", message: /at most 256/ }],
    ["POST", "/v1/account", { ...signUp, password: "\ud800" }, { path: "password", message: /text/ }],
    [
      "POST",
      "/v1/account",
      { ...signUp, passwort: canary },
      { path: "passwort", message: /allowed: email, password, bootstrapToken/ },
    ],
    ["POST", "/v1/account", [], { path: "body", message: /must be object/ }],
    ["POST", "/v1/account", canary, { path: "body", message: /JSON/ }],
    ["POST", "/v1/account", `{"email":"${canary}`, { path: "body", message: /JSON/ }],
    ["POST", "/v1/account", '{"__proto__":{"admin":true}}', { path: "body", message: /JSON/ }],
    ["POST", "/v1/account", undefined, { path: "body", message: /required/ }],
    [
      "POST",
      "/v1/sockets/sck_1/approvals/w1",
      { decision: "approve", number: canary },
      { path: "number", message: /three digits/ },
    ],
    ["POST", "/v1/sockets/sck_1/approvals/w1", { decision: "approve" }, { path: "number", message: /./ }],
    ["POST", "/v1/sockets/sck_1/people", { email: canary, role: "viewer" }, { path: "email", message: /e-mail/ }],
    ["POST", "/v1/sockets/sck_1/people", { email: "c@x.de", role: "owner" }, { path: "role", message: /./ }],
    ["POST", "/v1/sign-in", { ...signUp, code: "12345x" }, { path: "code", message: /digits/ }],
    [
      "POST",
      "/v1/sign-in",
      { ...signUp, code: "123456", recoveryCode: canary },
      { path: "recoveryCode", message: /one of them/ },
    ],
    ["DELETE", "/v1/account/authenticator", { password: canary }, { path: "code", message: /recoveryCode/ }],
    ["GET", "/v1/sockets?limit=0", undefined, { path: "limit", message: /from 1 to 200/ }],
    ["GET", "/v1/sockets?limit=201", undefined, { path: "limit", message: /from 1 to 200/ }],
    ["GET", `/v1/sockets/sck_1/members?limit=${canary}`, undefined, { path: "limit", message: /from 1 to 200/ }],
    ["GET", "/v1/sockets/sck_1/sessions?after=../x", undefined, { path: "after", message: /must be an id/ }],
    ["GET", "/v1/sockets?page=2", undefined, { path: "page", message: /allowed: limit, after/ }],
    ["POST", "/v1/account/tokens", { label: "x", expiresAt: canary }, { path: "expiresAt", message: /2027-01-31/ }],
    ["POST", "/v1/account/tokens", { label: `a\u0000${canary}` }, { path: "label", message: /control characters/ }],
    ["POST", "/v1/sockets", { label: "chat" }, { path: "policy", message: /required/ }],
    ["POST", "/v1/sockets", { label: "chat", policy: [canary] }, { path: "policy", message: /must be object/ }],
    ["POST", "/v1/sockets", { label: "chat", policy: nested(40) }, { path: "policy", message: /deeper than 32/ }],
    ["POST", "/v1/sockets", { label: "c".repeat(64), policy }, { path: "label", message: /at most 63/ }],
    ["PATCH", "/v1/sockets/sck_1", { policy }, { path: "version", message: /If-Match/ }],
    ["PATCH", "/v1/sockets/sck_1", { version: 0 }, { path: "version", message: /./ }],
    ["PATCH", "/v1/sockets/sck_1", { version: 1.5 }, { path: "version", message: /int/ }],
    ["GET", `/v1/sockets/${canary}%20`, undefined, { path: "id", message: /A-Z/ }],
    ["GET", `/v1/sockets/${canary.repeat(10)}`, undefined, { path: "id", message: /1 to 64/ }],
    ["POST", "/v1/sockets/sck_1/members", { name: `bob ${canary}` }, { path: "name", message: /1 to 128 of/ }],
    [
      "POST",
      "/v1/sockets/sck_1/members",
      { name: "bob", contacts: { phone: canary } },
      { path: "contacts.phone", message: /\+49/ },
    ],
    [
      "POST",
      "/v1/sockets/sck_1/members",
      { name: "bob", contacts: { fax: canary } },
      { path: "contacts.fax", message: /allowed: email, phone/ },
    ],
  ])("%s %s %j", async (method, path, body, issue) => {
    const { code, issues } = await refusal(method, path, body);
    expect(code).toBe("invalid");
    expect(issues).toContainEqual({ path: issue.path, message: expect.stringMatching(issue.message) });
  });

  test("every problem at once", async () => {
    const { issues } = await refusal("POST", "/v1/account", { email: canary, password: "", bootstrapToken: 7 });
    expect(issues?.map(({ path }) => path)).toEqual(["email", "password", "bootstrapToken"]);
  });

  test("an If-Match that is weak, a list or contradicts the body", async () => {
    for (const tag of ['W/"3"', '"3", "4"', "*", "3", '"x"']) {
      const { issues } = await refusal("PATCH", "/v1/sockets/sck_1", {}, { "if-match": tag });
      expect(issues).toEqual([{ path: "if-match", message: expect.stringContaining("ETag") }]);
    }
    const { issues } = await refusal("PATCH", "/v1/sockets/sck_1", { version: 2 }, { "if-match": '"3"' });
    expect(issues).toEqual([{ path: "version", message: expect.stringContaining("same") }]);
  });

  test("a body over 64 KiB, with and without its length", async () => {
    const large = JSON.stringify({ ...signUp, password: "x".repeat(70_000) });
    expect((await refusal("POST", "/v1/account", large)).issues).toEqual([
      { path: "body", message: "must have at most 65536 bytes" },
    ]);
    const response = await fetch(`${api.url}/v1/account`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: new Blob([large]).stream(),
      duplex: "half",
    } as RequestInit);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ issues: [{ path: "body" }] });
  });

  test("a url that is no UTF-8", async () => {
    const { issues } = await refusal("GET", `/v1/sockets/${canary}%ff`);
    expect(issues).toEqual([{ path: "url", message: "must be percent-encoded UTF-8" }]);
  });

  test("a name of 128 escaped characters still fits", async () => {
    api.answers["identity.sockets.members.remove"] = { closed: 0 };
    const response = await api.signedIn("DELETE", `/v1/sockets/sck_1/members/${"%40".repeat(128)}`);
    expect(response.status).toBe(200);
  });
});

describe("what identity refuses comes as it stands in the table", () => {
  test.each(Object.entries(serviceErrors))("%s", async (code, { status, text }) => {
    api.answers["identity.sockets.get"] = code as keyof typeof serviceErrors;
    const response = await api.signedIn("GET", "/v1/sockets/sck_1");
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ type: `urn:portcullis:error:${code}`, title: text, status, code });
  });

  test("too_many says when to try again", async () => {
    api.answers["identity.sockets.get"] = () => {
      throw new ServiceError("too_many", { retryAfterS: 900 });
    };
    const response = await api.signedIn("GET", "/v1/sockets/sck_1");
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "900"]);
  });

  test("a page is asked for as the request says", async () => {
    api.answers["identity.sockets.list"] = { sockets: [], next: null };
    expect((await api.signedIn("GET", "/v1/sockets?limit=7&after=sck_9")).status).toBe(200);
    expect(api.asked.at(-1)?.body).toMatchObject({ after: "sck_9", limit: 7 });
  });

  test("its issues are passed on", async () => {
    api.answers["identity.sockets.create"] = () => {
      throw new ServiceError("invalid", { issues: [{ path: "policy.gates.0.gate", message: "must be key or otp" }] });
    };
    const response = await api.signedIn("POST", "/v1/sockets", { label: "chat", policy });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      issues: [{ path: "policy.gates.0.gate", message: "must be key or otp" }],
    });
  });

  test("an answer that breaks its contract says nothing, and is logged with what is needed to find it", async () => {
    api.answers["identity.sockets.get"] = { surprise: canary };
    api.logLines.length = 0;
    const response = await api.signedIn("GET", "/v1/sockets/sck_1");
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain(canary);
    const line = api.logLines.find((one) => one.includes("a request failed")) ?? "";
    expect(JSON.parse(line)).toMatchObject({ level: "error", method: "GET", route: "/v1/sockets/:id" });
    expect(line).not.toContain(canary);
  });
});

describe("what is not there", () => {
  const raw = (method: string, path: string, headers: Record<string, string> = {}) =>
    new Promise<{ status: number | undefined; body: string; type: string | undefined }>((resolve, reject) => {
      const request = httpRequest(`${api.url}`, { method, path, headers }, (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
        });
        response.on("end", () =>
          resolve({ status: response.statusCode, body, type: response.headers["content-type"] }),
        );
      });
      request.on("error", reject);
      request.end(method === "POST" ? "a=b" : undefined);
    });

  test.each<[string, string, Record<string, string>]>([
    ["GET", "/nowhere", {}],
    ["GET", "/v1/nowhere", {}],
    ["PUT", "/v1/sockets", {}],
    ["POST", "/outbox/secretpath", { "content-type": "application/x-www-form-urlencoded" }],
    ["GET", "/v1/sockets/a/b/c/d", { cookie: `__Host-portcullis=${sessionSecret}` }],
    ["GET", "//docs", {}],
    ["GET", "/docs/static/../../package.json", {}],
    ["GET", "/v1/SOCKETS", {}],
    ["TRACE", "/", {}],
  ])("%s %s is the same 404", async (method, path, headers) => {
    const { status, body, type } = await raw(method, path, headers);
    expect(status, body).toBe(404);
    expect(type).toContain("application/problem+json");
    expect(JSON.parse(body)).toEqual({
      type: "urn:portcullis:error:not_found",
      title: serviceErrors.not_found.text,
      status: 404,
      code: "not_found",
    });
  });
});
