import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sessionSecret, startApi, type TestApi, tokenSecret } from "./api.ts";

let api: TestApi;
const own = "https://portcullis.example.com";
beforeAll(async () => {
  api = await startApi({ PUBLIC_URL: own });
  api.answers["identity.sockets.delete"] = {};
  api.answers["identity.accounts.sign-out"] = {};
  api.answers["identity.accounts.sign-in"] = { secret: "pcs_secretsecretsecret", sessionId: "ws_1", expiresAtMs: 2e12 };
});
afterAll(() => api.close());

const cookie = { cookie: `__Host-portcullis=${sessionSecret}` };
const json = { "content-type": "application/json" };
const send = (method: string, path: string, headers: Record<string, string>, body?: string) => {
  api.asked.length = 0;
  return fetch(`${api.url}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
};

describe("a request that a foreign page makes the owner's browser send", () => {
  test.each<[string, Record<string, string>]>([
    ["from another site", { "sec-fetch-site": "cross-site", origin: "https://evil.example" }],
    [
      "from a subdomain, which SameSite lets through",
      { "sec-fetch-site": "same-site", origin: "https://chat.portcullis.example.com" },
    ],
    ["that claims our origin but was fetched from elsewhere", { "sec-fetch-site": "cross-site", origin: own }],
    ["from another site, by an old browser", { origin: "https://evil.example" }],
    ["from an opaque origin", { origin: "null" }],
    ["from our name without TLS", { origin: "http://portcullis.example.com" }],
    ["from our name on another port", { origin: `${own}:8443` }],
    ["that says nothing of where it comes from", {}],
  ])("is refused: %s", async (_, headers) => {
    const response = await send("DELETE", "/v1/sockets/sck_1", { ...cookie, ...headers });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: "forbidden" });
    expect(api.asked).toEqual([]);
  });

  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
  ])("is refused where a form could have sent it: %s", async (type) => {
    const headers = { ...cookie, "sec-fetch-site": "same-origin", "content-type": type };
    const response = await send("POST", "/v1/sign-out", headers, "{}");
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ issues: [{ path: "content-type" }] });
    expect(api.asked).toEqual([]);
  });

  test("does not sign a visitor in to somebody else's account", async () => {
    const body = JSON.stringify({ email: "mallory@example.com", password: "mallory's password" });
    for (const headers of [
      { ...json, "sec-fetch-site": "cross-site" },
      { ...json, origin: "https://evil.example" },
    ]) {
      const response = await send("POST", "/v1/sign-in", headers, body);
      expect(response.status).toBe(403);
      expect(response.headers.get("set-cookie")).toBeNull();
      expect(api.asked).toEqual([]);
    }
  });

  test("gets no permission to read or to send headers", async () => {
    const response = await send("OPTIONS", "/v1/sockets", {
      origin: "https://evil.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type",
    });
    expect(response.status).toBe(404);
    expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  });
});

describe("a request of our own", () => {
  test.each<[string, Record<string, string>]>([
    ["from our page", { ...cookie, "sec-fetch-site": "same-origin", origin: own }],
    ["typed by the owner", { ...cookie, "sec-fetch-site": "none" }],
    ["from our page in a browser without fetch metadata", { ...cookie, origin: own }],
    [
      "from a program with a token, wherever it runs",
      { authorization: `Bearer ${tokenSecret}`, origin: "https://tool.example" },
    ],
  ])("passes: %s", async (_, headers) => {
    expect((await send("DELETE", "/v1/sockets/sck_1", headers)).status).toBe(204);
  });

  test("passes without a cookie from a program that says no origin", async () => {
    const body = JSON.stringify({ email: "ann@example.com", password: "ann's password" });
    expect((await send("POST", "/v1/sign-in", json, body)).status).toBe(200);
  });
});

describe("the session cookie", () => {
  const signIn = (to: TestApi) =>
    fetch(`${to.url}/v1/sign-in`, {
      method: "POST",
      headers: json,
      body: JSON.stringify({ email: "a@example.com", password: "x" }),
    });

  test("is for this host, https, this site and no script", async () => {
    const set = (await signIn(api)).headers.getSetCookie();
    expect(set).toHaveLength(1);
    const [pair, ...attributes] = (set[0] ?? "").split("; ");
    expect(pair).toBe("__Host-portcullis=pcs_secretsecretsecret");
    expect(new Set(attributes)).toEqual(
      new Set(["Path=/", "HttpOnly", "Secure", "SameSite=Strict", `Expires=${new Date(2e12).toUTCString()}`]),
    );
  });

  test("is removed on sign-out with the same attributes", async () => {
    const response = await send("POST", "/v1/sign-out", { ...cookie, "sec-fetch-site": "same-origin" });
    expect(response.status).toBe(204);
    const [set = ""] = response.headers.getSetCookie();
    expect(set).toMatch(/^__Host-portcullis=; /);
    expect(set).toContain("Expires=Thu, 01 Jan 1970");
    for (const attribute of ["Path=/", "HttpOnly", "Secure", "SameSite=Strict"]) expect(set).toContain(attribute);
  });

  test("for plain http has another name, and is the only thing that changes", async () => {
    const plain = await startApi({ COOKIE_SECURE: "false" });
    try {
      plain.answers["identity.accounts.sign-in"] = {
        secret: "pcs_secretsecretsecret",
        sessionId: "ws_1",
        expiresAtMs: 2e12,
      };
      const [set = ""] = (await signIn(plain)).headers.getSetCookie();
      expect(set).toMatch(/^portcullis=pcs_secretsecretsecret; /);
      expect(set).not.toContain("Secure");
      for (const attribute of ["Path=/", "HttpOnly", "SameSite=Strict"]) expect(set).toContain(attribute);
      expect((await plain.signedIn("GET", "/v1/account")).status).toBe(401);
      expect(
        (await plain.signedIn("GET", "/v1/account", undefined, { cookie: `portcullis=${sessionSecret}` })).status,
      ).toBe(200);
    } finally {
      await plain.close();
    }
  });
});
