import { createAnswerSecret, removeAnswerSecret } from "@portcullis/contracts";
import { z } from "zod";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { id, memberName } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import type { RouteContext } from "../routes.ts";

const url = "/v1/sockets/:id/members/:name/answer-secret";
const tags = ["sockets"];
const params = z.strictObject({ id, name: memberName });

export function answerSecretRoutes(app: App, { caller }: RouteContext): void {
  app.post(
    url,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "createAnswerSecret",
        summary: "Make a member's answer secret; replaces the one before",
        description:
          "By it the member's client answers `question`. Live sessions that came in with the one before end.",
        tags,
        params,
        response: { 201: z.object({ secret: z.string().describe("`pa1.…`, shown once") }) },
      },
    },
    async (request, reply) => {
      const { id: socketId, name } = request.params;
      const made = await caller.call(createAnswerSecret, { ownerId: ownerOf(request).ownerId, socketId, name });
      return reply.code(201).send(made);
    },
  );

  app.delete(
    url,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "removeAnswerSecret",
        summary: "Remove a member's answer secret",
        description: "Live sessions that came in with it end.",
        tags,
        params,
        response: { 204: nothing("Removed") },
      },
    },
    async (request, reply) => {
      const { id: socketId, name } = request.params;
      await caller.call(removeAnswerSecret, { ownerId: ownerOf(request).ownerId, socketId, name });
      return done(reply);
    },
  );
}
