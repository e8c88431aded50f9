import type { FastifyRequest } from "fastify";

const charactersMax = 256;

/** What a browser says that it is: shown to the owner beside the session, believed by nobody. */
export function userAgentOf({ headers }: Pick<FastifyRequest, "headers">): string {
  return (headers["user-agent"] ?? "").slice(0, charactersMax);
}
