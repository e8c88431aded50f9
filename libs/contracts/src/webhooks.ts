/**
 * Addresses of an owner's own programs (Standard Webhooks): they judge a gate (`external`) or ask a question (`question` of kind
 * `custom`). `factors` has address and secret, signs what goes out and verifies what comes back; nobody else ever has a secret again
 * after it was shown.
 */
import { z } from "zod";
import { request } from "./contract.ts";
import { address, bytes, empty, epochMs, id, text } from "./fields.ts";

/** One socket's at once. */
export const webhooksPerSocketMax = 10;

export const webhookView = z.strictObject({
  id,
  url: text(2048),
  /** What it is there for, in the owner's words. */
  purpose: text(64).nullable(),
  createdAtMs: epochMs,
  /** Until then messages are signed with the secret before the current one as well; null: there is none. */
  previousUntilMs: epochMs.nullable(),
});
export type WebhookView = z.infer<typeof webhookView>;

/** `secret`: `whsec_…`, shown once. */
const withSecret = z.strictObject({ webhook: webhookView, secret: text(128) });
const list = z.strictObject({ webhooks: z.array(webhookView).max(webhooksPerSocketMax) });

const toIdentity = { server: "identity", callers: ["api"] } as const;
const mine = { ownerId: id, socketId: id };

export const createWebhook = request({
  ...toIdentity,
  name: "identity.sockets.webhooks.create",
  request: z.strictObject({ ...mine, url: text(2048), purpose: text(64).nullable() }),
  reply: withSecret,
  idempotency: "none: each call makes one",
});
export const listWebhooks = request({
  ...toIdentity,
  name: "identity.sockets.webhooks.list",
  request: z.strictObject(mine),
  reply: list,
  idempotency: "reads only",
  replay: "harmless",
});
export const rotateWebhook = request({
  ...toIdentity,
  name: "identity.sockets.webhooks.rotate",
  request: z.strictObject({ ...mine, webhookId: id }),
  reply: withSecret,
  idempotency: "none: each call makes another secret; the one before stays good for a day, the one before that ends",
});
export const removeWebhook = request({
  ...toIdentity,
  name: "identity.sockets.webhooks.remove",
  request: z.strictObject({ ...mine, webhookId: id }),
  reply: empty,
  idempotency: "removing twice is not_found; conflict while the socket's policy or its alerts name it",
});

const toFactors = { server: "factors", callers: ["identity"] } as const;
const one = { socketId: id, webhookId: id };

export const mintWebhook = request({
  ...toFactors,
  name: "factors.webhooks.mint",
  request: z.strictObject({ socketId: id, url: text(2048), purpose: text(64).nullable() }),
  reply: withSecret,
  idempotency: "none: each call makes one",
});
export const readWebhooks = request({
  ...toFactors,
  name: "factors.webhooks.read",
  request: z.strictObject({ socketId: id }),
  reply: list,
  idempotency: "reads only",
  replay: "harmless",
});
export const renewWebhook = request({
  ...toFactors,
  name: "factors.webhooks.renew",
  request: z.strictObject(one),
  reply: withSecret,
  idempotency: "none: each call makes another secret",
});
export const forgetWebhook = request({
  ...toFactors,
  name: "factors.webhooks.forget",
  request: z.strictObject(one),
  reply: z.strictObject({ existed: z.boolean() }),
  idempotency: "forgetting twice is forgetting",
});

/** What `notify` posts. `headers`: signed a moment ago. */
export const outgoingWebhook = z.strictObject({
  socketId: id,
  url: text(2048),
  headers: z.record(text(32), text(512)),
  body: text(4096),
});
export type OutgoingWebhook = z.infer<typeof outgoingWebhook>;

/** What `notify` is to post for a wait. Signed here, when it is sent: a signature is good for five minutes. */
export const composeWebhook = request({
  name: "factors.webhooks.compose",
  server: "factors",
  callers: ["notify"],
  request: z.strictObject({ waitId: id, sending: id }),
  /** null: there is nothing to send any more. */
  reply: z.strictObject({ message: outgoingWebhook.nullable() }),
  idempotency: "reads only; the same sending has the same webhook-id",
  replay: "harmless",
});

/** What somebody posted as the decision on a wait: raw, because it is signed as bytes. */
export const decideCallback = request({
  name: "factors.webhooks.decide",
  server: "factors",
  callers: ["api"],
  request: z.strictObject({
    waitId: id,
    webhookId: text(128),
    timestamp: text(16),
    signature: text(1024),
    body: bytes(4096),
    address,
  }),
  /**
   * `refused`: unknown, over for long, not signed by whom it is for, or stale: nobody learns which. `invalid` and `late` (over, or
   * decided otherwise) are said to who has signed.
   */
  reply: z.strictObject({ result: z.enum(["taken", "late", "invalid", "refused"]) }),
  idempotency: "by webhookId: the same decision again is taken again, another one under the same id is refused",
  replay: "harmless",
});
