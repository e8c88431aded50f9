import type { IncomingMessage, ServerResponse } from "node:http";
import fastifyCookie from "@fastify/cookie";
import fastifyHelmet from "@fastify/helmet";
import fastifyRateLimit from "@fastify/rate-limit";
import { ServiceError } from "@portcullis/contracts";
import type { Platform } from "@portcullis/platform";
import { type FastifyBaseLogger, type FastifyInstance, fastify, type RawServerDefault } from "fastify";
import { serializerCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import type { z } from "zod";
import type { ApiConfig } from "../config.ts";
import type { Site } from "../site.ts";
import { doorRoute, isSocketAddress, isSocketsHost } from "../tickets/place.ts";
import { invalid, parseRequest } from "./issues.ts";
import { bodyBytesMax, parameterCharactersMax, rateLimits } from "./limits.ts";
import { publicError, sendProblem } from "./problem.ts";
import { traceRequests } from "./tracing.ts";

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/**
 * Fastify with what holds for every request; no routes yet.
 * @returns wrapped: Fastify's instance is a thenable, and awaiting it would end the time in which routes can be added.
 */
export async function createApp(
  platform: Pick<Platform, "ids" | "log" | "random">,
  config: ApiConfig,
  site: Site,
): Promise<{ readonly app: App }> {
  const app = fastify({
    logger: false,
    bodyLimit: bodyBytesMax,
    routerOptions: { maxParamLength: parameterCharactersMax },
    trustProxy: config.trustedProxies === null ? false : [...config.trustedProxies],
    rewriteUrl: (request) =>
      isSocketAddress(request, config.domain) || isSocketsHost(request, config.domain, site)
        ? doorRoute
        : (request.url ?? "/"),
    // Never the caller's: it names lines in our log.
    requestIdHeader: false,
    genReqId: () => platform.ids.id(),
    requestTimeout: config.requestTimeoutMs,
    keepAliveTimeout: config.keepAliveTimeoutMs,
    // Also for whoever asks and never reads.
    connectionTimeout: 2 * config.requestTimeoutMs,
    http: {
      headersTimeout: Math.min(config.headersTimeoutMs, config.requestTimeoutMs),
      maxHeaderSize: 16_384,
      // Node looks for what is overdue every 30 s unless told, so that slow headers would have 40 s.
      connectionsCheckingInterval: Math.min(2_000, config.headersTimeoutMs),
    },
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, publicError(error)),
    clientErrorHandler: (_error, socket) => {
      if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
      else socket.destroy();
    },
  }).withTypeProvider<ZodTypeProvider>();

  app.setValidatorCompiler<z.ZodType>(({ schema }) => (value) => ({
    // Fastify says null where there is no body.
    value: parseRequest(schema, value ?? undefined),
  }));
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => {
    const shown = publicError(error);
    if (shown.code === "internal") {
      platform.log.error(
        "a request failed",
        { method: request.method, route: request.routeOptions.url ?? null },
        shown.cause ?? shown,
      );
    }
    return sendProblem(reply, shown);
  });

  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    // Not by route: what is not there must not be remembered either.
    if (request.url.startsWith("/v1")) reply.header("cache-control", "no-store");
  });
  traceRequests(app, platform);

  app.removeAllContentTypeParsers();
  const json = app.getDefaultJsonParser("error", "error");
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body === "") return done(null, undefined);
    return json(request, String(body), (error, value) =>
      error === null ? done(null, value) : done(invalid({ path: "body", message: "must be JSON" })),
    );
  });

  await app.register(fastifyCookie);
  await app.register(fastifyHelmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"], frameAncestors: ["'none'"] },
    },
    referrerPolicy: { policy: "no-referrer" },
    xFrameOptions: { action: "deny" },
    // Only who is reached over https may promise to be.
    strictTransportSecurity: config.publicUrl?.startsWith("https:") === true && {
      maxAge: 31_536_000,
      includeSubDomains: false,
    },
  });
  await app.register(fastifyRateLimit, rateLimits(config.rateLimitPerMinute));
  // One hook for all, what is not there included: looking for it costs as much.
  app.addHook("onRequest", app.rateLimit());
  app.addHook("preParsing", async (request) => {
    if (request.is404) throw new ServiceError("not_found");
  });
  return { app };
}
