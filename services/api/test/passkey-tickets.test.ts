import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startApi, type TestApi } from "./api.ts";
import { type AskOptions, askAt } from "./ask.ts";

const ticket = `pt1.${"A".repeat(43)}`;
const secretPath = "planted-path-0123456789";
const target = `/chat/${secretPath}`;
const passphrase = "planted passphrase";
const form = { "content-type": "application/x-www-form-urlencoded" };
const json = { "content-type": "application/json" };

let api: TestApi;
beforeEach(async () => {
  api = await startApi({ DOMAIN: "sockets.example", PUBLIC_URL: "https://portcullis.example" });
});
afterEach(() => api.close());
const ask = (path: string, options: AskOptions) => askAt(api.url, path, options);

describe("a passkey", () => {
  const beginning = "identity.tickets.passkey.begin";
  const exchanging = "identity.tickets.passkey.exchange";
  const response = { id: "AAAA", rawId: "AAAA", type: "public-key", response: { clientDataJSON: "AAAA" } };
  const post = (body: object, options: { host?: string; path?: string; headers?: Record<string, string> } = {}) =>
    ask(options.path ?? target, {
      method: "POST",
      headers: { ...json, ...options.headers },
      body: JSON.stringify(body),
      ...(options.host === undefined ? {} : { host: options.host }),
    });
  beforeEach(() => {
    api.answers[beginning] = { signInId: "sign-in-1", challenge: "A".repeat(43) };
    api.answers[exchanging] = { ticket, expiresAtMs: Date.now() + 60_000, idParameter: "id", mayReturn: true };
  });

  test("is asked for at every address, and the browser lists what it has", async () => {
    const answer = await post({ begin: "passkey", id: "bob" });
    expect([answer.status, JSON.parse(answer.text)]).toEqual([
      200,
      {
        signInId: "sign-in-1",
        options: {
          challenge: "A".repeat(43),
          rpId: "portcullis.example",
          allowCredentials: [],
          userVerification: "required",
          timeout: 300_000,
        },
      },
    ]);
    expect(answer.headers["cache-control"]).toBe("no-store");
    const asked = { label: "chat", path: secretPath, name: "bob", address: "127.0.0.1" };
    expect(api.asked).toEqual([{ name: beginning, body: { ...asked, relyingParty: "portcullis.example" } }]);
  });

  test.each([
    ["portcullis.example", target, "portcullis.example", "https://portcullis.example"],
    // A name that anybody can have lead here is nobody's relying party.
    ["evil.example", target, "portcullis.example", "https://portcullis.example"],
    ["chat.sockets.example", `/${secretPath}`, "chat.sockets.example", "https://chat.sockets.example"],
    ["CHAT.sockets.example:8443", `/${secretPath}`, "chat.sockets.example", "https://chat.sockets.example"],
  ])(
    "at %s is for that host where it is the socket's own, and else for this server",
    async (host, path, rp, origin) => {
      const begun = JSON.parse((await post({ begin: "passkey", id: "bob" }, { host, path })).text);
      expect(begun.options.rpId).toBe(rp);
      const answer = await post({ id: "bob", signInId: "sign-in-1", response }, { host, path });
      expect(JSON.parse(answer.text)).toMatchObject({ ticket, url: expect.stringContaining("?id=bob") });
      expect(api.asked.at(-1)).toEqual({
        name: exchanging,
        body: {
          label: "chat",
          path: secretPath,
          name: "bob",
          address: "127.0.0.1",
          returnOrigin: null,
          relyingParty: rp,
          origin,
          signInId: "sign-in-1",
          response,
        },
      });
    },
  );

  test.each(["http://[::1]:8080", "http://127.0.0.1:8080"])(
    "is none where the server goes by %s, and that is said",
    async (url) => {
      await api.close();
      api = await startApi({ DOMAIN: "sockets.example", PUBLIC_URL: url });
      for (const body of [
        { begin: "passkey", id: "bob" },
        { id: "bob", signInId: "sign-in-1", response },
      ]) {
        const { status, text } = await post(body, { host: "127.0.0.1" });
        expect([status, JSON.parse(text)]).toMatchObject([400, { code: "invalid", issues: [{ path: "PUBLIC_URL" }] }]);
      }
      expect(api.asked).toEqual([]);
      // The socket's own host has a name.
      api.answers[beginning] = { signInId: "sign-in-1", challenge: "A".repeat(43) };
      const own = await post({ begin: "passkey", id: "bob" }, { host: "chat.sockets.example", path: `/${secretPath}` });
      expect(JSON.parse(own.text)).toMatchObject({ options: { rpId: "chat.sockets.example" } });
    },
  );

  test.each([
    [
      "wss://sockets.portcullis.example",
      "sockets.portcullis.example",
      "portcullis.example",
      "https://sockets.portcullis.example",
    ],
    [
      "wss://sockets.portcullis.example",
      "SOCKETS.portcullis.example:443",
      "portcullis.example",
      "https://sockets.portcullis.example",
    ],
    [
      "wss://sockets.portcullis.example:444",
      "sockets.portcullis.example:444",
      "portcullis.example",
      "https://sockets.portcullis.example:444",
    ],
    // Another port of the host may be somebody else's.
    [
      "wss://sockets.portcullis.example",
      "sockets.portcullis.example:9999",
      "portcullis.example",
      "https://portcullis.example",
    ],
    // A browser lets no page ask for a name that its own does not end with.
    [
      "wss://sockets.elsewhere.example",
      "sockets.elsewhere.example",
      "sockets.elsewhere.example",
      "https://sockets.elsewhere.example",
    ],
    [
      "wss://evilportcullis.example",
      "evilportcullis.example",
      "evilportcullis.example",
      "https://evilportcullis.example",
    ],
    ["wss://sockets.portcullis.example", "portcullis.example", "portcullis.example", "https://portcullis.example"],
    ["wss://sockets.portcullis.example", "evil.example", "portcullis.example", "https://portcullis.example"],
  ])(
    "with sockets at %s, at %s, is for a name that a page there may ask for, and taken from there alone",
    async (socketsUrl, host, rp, origin) => {
      await api.close();
      const environment = {
        DOMAIN: "labels.example",
        PUBLIC_URL: "https://portcullis.example",
        SOCKETS_URL: socketsUrl,
      };
      api = await startApi(environment);
      api.answers[beginning] = { signInId: "sign-in-1", challenge: "A".repeat(43) };
      api.answers[exchanging] = { ticket, expiresAtMs: Date.now() + 60_000, idParameter: "id", mayReturn: true };
      const begun = JSON.parse((await post({ begin: "passkey", id: "bob" }, { host })).text);
      expect(begun.options.rpId).toBe(rp);
      await post({ id: "bob", signInId: "sign-in-1", response }, { host });
      expect(api.asked.map(({ body }) => body)).toMatchObject([{ relyingParty: rp }, { relyingParty: rp, origin }]);
    },
  );

  test("at the socket's own host on the sockets' port is taken from a page on that port", async () => {
    await api.close();
    const environment = { DOMAIN: "sockets.example", PUBLIC_URL: "https://portcullis.example" };
    api = await startApi({ ...environment, SOCKETS_URL: "wss://sockets.example:444" });
    api.answers[exchanging] = { ticket, expiresAtMs: Date.now() + 60_000, idParameter: "id", mayReturn: true };
    const own = { host: "chat.sockets.example:444", path: `/${secretPath}` };
    await post({ id: "bob", signInId: "sign-in-1", response }, own);
    const origin = "https://chat.sockets.example:444";
    expect(api.asked.map(({ body }) => body)).toMatchObject([{ relyingParty: "chat.sockets.example", origin }]);
  });

  test("that is posted by the form goes on as a passphrase does", async () => {
    const filled = (more: Record<string, string> = {}) =>
      new URLSearchParams({
        id: "bob",
        passphrase: "",
        signInId: "sign-in-1",
        response: JSON.stringify(response),
        ...more,
      }).toString();
    const on = await ask(target, {
      method: "POST",
      headers: form,
      body: filled({ return_to: "https://app.example/in" }),
    });
    expect([on.status, on.headers.location]).toEqual([303, `https://app.example/in#ticket=${ticket}`]);
    expect((await ask(target, { method: "POST", headers: form, body: filled() })).text).toContain(ticket);
    api.answers[exchanging] = "unauthenticated";
    const pages = [];
    for (const more of [{}, { response: "{" }, { response: "[]" }, { signInId: "no id" }, { id: "" }])
      pages.push(await ask(target, { method: "POST", headers: form, body: filled(more) }));
    expect(new Set(pages.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(pages[0]?.status).toBe(422);
    expect(pages[0]?.text).toContain('role="alert"');
  });

  test.each([
    [{ begin: "otp", id: "bob" }],
    [{ begin: "passkey" }],
    [{ begin: "passkey", id: "bob", signInId: "sign-in-1" }],
    [{ id: "bob", signInId: "sign-in-1" }],
    [{ id: "bob", signInId: "sign-in-1", response, passphrase }],
    [{ id: "bob", signInId: "sign-in-1", response: "AAAA" }],
    [{ id: "bob", signInId: "../x", response }],
  ])("is nothing else: %j", async (body) => {
    expect((await post(body)).status).toBe(400);
    expect(api.asked).toEqual([]);
  });

  test("from a page elsewhere is neither asked for nor taken", async () => {
    for (const headers of [{ "sec-fetch-site": "cross-site" }, { origin: "https://evil.example" }])
      for (const body of [
        { begin: "passkey", id: "bob" },
        { id: "bob", signInId: "sign-in-1", response },
      ])
        expect((await post(body, { headers: headers as unknown as Record<string, string> })).status).toBe(403);
    expect(api.asked).toEqual([]);
  });

  test.each([
    ["unauthenticated", 401],
    ["too_many", 429],
    ["unavailable", 503],
  ] as const)("that is %s is said as such", async (code, status) => {
    api.answers[exchanging] = code;
    expect((await post({ id: "bob", signInId: "sign-in-1", response })).status).toBe(status);
  });
});
