import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startApi, type TestApi, tokenSecret } from "./api.ts";
import { type AskOptions, askAt } from "./ask.ts";

const exchange = "identity.tickets.exchange";
const mint = "identity.tickets.mint";
const ticket = `pt1.${"A".repeat(43)}`;
const secretPath = "planted-path-0123456789";
const passphrase = "planted passphrase";

let api: TestApi;
beforeEach(async () => {
  api = await startApi({ DOMAIN: "sockets.example", PUBLIC_URL: "https://portcullis.example" });
  api.answers[exchange] = { ticket, expiresAtMs: Date.now() + 60_000, idParameter: "id", mayReturn: false };
});
afterEach(() => api.close());

const ask = (target: string, options: AskOptions = {}) => askAt(api.url, target, options);
const form = { "content-type": "application/x-www-form-urlencoded" };
const json = { "content-type": "application/json" };
const fields = (more: Record<string, string> = {}) =>
  new URLSearchParams({ id: "bob", passphrase, ...more }).toString();
const target = `/chat/${secretPath}`;

describe("a socket's address over http", () => {
  test.each([
    ["/chat/some-path", "portcullis.example"],
    ["/CHAT/some-path/and/more?x=1", "portcullis.example"],
    ["/some-path", "chat.sockets.example"],
    ["/v1/sockets", "chat.sockets.example"],
    ["/docs/some-path", "chat.sockets.example:8443"],
    ["/nobody/nowhere", "portcullis.example"],
  ])("%s at %s is the same page, and looks nothing up", async (path, host) => {
    const page = await ask(path, { host });
    const other = await ask("/other/thing-that-is-not-there", { host: "127.0.0.1" });
    expect([page.status, page.text]).toEqual([200, other.text]);
    expect(page.text).toContain("<h1>Sign in to connect</h1>");
    const {
      date,
      "x-request-id": one,
      "ratelimit-remaining": left,
      "ratelimit-reset": reset,
      ...headers
    } = page.headers;
    const {
      date: _,
      "x-request-id": two,
      "ratelimit-remaining": less,
      "ratelimit-reset": again,
      ...same
    } = other.headers;
    expect(headers).toEqual(same);
    expect(api.asked).toEqual([]);
  });

  test.each([
    ["/v1/nothing", "portcullis.example"],
    ["/V1/nothing", "portcullis.example"],
    ["/chat", "portcullis.example"],
    ["/favicon.ico", "portcullis.example"],
    ["/.socket", "portcullis.example"],
    ["/.well-known/thing", "portcullis.example"],
    ["/docs/nothing/here", "portcullis.example"],
    ["/outbox/nothing", "portcullis.example"],
    ["/anything", "api.sockets.example"],
  ])("%s at %s is not one", async (path, host) => {
    expect((await ask(path, { host })).status).toBe(404);
  });

  test("does not stand in front of the API's own routes", async () => {
    expect((await ask("/v1/account")).status).toBe(401);
    expect((await ask("/docs/json")).status).toBe(200);
    expect((await ask("/healthz")).status).toBe(200);
    api.answers["factors.waits.find"] = { wait: null };
    expect((await ask("/confirm/x")).status).toBe(410);
    expect((await ask(target, { method: "PUT" })).status).toBe(404);
  });

  test("is a form that runs the one script of its own, is framed by nobody, and leads on to nothing else", async () => {
    const { headers, text } = await ask(`${target}?id=${encodeURIComponent('"><script>')}`);
    expect(text).toContain('value="&quot;&gt;&lt;script&gt;"');
    const [whole = "", script = ""] = /<script type="module">(.*?)<\/script>/s.exec(text) ?? [];
    expect(text.replace(whole, "")).not.toContain("<script");
    const hash = createHash("sha256").update(script).digest("base64");
    expect(headers["content-security-policy"]).toContain(`;script-src 'sha256-${hash}';`);
    expect(headers["content-security-policy"]).toMatch(
      /^default-src 'none';style-src 'sha256-[^;]+';script-src 'sha256-[^;' ]+';connect-src 'self';form-action 'self';base-uri 'none';frame-ancestors 'none'$/,
    );
    expect(headers["x-frame-options"]).toBe("DENY");
    expect(headers["cache-control"]).toBe("no-store");
  });

  test.each([
    ["https://app.example/in?x=1#y", "https://app.example"],
    ["http://localhost:3000/", "http://localhost:3000"],
    ["https://a;script-src/x", null],
    ["https://user@app.example/", null],
    ["javascript:alert(1)", null],
    ["//evil.example", null],
    ["data:text/html,x", null],
  ])("lets its form be led on to the origin that is asked for, where it is one: %s", async (returnTo, origin) => {
    const { headers } = await ask(`${target}?return_to=${encodeURIComponent(returnTo)}`);
    expect(headers["content-security-policy"]).toContain(`form-action 'self'${origin === null ? "" : ` ${origin}`};`);
  });
});

describe("the sockets' host, where owners reach the API at another one", () => {
  const hosts = ["wss.example", "wss.example:8443", "WSS.example", "v1.sockets.example"];
  beforeEach(async () => {
    await api.close();
    const environment = { DOMAIN: "sockets.example", PUBLIC_URL: "https://portcullis.example" };
    api = await startApi({ ...environment, SOCKETS_URL: "wss://wss.example" });
  });

  test.each(hosts)("%s has nothing of the API's, and does not say what there would be", async (host) => {
    const headers = { authorization: `Bearer ${tokenSecret}` };
    const nowhere = await ask("/", { host });
    expect(nowhere.status).toBe(404);
    for (const path of ["/v1/account", "/docs/json", "/openapi.json", "/outbox", "/healthz", "/readyz", "/.socket"]) {
      const answer = await ask(path, { host, headers });
      expect([answer.status, answer.text]).toEqual([404, nowhere.text]);
    }
    expect(api.authentications).toEqual([]);
    expect(api.asked).toEqual([]);
  });

  test("has the page of every socket, there or not, and the API is where it was", async () => {
    const elsewhere = await ask(target);
    for (const path of [target, "/nobody/nowhere"]) {
      const page = await ask(path, { host: "wss.example" });
      expect([page.status, page.text]).toEqual([200, elsewhere.text]);
    }
    for (const host of ["portcullis.example", "portcullis.example:8080", "127.0.0.1"])
      expect((await ask("/healthz", { host })).status).toBe(200);
  });

  test("is that of the API too where owners reach it below the domain", async () => {
    await api.close();
    api = await startApi({ DOMAIN: "example.com", PUBLIC_URL: "https://api.example.com" });
    expect((await ask("/healthz", { host: "api.example.com" })).status).toBe(200);
    expect((await ask("/healthz", { host: "www.example.com" })).status).toBe(404);
  });
});

describe("a passphrase that is posted", () => {
  test("as JSON gets the ticket, its end, and where to connect", async () => {
    const answer = await ask(`${target}/app?room=2&id=eve`, {
      method: "POST",
      headers: json,
      body: JSON.stringify({ id: "bob@x", passphrase }),
    });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toEqual({
      ticket,
      expiresAt: expect.stringMatching(/^\d{4}-.*Z$/),
      url: `wss://portcullis.example/chat/${secretPath}/app?id=bob%40x&room=2`,
    });
    expect(answer.headers["cache-control"]).toBe("no-store");
    expect(api.asked).toEqual([
      {
        name: exchange,
        body: {
          label: "chat",
          path: `${secretPath}/app`,
          name: "bob@x",
          passphrase,
          address: "127.0.0.1",
          returnOrigin: null,
        },
      },
    ]);
  });

  test("as a form shows the ticket, and says how long it lives", async () => {
    const answer = await ask(`/${secretPath}`, {
      method: "POST",
      host: "chat.sockets.example",
      headers: form,
      body: fields(),
    });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain(ticket);
    expect(answer.text).toMatch(/within the next (59|60) seconds/);
    expect(api.asked[0]?.body).toMatchObject({ label: "chat", path: secretPath });
  });

  test("leads on to a page that the policy names, with the ticket where no server is told it", async () => {
    api.answers[exchange] = { ticket, expiresAtMs: Date.now() + 60_000, idParameter: "id", mayReturn: true };
    const body = fields({ return_to: "https://app.example/in?x=1#old" });
    for (const [path, sent] of [
      [target, body],
      [`${target}?return_to=${encodeURIComponent("https://app.example/in?x=1")}`, fields()],
    ] as const) {
      const answer = await ask(path, { method: "POST", headers: form, body: sent });
      expect([answer.status, answer.headers.location]).toEqual([303, `https://app.example/in?x=1#ticket=${ticket}`]);
      expect(answer.headers["referrer-policy"]).toBe("no-referrer");
    }
    expect(api.asked.map(({ body: asked }) => (asked as { returnOrigin: string }).returnOrigin)).toEqual([
      "https://app.example",
      "https://app.example",
    ]);
  });

  test.each(["https://evil.example/", "//evil.example", "javascript:alert(1)", "https://app.example@evil.example/"])(
    "leads nowhere else: %s",
    async (returnTo) => {
      const answer = await ask(target, { method: "POST", headers: form, body: fields({ return_to: returnTo }) });
      expect([answer.status, answer.headers.location]).toEqual([200, undefined]);
      expect(answer.text).toContain(ticket);
    },
  );

  test("that is wrong, or no passphrase at all, is the same page and the same problem", async () => {
    api.answers[exchange] = "unauthenticated";
    const pages = await Promise.all(
      [fields(), "", "id=bob", fields({ id: "x".repeat(129) }), `${fields()}&passphrase=${"x".repeat(300)}`].map(
        (body) => ask(target, { method: "POST", headers: form, body }),
      ),
    );
    expect(new Set(pages.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(pages[0]?.status).toBe(422);
    expect(pages[0]?.text).toMatch(/aria-describedby="problem"/);
    const posted = await ask(target, {
      method: "POST",
      headers: json,
      body: JSON.stringify({ id: "bob", passphrase }),
    });
    expect([posted.status, JSON.parse(posted.text).code]).toEqual([401, "unauthenticated"]);
    expect((await ask(target, { method: "POST", headers: json, body: "{" })).status).toBe(400);
    const more = JSON.stringify({ id: "bob", passphrase, admin: true });
    expect((await ask(target, { method: "POST", headers: json, body: more })).status).toBe(400);
  });

  test.each([
    ["too_many", 429],
    ["busy", 503],
    ["unavailable", 503],
  ] as const)("%s is said as such", async (code, status) => {
    api.answers[exchange] = code;
    expect((await ask(target, { method: "POST", headers: form, body: fields() })).status).toBe(status);
    const posted = await ask(target, {
      method: "POST",
      headers: json,
      body: JSON.stringify({ id: "bob", passphrase }),
    });
    expect(posted.status).toBe(status);
  });

  test.each([
    [{ "sec-fetch-site": "cross-site" }],
    [{ "sec-fetch-site": "same-site" }],
    [{ origin: "https://evil.example" }],
    [{ origin: "null" }],
  ])("from a page elsewhere signs nobody in: %j", async (headers) => {
    for (const type of [form, json]) {
      const body = type === form ? fields() : JSON.stringify({ id: "bob", passphrase });
      expect(
        (await ask(target, { method: "POST", headers: { ...type, ...headers } as Record<string, string>, body }))
          .status,
      ).toBe(403);
    }
    expect(api.asked).toEqual([]);
  });

  test.each([[{ "sec-fetch-site": "same-origin" }], [{ origin: "https://portcullis.example" }]])(
    "from its own page is taken: %j",
    async (headers) => {
      const sent = { ...form, ...headers } as Record<string, string>;
      expect((await ask(target, { method: "POST", headers: sent, body: fields() })).status).toBe(200);
    },
  );

  test("that is too long is not read", async () => {
    const answer = await ask(target, { method: "POST", headers: form, body: `id=${"x".repeat(17_000)}` });
    expect([answer.status, api.asked]).toEqual([422, []]);
  });

  test("is in no log, and neither are path and ticket", async () => {
    await ask(target, { method: "POST", headers: form, body: fields() });
    await ask(`/${secretPath}`, { host: "chat.sockets.example" });
    api.answers[exchange] = "internal";
    await ask(target, { method: "POST", headers: form, body: fields() });
    expect(api.logLines.length).toBeGreaterThan(2);
    for (const secret of [secretPath, passphrase, ticket]) expect(api.logLines.join("\n")).not.toContain(secret);
  });
});

describe("a ticket that the owner asks for", () => {
  const answer = { ticket, expiresAtMs: 1_795_000_000_000, label: "chat", idParameter: "id", fingerprint: "print" };
  const withToken = (body: unknown) =>
    fetch(`${api.url}/v1/sockets/sck_1/tickets`, {
      method: "POST",
      headers: { authorization: `Bearer ${tokenSecret}`, ...json },
      body: JSON.stringify(body),
    });

  test.each(["member", "consumer"])("by a token: %s", async (role) => {
    api.answers[mint] = answer;
    expect((await withToken({ role })).status).toBe(201);
    expect(api.asked).toEqual([{ name: mint, body: { ownerId: "own_1", socketId: "sck_1", member: null, role } }]);
  });

  test("as themselves takes their session: a token is not the owner", async () => {
    api.answers[mint] = answer;
    expect((await withToken({ role: "owner" })).status).toBe(403);
    expect(api.asked).toEqual([]);
    const made = await api.signedIn(
      "POST",
      "/v1/sockets/sck_1/tickets",
      { role: "owner" },
      { origin: "https://portcullis.example" },
    );
    expect([made.status, await made.json()]).toEqual([
      201,
      {
        ticket,
        expiresAt: new Date(answer.expiresAtMs).toISOString(),
        url: "wss://portcullis.example/chat/{path}",
        pin: "print",
      },
    ]);
  });

  test.each([{ role: "admin" }, { member: "no spaces" }, { member: "bob", extra: 1 }, []])(
    "is not: %j",
    async (body) => {
      expect((await withToken(body)).status).toBe(400);
      expect(api.asked).toEqual([]);
    },
  );
});
