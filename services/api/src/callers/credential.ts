import { ServiceError } from "@portcullis/contracts";
import type { FastifyRequest } from "fastify";

export interface Credential {
  readonly kind: "session" | "token";
  readonly secret: string;
}

const tokenShape = /^Bearer (pct_[A-Za-z0-9_-]{16,124})$/i;
const sessionShape = /^[A-Za-z0-9_-]{16,128}$/;

/**
 * A header beats the cookie: whoever writes `Authorization` means it, and a browser adds none by itself for us.
 * @returns null where there is neither.
 * @throws {ServiceError} `unauthenticated` for a header or cookie of another shape, without asking anybody.
 */
export function credentialOf(request: FastifyRequest, cookieName: string): Credential | null {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const secret = tokenShape.exec(authorization)?.[1];
    if (secret === undefined) throw new ServiceError("unauthenticated");
    return { kind: "token", secret };
  }
  const cookie = request.cookies[cookieName];
  if (cookie === undefined) return null;
  if (!sessionShape.test(cookie)) throw new ServiceError("unauthenticated");
  return { kind: "session", secret: cookie };
}
