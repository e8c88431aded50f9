import { simulatePolicy, validatePolicyDocument } from "@portcullis/contracts";
import { z } from "zod";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { id } from "../http/fields.ts";
import type { RouteContext } from "../routes.ts";
import { policy, written } from "./views.ts";

const tags = ["policies"];
const script = z
  .array(written)
  .max(200)
  .describe(
    'what the client does, like `[{"answer": "otp", "right": false}, {"pass": "10s"}, {"wait": "sms", "then": "confirmed"}, {"offer": [{"gate": "otp"}]}, {"leave": true}]`; absent: it takes the first way and is always right',
  );
const facts = written.describe(
  "who comes, and from where: `key`, `member` (`name`, `enrolled`), `socketEnrolled`, `address`, `risk`, `at`; what is absent is there for whoever needs it, and unknown to a `when`",
);

export function policyRoutes(app: App, { caller }: RouteContext): void {
  app.post(
    "/v1/policies/validate",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "validatePolicy",
        summary: "What is wrong with a policy, and what is weaker in it than it may look",
        description:
          "A policy that is not valid is an answer like any other: `ok` is false. With `socketId` also what that socket has not: webhooks that the policy speaks to, an authenticator of its own. `not_found`: there is no such socket.",
        tags,
        body: z.strictObject({ policy, socketId: id.optional() }),
        response: { 200: validatePolicyDocument.reply },
      },
    },
    (request) => {
      const { policy: document, socketId = null } = request.body;
      const { ownerId } = ownerOf(request);
      return caller.call(validatePolicyDocument, { ownerId, socketId, policy: document });
    },
  );

  app.post(
    "/v1/policies/simulate",
    {
      config: { access: "owner" },
      schema: {
        operationId: "simulatePolicy",
        summary: "Play a policy against a scripted client, and tell who gets in with what",
        description:
          "By the machine that decides real handshakes; nobody is sent anything. The true causes in it are for the owner: a client never hears them.",
        tags,
        body: z.strictObject({ policy, script: script.optional(), facts: facts.optional() }),
        response: { 200: simulatePolicy.reply },
      },
    },
    (request) => {
      const { policy: document, script: steps = null, facts: known = {} } = request.body;
      const { ownerId } = ownerOf(request);
      return caller.call(simulatePolicy, { ownerId, policy: document, script: steps, facts: known });
    },
  );
}
