import { readFileSync } from "node:fs";
import fastifySwagger from "@fastify/swagger";
import fastifySwaggerUi from "@fastify/swagger-ui";
import type { ServiceErrorCode } from "@portcullis/contracts";
import type { FastifyInstance, FastifySchema, RouteOptions } from "fastify";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Access } from "../callers/guard.ts";
import { problemResponses } from "./problem.ts";

const asset = (name: string) => readFileSync(new URL(`../../assets/${name}`, import.meta.url));

const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")));
export const apiVersion = version;

/** Everything from this origin, nothing from elsewhere; styles are set by scripts inside the page. */
const pageDirectives = {
  "default-src": "'none'",
  "script-src": "'self'",
  "style-src": "'self' 'unsafe-inline'",
  "img-src": "'self' data:",
  "connect-src": "'self'",
  "base-uri": "'none'",
  "form-action": "'none'",
  "frame-ancestors": "'none'",
};

const anyRoute: readonly ServiceErrorCode[] = ["too_many", "internal"];
const byAccess: Readonly<Record<Access, readonly ServiceErrorCode[]>> = {
  anybody: ["forbidden", "busy", "unavailable"],
  owner: ["unauthenticated", "forbidden", "busy", "unavailable"],
  session: ["unauthenticated", "forbidden", "busy", "unavailable"],
};
const security: Readonly<Record<Access, readonly Record<string, string[]>[]>> = {
  anybody: [],
  owner: [{ session: [] }, { token: [] }],
  session: [{ session: [] }],
};

/** Register before any route. The errors of each route are added here, from its `config`, so that none can be forgotten. */
export async function documentRoutes(app: FastifyInstance, cookieName: string): Promise<void> {
  app.addHook("onRoute", addProblems);
  await app.register(fastifySwagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Portcullis owner API",
        version,
        description:
          "Sign in with `POST /v1/sign-in`, or send an API token as `Authorization: Bearer pct_...`. Unsafe requests with the " +
          "cookie must come from this origin (`Sec-Fetch-Site` or `Origin`). Times are RFC 3339, in UTC. Secrets are shown once. " +
          "Errors are RFC 9457 problems; `code` is for programs.",
      },
      servers: [{ url: "/" }],
      tags: [
        { name: "account", description: "Signing in, and what keeps the account safe" },
        { name: "sockets", description: "Sockets with their keys, members, authenticators and live sessions" },
        { name: "policies", description: "Policies that are nobody's yet: validated, played, explored" },
        { name: "server" },
      ],
      components: {
        securitySchemes: {
          session: { type: "apiKey", in: "cookie", name: cookieName },
          token: {
            type: "http",
            scheme: "bearer",
            description: "`pct_...`; not for routes that could take the account over",
          },
        },
      },
    },
    transform: jsonSchemaTransform,
  });
  await app.register(fastifySwaggerUi, {
    routePrefix: "/docs",
    staticCSP: pageDirectives,
    // The default sends the document to a validator on the internet.
    uiConfig: { validatorUrl: null, docExpansion: "list", deepLinking: true },
    logo: { type: "image/svg+xml", content: asset("logo.svg"), href: "/" },
    theme: {
      title: "Portcullis owner API",
      // As it comes, inline code covers the lines above and below.
      css: [
        {
          filename: "portcullis.css",
          content: "body .swagger-ui :is(.markdown, .renderedMarkdown) code { padding: 1px 4px }",
        },
      ],
      favicon: [{ filename: "gate.svg", rel: "icon", type: "image/svg+xml", sizes: "any", content: asset("gate.svg") }],
    },
  });
  app.get("/openapi.json", { schema: { hide: true } }, (_request, reply) =>
    reply.type("application/json").send(JSON.stringify(app.swagger())),
  );
}

function addProblems(route: RouteOptions): void {
  const access = route.config?.access;
  const isOurs = route.url.startsWith("/v1");
  if (isOurs && access === undefined)
    throw new TypeError(`${String(route.method)} ${route.url} does not say who may use it`);
  if (access === undefined) return;
  const schema: FastifySchema = route.schema ?? {};
  const takesInput = schema.body !== undefined || schema.params !== undefined || schema.headers !== undefined;
  const codes: ServiceErrorCode[] = [
    ...(takesInput || route.method !== "GET" ? (["invalid"] as const) : []),
    ...byAccess[access],
    ...(route.config?.errors ?? []),
    ...anyRoute,
  ];
  route.schema = {
    ...schema,
    security: security[access],
    response: { ...(schema.response as object | undefined), ...problemResponses(codes) },
  };
}
