import { createWebhook, listWebhooks, removeWebhook, rotateWebhook, type WebhookView } from "@portcullis/contracts";
import { z } from "zod";
import type { App } from "../http/app.ts";
import { caption, id, time, timeOf, timeOrNull } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import type { RouteContext } from "../routes.ts";
import { ownedSocket } from "./owned-socket.ts";

const url = "/v1/sockets/:id/webhooks";
const tags = ["sockets"];
const params = z.strictObject({ id });
const one = z.strictObject({ id, webhookId: id });

const webhook = z.object({
  id,
  url: z.string(),
  purpose: z.string().nullable(),
  createdAt: time,
  previousUntil: time
    .nullable()
    .describe("until then the secret before is signed with as well, and good for callbacks"),
});
const withSecret = z.object({ webhook, secret: z.string().describe("`whsec_…` (Standard Webhooks), shown this once") });

const newWebhook = z.strictObject({
  url: z.string().min(1).max(2_048).describe("https, on the public internet unless the operator allows others"),
  purpose: caption.nullish().describe("in your own words"),
});

/** Programs of the owner's that a policy's gates speak to: `external`, and `question` of kind `custom`. */
export function webhookRoutes(app: App, { caller }: RouteContext): void {
  app.post(
    url,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "createWebhook",
        summary: "Name a program that a gate may speak to",
        description: "At most 10. What it is sent is signed by Standard Webhooks, and so are its callbacks.",
        tags,
        params,
        body: newWebhook,
        response: { 201: withSecret },
      },
    },
    async (request, reply) => {
      const { url, purpose = null } = request.body;
      const made = await caller.call(createWebhook, { ...ownedSocket(request), url, purpose });
      return reply.code(201).send(viewWithSecret(made));
    },
  );

  app.get(
    url,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "listWebhooks",
        summary: "Webhooks",
        tags,
        params,
        response: { 200: z.object({ webhooks: z.array(webhook) }) },
      },
    },
    async (request) => {
      const { webhooks } = await caller.call(listWebhooks, ownedSocket(request));
      return { webhooks: webhooks.map(viewOf) };
    },
  );

  app.post(
    `${url}/:webhookId/secret`,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "rotateWebhook",
        summary: "Make another secret",
        description:
          "For 24 hours messages are signed with the one before as well, and either is good for callbacks. Made twice within that time, the first one ends at once.",
        tags,
        params: one,
        response: { 201: withSecret },
      },
    },
    async (request, reply) => {
      const { webhookId } = request.params;
      return reply
        .code(201)
        .send(viewWithSecret(await caller.call(rotateWebhook, { ...ownedSocket(request), webhookId })));
    },
  );

  app.delete(
    `${url}/:webhookId`,
    {
      config: { access: "owner", errors: ["not_found", "conflict"] },
      schema: {
        operationId: "removeWebhook",
        summary: "Remove a webhook",
        description: "`conflict`: the socket's policy speaks to it, or its alerts go there.",
        tags,
        params: one,
        response: { 204: nothing("Removed") },
      },
    },
    async (request, reply) => {
      const { webhookId } = request.params;
      await caller.call(removeWebhook, { ...ownedSocket(request), webhookId });
      return done(reply);
    },
  );
}

function viewOf({ createdAtMs, previousUntilMs, ...same }: WebhookView): z.infer<typeof webhook> {
  return { ...same, createdAt: timeOf(createdAtMs), previousUntil: timeOrNull(previousUntilMs) };
}

function viewWithSecret(made: { readonly webhook: WebhookView; readonly secret: string }) {
  return { webhook: viewOf(made.webhook), secret: made.secret };
}
