import type { Issue } from "@portcullis/contracts";
import { ServiceError } from "@portcullis/contracts";
import { z } from "zod";

const issuesMax = 32;
const pathCharactersMax = 128;

/** What is allowed, in place of what was sent: values may be passwords that went into the wrong field. */
const allowed: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined ? `is required (${typeName(issue)})` : `must be ${typeName(issue)}`;
    case "invalid_value":
      return `must be ${issue.values.map(String).join(" or ")}`;
    case "too_small":
      return `must have at least ${bound(issue.origin, issue.minimum)}`;
    case "too_big":
      return `must have at most ${bound(issue.origin, issue.maximum)}`;
    default:
      return "is not valid";
  }
};

/** Zod's own word for an object of any fields is of no use to who writes JSON. */
function typeName({ expected }: z.core.$ZodRawIssue<z.core.$ZodIssueInvalidType>): string {
  return expected === "record" ? "object" : expected;
}

function bound(origin: string, limit: number | bigint): string {
  if (origin === "string") return `${limit} characters`;
  return origin === "array" ? `${limit} items` : `the value ${limit}`;
}

/** @throws {ServiceError} `invalid`, with each field that is wrong and what it may hold. */
export function parseRequest<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value, { error: allowed, reportInput: false });
  if (parsed.success) return parsed.data;
  throw invalid(...parsed.error.issues.flatMap((issue) => issuesOf(issue, schema)));
}

export function invalid(...issues: readonly Issue[]): ServiceError {
  return new ServiceError("invalid", { issues: issues.slice(0, issuesMax) });
}

function issuesOf(issue: z.core.$ZodIssue, schema: z.ZodType): Issue[] {
  if (issue.code !== "unrecognized_keys") return [{ path: pathOf(issue.path), message: issue.message }];
  const known = keysAt(schema, issue.path);
  const message = known === null ? "is not known here" : `is not known here; allowed: ${known.join(", ")}`;
  return issue.keys.map((key) => ({ path: pathOf([...issue.path, key]), message }));
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.length === 0 ? "body" : path.map(String).join(".").slice(0, pathCharactersMax);
}

/** Names of the fields of the object at that place; null where there is none to be found. */
function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] | null {
  let current = bare(schema);
  for (const step of path) {
    const next = current instanceof z.ZodObject ? current.shape[String(step)] : undefined;
    if (next === undefined) return null;
    current = bare(next);
  }
  return current instanceof z.ZodObject ? Object.keys(current.shape) : null;
}

function bare(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault)
    return bare(schema.unwrap());
  return schema;
}
