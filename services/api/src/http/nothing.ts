import type { FastifyReply } from "fastify";
import { z } from "zod";

/** Response schema of routes that answer without a body. */
export const nothing = (description: string) => z.null().describe(description);

/** Done; there is nothing to say. */
export function done(reply: FastifyReply, status: 202 | 204 = 204): FastifyReply {
  return reply.code(status).send();
}
