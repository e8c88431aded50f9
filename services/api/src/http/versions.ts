import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { version } from "./fields.ts";
import { invalid } from "./issues.ts";

/** RFC 9110 section 8.8.3; weak ones compare what looks alike, not what is the same. */
const etagShape = /^"([1-9][0-9]{0,15})"$/;

/** To spread into the body of a PATCH. */
export const versionField = { version: version.optional().describe("the version that was read; or in `If-Match`") };

export const ifMatch = z.object({
  "if-match": z.string().regex(etagShape, { error: 'must be the ETag that was read, like "3"' }).optional(),
});

export function tagVersion(reply: FastifyReply, current: number): void {
  reply.header("etag", `"${current}"`);
}

/**
 * What the caller read before they changed it, so that two people who edit at once do not undo each other.
 * @throws {ServiceError} `invalid` where neither place names a version, or both do and differ.
 */
export function versionOf(headers: FastifyRequest["headers"], body: { readonly version?: number | undefined }): number {
  const tag = etagShape.exec(headers["if-match"] ?? "")?.[1];
  const tagged = tag === undefined ? undefined : Number(tag);
  const read = tagged ?? body.version;
  if (read === undefined)
    throw invalid({ path: "version", message: "is required: the version that was read, here or in If-Match" });
  if (body.version !== undefined && body.version !== read) {
    throw invalid({ path: "version", message: "must be the same as in If-Match" });
  }
  return read;
}
