import { webhooksPerSocketMax } from "@portcullis/contracts";
import type { CollectionDefinition } from "@portcullis/documents";
import { sealedStore } from "@portcullis/key-ring";
import { z } from "zod";
import { secretsMax } from "./signature.ts";

const id = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
const sealed = z.string().regex(/^[A-Za-z0-9_-]{1,4096}$/);
const epochMs = z.number().int().nonnegative();

/** Address and secrets are wrapped by the vault, base64url, and bound to their place: an address often holds a secret itself. */
const webhook = z.strictObject({
  id,
  url: sealed,
  purpose: z.string().max(64).nullable(),
  createdAtMs: epochMs,
  /** The current one first. `untilMs`: of the one before, when it ends; null for the current one. */
  secrets: z
    .array(z.strictObject({ id, secret: sealed, untilMs: epochMs.nullable() }))
    .min(1)
    .max(secretsMax),
});
export type StoredWebhook = z.infer<typeof webhook>;

/** All of one socket's, in one document: their number is bounded by the write itself, however many make some at once. */
const socketWebhooks = z.strictObject({ webhooks: z.array(webhook).max(webhooksPerSocketMax) });
export type SocketWebhooks = z.infer<typeof socketWebhooks>;

/** The id is the socket's. */
export const webhooksCollection: CollectionDefinition<SocketWebhooks> = {
  name: "factors_webhooks",
  schema: socketWebhooks,
  indexes: [],
};

/**
 * Binds what is sealed to its place: who can write to the database cannot have messages of one socket sent to another's address.
 *
 * @param what `url`, or the id of a secret
 */
export const webhookPlace = (socketId: string, id: string, what: string) => `webhooks/${socketId}/${id}/${what}`;

export const sealedWebhooks = sealedStore(webhooksCollection, ({ id: socketId, body }, again) => ({
  webhooks: body.webhooks.map((webhook) => ({
    ...webhook,
    url: again(webhook.url, webhookPlace(socketId, webhook.id, "url")),
    secrets: webhook.secrets.map((each) => ({
      ...each,
      secret: again(each.secret, webhookPlace(socketId, webhook.id, each.id)),
    })),
  })),
}));
