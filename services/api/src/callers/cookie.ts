import type { CookieSerializeOptions } from "@fastify/cookie";
import type { FastifyReply } from "fastify";

export interface SessionCookie {
  readonly name: string;
  set(reply: FastifyReply, secret: string, expiresAtMs: number): void;
  clear(reply: FastifyReply): void;
}

/**
 * `__Host-` (RFC 6265bis section 4.1.3.2) keeps subdomains, which sockets have, from planting a session of their own. Browsers
 * take it over https and on localhost only.
 * @param secure false: a cookie that plain http carries, under another name.
 */
export function sessionCookie(secure: boolean): SessionCookie {
  const name = secure ? "__Host-portcullis" : "portcullis";
  const attributes: CookieSerializeOptions = { path: "/", httpOnly: true, sameSite: "strict", secure };
  return {
    name,
    set(reply, secret, expiresAtMs) {
      reply.setCookie(name, secret, { ...attributes, expires: new Date(expiresAtMs) });
    },
    clear(reply) {
      reply.clearCookie(name, attributes);
    },
  };
}
