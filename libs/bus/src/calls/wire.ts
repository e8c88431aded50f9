import { decode, encode } from "@msgpack/msgpack";
import { type Issue, ServiceError, type ServiceErrorCode, serviceErrors } from "@portcullis/contracts";
import { z } from "zod";

/** The names of the headers; their values are visible to the bus and, apart from what the seal binds, could be changed by it. */
export const fromHeader = "portcullis-from";
export const idHeader = "portcullis-id";
export const errorHeader = "portcullis-error";

export const idPattern = /^[A-Za-z0-9_-]{1,64}$/;

const issuesMax = 32;
const limits = { maxArrayLength: 100_000, maxMapLength: 100_000, maxExtLength: 16 };

/** MessagePack; bytes stay bytes, absent and `undefined` are the same. */
export function encodeBody(value: unknown): Uint8Array {
  return encode(value, { ignoreUndefined: true });
}

/**
 * What is wrong, without what was given: an issue may reach a user or a log, and the value may be a secret. Names of unknown
 * fields are the sender's words too, so they are not repeated either.
 */
function describe(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `expected ${issue.expected}`;
    case "too_small":
      return `too small: at least ${issue.minimum}`;
    case "too_big":
      return `too big: at most ${issue.maximum}`;
    case "invalid_value":
      return `expected one of ${issue.values.map(String).join(", ")}`;
    case "invalid_format":
      return `not in the format ${issue.format}`;
    case "unrecognized_keys":
      return "has unknown fields";
    default:
      return "not valid";
  }
}

function issuesOf(error: z.ZodError): Issue[] {
  return error.issues.slice(0, issuesMax).map((issue) => ({ path: issue.path.join("."), message: describe(issue) }));
}

/** @throws {ServiceError} `invalid`, with the place and the rule, never with the value */
export function parseBody<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  // No `cause`: a ZodError may hold what was given.
  if (!result.success) throw new ServiceError("invalid", { issues: issuesOf(result.error) });
  return result.data;
}

/** @throws {ServiceError} `invalid` */
export function decodeBody<T>(schema: z.ZodType<T>, bytes: Uint8Array): T {
  let value: unknown;
  try {
    value = decode(bytes, limits);
  } catch {
    throw new ServiceError("invalid", { issues: [{ path: "", message: "not MessagePack" }] });
  }
  return parseBody(schema, value);
}

const failure = z.strictObject({
  code: z.enum(Object.keys(serviceErrors) as [ServiceErrorCode, ...ServiceErrorCode[]]),
  issues: z.array(z.strictObject({ path: z.string(), message: z.string() })).max(issuesMax),
  retryAfterS: z.number().int().positive().nullable(),
});

export function encodeFailure(error: ServiceError): Uint8Array {
  const { code, issues, retryAfterS } = error;
  return encodeBody({ code, issues: issues.slice(0, issuesMax), retryAfterS });
}

/** @throws {ServiceError} `invalid`: it is no failure */
export function decodeFailure(bytes: Uint8Array): ServiceError {
  const { code, issues, retryAfterS } = decodeBody(failure, bytes);
  return new ServiceError(code, { issues, retryAfterS });
}
