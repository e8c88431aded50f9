import type { OutgoingWebhook, signAlert } from "@portcullis/contracts";
import type { z } from "zod";
import { signedHeaders } from "./signature.ts";
import type { WebhookStore } from "./store.ts";

type Request = z.output<(typeof signAlert)["request"]>;

/** Tells an owner's program of an alert. The message's id is the alert's: the same for each try, so that the receiver can drop what it has. */
export async function composeAlert(
  { webhooks, clock }: { readonly webhooks: Pick<WebhookStore, "find">; readonly clock: () => number },
  { alertId, socketId, webhookId, kind, label, about, atMs }: Request,
): Promise<OutgoingWebhook | null> {
  const webhook = await webhooks.find(socketId, webhookId);
  if (webhook === null) return null;
  const nowMs = clock();
  const body = JSON.stringify({
    type: "portcullis.alert",
    timestamp: new Date(nowMs).toISOString(),
    data: { alertId, kind, socket: socketId, label, at: new Date(atMs).toISOString(), about },
  });
  const headers = signedHeaders(webhook.secrets, { id: `alert_${alertId}`, body, nowMs });
  return { socketId, url: webhook.url, headers, body };
}
