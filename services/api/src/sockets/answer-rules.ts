import { removeAnswerRule, setMemberAnswerRule } from "@portcullis/contracts";
import { z } from "zod";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { id, memberName } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import type { RouteContext } from "../routes.ts";

const url = "/v1/sockets/:id/members/:name/answer-rule";
const tags = ["sockets"];
const params = z.strictObject({ id, name: memberName });

export function answerRuleRoutes(app: App, { caller }: RouteContext): void {
  app.put(
    url,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "setAnswerRule",
        summary: "Set a member's answer rule; replaces the one before",
        description:
          "By it the member answers `question` of the kind `rule`, by eye. Without `rule` one is made. Live sessions that came in with the one before end.",
        tags,
        params,
        body: z.strictObject({
          rule: z
            .string()
            .min(1)
            .max(128)
            .optional()
            .describe("4 to 8 steps with spaces between: `3`, `-1`, `2+3`, `s*`, `=tea`")
            .meta({ example: "3 -1 2+4 =tea" }),
        }),
        response: { 200: z.object({ rule: z.string().describe("as it is kept, shown once") }) },
      },
    },
    async (request) => {
      const { id: socketId, name } = request.params;
      const { rule = null } = request.body;
      return caller.call(setMemberAnswerRule, { ownerId: ownerOf(request).ownerId, socketId, name, rule });
    },
  );

  app.delete(
    url,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "removeAnswerRule",
        summary: "Remove a member's answer rule",
        description: "Live sessions that came in with it end.",
        tags,
        params,
        response: { 204: nothing("Removed") },
      },
    },
    async (request, reply) => {
      const { id: socketId, name } = request.params;
      await caller.call(removeAnswerRule, { ownerId: ownerOf(request).ownerId, socketId, name });
      return done(reply);
    },
  );
}
