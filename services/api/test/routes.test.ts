import { contracts } from "@portcullis/contracts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startApi, type TestApi, tokenSecret } from "./api.ts";
import { operations } from "./operations/all.ts";
import { enrolment, uri } from "./operations/samples.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startApi({ RATE_LIMIT_PER_MINUTE: "100000" });
});
afterAll(() => api.close());

describe("every route is one call", () => {
  test.each(operations)("$method $route asks $contract", async (operation) => {
    api.asked.length = 0;
    api.answers[operation.contract] = operation.answer;
    const path = operation.path ?? operation.route;
    const response = await api.signedIn(operation.method, path, operation.send, operation.headers);
    const text = await response.text();
    expect(response.status, text).toBe(operation.status);
    const port = new URL(api.url).port;
    const filled = (value: unknown): unknown => JSON.parse(JSON.stringify(value).replaceAll("{port}", port));
    expect(filled(api.asked)).toEqual([{ name: operation.contract, body: filled(operation.asks) }]);
    expect(response.headers.get("cache-control")).toBe("no-store");
    if (operation.gives === null) {
      expect(text).toBe("");
    } else if (operation.gives === enrolment) {
      expect(JSON.parse(text)).toMatchObject({ uri });
    } else {
      expect(JSON.parse(text)).toEqual(filled(operation.gives));
    }
  });

  test("nothing that the API may ask is left out", () => {
    const mayAsk = contracts
      .filter((one) => one.kind === "request" && one.callers.includes("api"))
      .map((one) => one.name);
    // By the guard, by the pages behind a link and at a socket's address, and where providers report.
    const elsewhere = [
      "identity.accounts.authenticate",
      "factors.waits.find",
      "factors.waits.confirm",
      "notify.twilio.report",
      "identity.tickets.exchange",
      "identity.tickets.passkey.begin",
      "identity.tickets.passkey.exchange",
    ];
    expect(new Set([...operations.map((one) => one.contract), ...elsewhere])).toEqual(new Set(mayAsk));
  });

  test("who am I comes from the credential", async () => {
    const response = await api.signedIn("GET", "/v1/account");
    expect(await response.json()).toEqual({
      id: "own_1",
      email: "ann@example.com",
      emailVerified: true,
      secondFactor: false,
      credential: { kind: "session", id: "session_1" },
    });
  });
});

describe("who may use a route", () => {
  const bearer = { authorization: `Bearer ${tokenSecret}` };
  const closed = operations.filter((one) => one.anonymous !== true);

  test.each(closed)("nobody without a credential: $method $route", async ({ method, route, path = route }) => {
    api.asked.length = 0;
    const response = await fetch(`${api.url}${path}`, { method });
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toContain("Bearer");
    expect(await response.json()).toMatchObject({ code: "unauthenticated" });
    expect(api.asked).toEqual([]);
  });

  test.each(closed.filter((one) => one.sessionOnly))(
    "no API token: $method $route",
    async ({ method, route, path = route, send }) => {
      api.asked.length = 0;
      const body =
        send === undefined
          ? {}
          : { body: JSON.stringify(send), headers: { ...bearer, "content-type": "application/json" } };
      const response = await fetch(`${api.url}${path}`, { method, headers: bearer, ...body });
      expect(response.status).toBe(403);
      expect(api.asked).toEqual([]);
    },
  );

  test.each(closed.filter((one) => !one.sessionOnly))("an API token: $method $route", async (operation) => {
    const { method, route, path = route, send, headers, contract, answer, status } = operation;
    api.answers[contract] = answer;
    const response = await fetch(`${api.url}${path}`, {
      method,
      headers: { ...bearer, ...headers, ...(send === undefined ? {} : { "content-type": "application/json" }) },
      ...(send === undefined ? {} : { body: JSON.stringify(send) }),
    });
    expect(response.status).toBe(status);
  });

  test.each([
    "Bearer nonsense",
    "Bearer pct_short",
    `Bearer ${tokenSecret} more`,
    `Bearer pct_${"a".repeat(200)}`,
    "Basic YW5uOnBhc3M=",
    "",
  ])("a malformed credential asks nobody, and no cookie stands in for it: %s", async (authorization) => {
    api.authentications.length = 0;
    const response = await api.signedIn("GET", "/v1/account", undefined, { authorization });
    expect(response.status).toBe(401);
    expect(api.authentications).toEqual([]);
  });

  test("an unknown credential is refused", async () => {
    const headers = { authorization: "Bearer pct_ffffffffffffffffffffffff" };
    expect((await fetch(`${api.url}/v1/account`, { headers })).status).toBe(401);
  });
});
