import { createHmac } from "node:crypto";
import { context, type Link, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { extractTrace, type Logger, type Random, tracerFor } from "@portcullis/runtime";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { probeRoutes } from "./limits.ts";

/** W3C Trace Context, version 00. */
const traceparentShape = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * One span and one log line per request, both named by route: a url holds ids, and on a socket's host its secret path.
 * Anybody can send a `traceparent`: as a parent it would decide what is recorded here, and let a stranger write into traces of
 * others. It becomes a link of a trace of our own; `tracestate` and baggage, which are free text, are not taken.
 */
export function traceRequests(
  app: FastifyInstance,
  { log, random }: { readonly log: Logger; readonly random: Random },
): void {
  // Lives as long as the process: tells requests of one address apart from others, and nothing to who has the logs alone.
  const addressKey = random(32);
  const addressTag = (address: string) => createHmac("sha256", addressKey).update(address).digest("hex").slice(0, 8);

  app.addHook("onRequest", (request, reply, done) => {
    const { method } = request;
    const route = request.routeOptions.url;
    const tracer = tracerFor("api");
    const attributes = { "http.request.method": method, ...(route === undefined ? {} : { "http.route": route }) };
    const span = tracer.startSpan(
      route === undefined ? method : `${method} ${route}`,
      { kind: SpanKind.SERVER, attributes, links: linksOf(request) },
      ROOT_CONTEXT,
    );
    const inSpan = trace.setSpan(ROOT_CONTEXT, span);
    const startedMs = performance.now();

    // Not `onResponse`, which does not come when the caller hangs up.
    reply.raw.once("close", () => {
      const status = reply.raw.statusCode;
      const fields = {
        method,
        route: route ?? null,
        status,
        durationMs: Math.round(performance.now() - startedMs),
        address: addressTag(request.ip),
        requestId: request.id,
        aborted: !reply.raw.writableFinished,
      };
      context.with(inSpan, () =>
        route !== undefined && probeRoutes.has(route) ? log.debug("request", fields) : log.info("request", fields),
      );
      finish(span, status);
    });
    // Fastify itself carries the context across the arrival of the body.
    context.with(inSpan, done);
  });
}

function linksOf(request: FastifyRequest): Link[] {
  const { traceparent } = request.headers;
  if (typeof traceparent !== "string" || !traceparentShape.test(traceparent)) return [];
  const caller = trace.getSpanContext(extractTrace({ traceparent }));
  return caller === undefined ? [] : [{ context: caller }];
}

function finish(span: Span, status: number): void {
  span.setAttribute("http.response.status_code", status);
  if (status >= 500) {
    span.setAttribute("error.type", String(status));
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}
