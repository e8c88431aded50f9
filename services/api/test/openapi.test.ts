import { reservedLabels, type ServiceErrorCode, serviceErrors } from "@portcullis/contracts";
import { createHealth, createIds, createLogger, readConfig, systemRandom } from "@portcullis/runtime";
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addRoutes } from "../src/all-routes.ts";
import { sessionCookie } from "../src/callers/cookie.ts";
import { apiConfig } from "../src/config.ts";
import { createApp } from "../src/http/app.ts";
import { startApi, type TestApi } from "./api.ts";
import { operations } from "./operations/all.ts";

interface Described {
  readonly operationId: string;
  readonly security?: readonly Record<string, string[]>[];
  readonly requestBody?: { readonly content: Record<string, unknown> };
  readonly responses: Record<string, { readonly content?: Record<string, { schema: Schema }> }>;
}
interface Schema {
  readonly properties?: { readonly code?: { readonly enum?: string[] } };
}
interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Described>>;
}

let api: TestApi;
let document: Document;
beforeAll(async () => {
  api = await startApi();
  document = (await (await fetch(`${api.url}/openapi.json`)).json()) as Document;
});
afterAll(() => api.close());

const described = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, ...operation })),
  );

describe("the OpenAPI document", () => {
  test("is valid OpenAPI 3.1", async () => {
    const result = await new Validator().validate({ ...structuredClone(document) });
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(document.openapi).toBe("3.1.0");
  });

  test("lists every route under /v1 and nothing else", async () => {
    const registered: string[] = [];
    const log = createLogger({ service: "api", level: "silent" });
    const site = { origin: () => "http://localhost", socketsOrigin: () => "http://localhost", socketUrl: () => "" };
    const { app } = await createApp({ ids: createIds(), log, random: systemRandom }, readConfig(apiConfig, {}), site);
    const segments = new Set<string>();
    app.addHook("onRoute", ({ method, url }) => {
      const [first = ""] = url.split("/").slice(1);
      if (/^[a-z0-9-]+$/.test(first)) segments.add(first);
      if (url.startsWith("/v1") && method !== "HEAD")
        registered.push(`${String(method)} ${url.replace(/:(\w+)/g, "{$1}")}`);
    });
    const caller = { call: () => Promise.reject(new Error("not here")), emit: () => undefined };
    await addRoutes(app, { caller, site, cookie: sessionCookie(true), domain: "localhost" }, createHealth());
    await app.close();
    expect(registered.length).toBeGreaterThan(30);
    // A socket of that name would never be found by its address.
    for (const segment of segments) expect(reservedLabels, segment).toContain(segment);
    expect(new Set(described().map(({ name }) => name))).toEqual(new Set(registered));
  });

  test("agrees with the table of operations that the tests play", () => {
    const played = operations.map(({ method, route }) => `${method} ${route}`);
    expect(new Set([...played, "GET /v1/account"])).toEqual(new Set(described().map(({ name }) => name)));
    for (const { method, route, status, send } of operations) {
      const one = document.paths[route]?.[method.toLowerCase()];
      expect(Object.keys(one?.responses ?? {}).filter((code) => code.startsWith("2"))).toEqual([String(status)]);
      expect(one?.requestBody !== undefined, `${method} ${route}`).toBe(send !== undefined);
    }
  });

  test("documents errors of the table only, each under its status", () => {
    let seen = 0;
    for (const { name, responses } of described()) {
      for (const [status, response] of Object.entries(responses).filter(([code]) => !code.startsWith("2"))) {
        const codes = response.content?.["application/problem+json"]?.schema.properties?.code?.enum ?? [];
        expect(codes.length, `${name} ${status}`).toBeGreaterThan(0);
        for (const code of codes) {
          expect(Object.keys(serviceErrors), name).toContain(code);
          expect(String(serviceErrors[code as ServiceErrorCode].status), `${name} ${code}`).toBe(status);
          seen += 1;
        }
      }
    }
    expect(seen).toBeGreaterThan(100);
  });

  test("names 401 and 403 exactly where they can come, and who may call", () => {
    for (const { method, route, anonymous, sessionOnly } of operations) {
      const one = document.paths[route]?.[method.toLowerCase()];
      const schemes = (one?.security ?? []).flatMap((entry) => Object.keys(entry));
      expect(schemes, route).toEqual(anonymous ? [] : sessionOnly ? ["session"] : ["session", "token"]);
      for (const status of anonymous ? ["429", "500", "503"] : ["401", "403", "429", "500", "503"]) {
        expect(Object.keys(one?.responses ?? {}), `${method} ${route}`).toContain(status);
      }
    }
  });

  test("gives each operation a name of its own", () => {
    const names = described().map(({ operationId }) => operationId);
    expect(new Set(names).size).toBe(names.length);
    expect(names).not.toContain(undefined);
  });
});

describe("the docs page", () => {
  test("works offline and under its own policy: nothing from elsewhere, no inline script", async () => {
    const page = await fetch(`${api.url}/docs`, { redirect: "follow" });
    expect(page.status).toBe(200);
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toMatch(/https?:|upgrade-insecure-requests|validator/);
    const html = await page.text();
    const sources = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? "");
    expect(sources.length).toBeGreaterThan(4);
    for (const source of sources) {
      expect(source).toMatch(/^\.?\/docs\/static\//);
      const asset = await fetch(new URL(source, `${api.url}/`));
      expect(asset.status, source).toBe(200);
      await asset.body?.cancel();
    }
    expect([...html.matchAll(/<script(?![^>]*\bsrc=)/g)]).toEqual([]);
    const initializer = await (await fetch(`${api.url}/docs/static/swagger-initializer.js`)).text();
    expect(initializer).toContain('"validatorUrl":null');
  });

  test("is linked from the front page, which runs nothing", async () => {
    const front = await fetch(`${api.url}/`);
    expect(front.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(await front.text()).toContain('href="/docs"');
    expect(front.headers.get("content-security-policy")).toContain("default-src 'none'");
  });
});
