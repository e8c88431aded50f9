import { type Issue, ServiceError, type ServiceErrorCode, serviceErrors } from "@portcullis/contracts";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { bodyBytesMax } from "./limits.ts";

export const problemType = "application/problem+json";

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ServiceErrorCode;
  readonly issues?: readonly Issue[];
}

/** RFC 9457. Nothing in it but the public text of the table and what `issues` says about the request's fields. */
export function problemOf(error: ServiceError): Problem {
  const { status, text } = serviceErrors[error.code];
  const problem = { type: `urn:portcullis:error:${error.code}`, title: text, status, code: error.code };
  return error.issues.length === 0 ? problem : { ...problem, issues: error.issues };
}

/** A string, so that the route's own response schemas do not apply. */
export function sendProblem(reply: FastifyReply, error: ServiceError): FastifyReply {
  const problem = problemOf(error);
  // RFC 9110 section 15.5.2: a 401 names a scheme.
  if (problem.status === 401) reply.header("www-authenticate", 'Bearer realm="portcullis"');
  // RFC 9110 section 10.2.3. The limit on requests as such says it by itself.
  if (error.retryAfterS !== null) reply.header("retry-after", String(error.retryAfterS));
  return reply.code(problem.status).type(problemType).send(JSON.stringify(problem));
}

const wrongMedia: Issue = { path: "content-type", message: "must be application/json" };
const fastifyIssues: Readonly<Record<string, Issue>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { path: "body", message: `must have at most ${bodyBytesMax} bytes` },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: wrongMedia,
  FST_ERR_CTP_INVALID_JSON_BODY: { path: "body", message: "must be JSON" },
  FST_ERR_BAD_URL: { path: "url", message: "must be percent-encoded UTF-8" },
};

/** Whatever was thrown, as something that may be said. Texts of foreign errors quote urls and bodies: they stay here. */
export function publicError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  if (!(error instanceof Error)) return new ServiceError("internal", { cause: error });
  const { code, statusCode } = error as { readonly code?: unknown; readonly statusCode?: unknown };
  const issue = typeof code === "string" ? fastifyIssues[code] : undefined;
  if (issue !== undefined) return new ServiceError("invalid", { issues: [issue], cause: error });
  // What serves the files of the docs page says 403 for a path that leaves its folder.
  if (statusCode === 403 || statusCode === 404) return new ServiceError("not_found", { cause: error });
  const clientSide = typeof statusCode === "number" && statusCode >= 400 && statusCode < 500;
  return new ServiceError(clientSide ? "invalid" : "internal", { cause: error });
}

/** For the OpenAPI document: one response per status, naming the codes that come with it. */
export function problemResponses(codes: readonly ServiceErrorCode[]): Record<number, object> {
  const byStatus = Map.groupBy(new Set(codes), (code) => serviceErrors[code].status);
  const responses: Record<number, object> = {};
  for (const [status, [first, ...more]] of byStatus) {
    if (first === undefined) continue;
    const texts = [first, ...more].map((code) => `\`${code}\`: ${serviceErrors[code].text}`);
    const schema = z.object({
      type: z.string(),
      title: z.string(),
      status: z.literal(status),
      code: z.enum([first, ...more]),
      issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    });
    responses[status] = { description: texts.join("  \n"), content: { [problemType]: { schema } } };
  }
  return responses;
}
