import type { OutgoingWebhook } from "@portcullis/contracts";
import type { WaitStore } from "../waits/record.ts";
import type { Waits } from "../waits/waits.ts";
import { signedHeaders } from "./signature.ts";
import type { WebhookStore } from "./store.ts";

export interface OpenedContext {
  readonly store: Pick<WaitStore, "get">;
  readonly waits: Pick<Waits, "report">;
  readonly webhooks: Pick<WebhookStore, "find">;
  readonly clock: () => number;
  readonly publicUrl: string;
}

/**
 * Tells a service that somebody waits for it. Made when it is sent, and again for each try: a signature is good for minutes, the queue
 * and `notify` hold no secret. `sending` is the message's id, the same for each try, so that the receiver can drop what it has.
 *
 * @returns null where there is nothing to send (any more)
 */
export async function composeOpened(
  { store, waits, webhooks, clock, publicUrl }: OpenedContext,
  waitId: string,
  sending: string,
): Promise<OutgoingWebhook | null> {
  const nowMs = clock();
  const wait = (await store.get(waitId))?.wait ?? null;
  if (wait === null || wait.channel !== "webhook" || wait.to === null) return null;
  const { socketId, label, member, untilMs, fate, sendings } = wait;
  const isDue = sendings.some(({ id, done }) => id === sending && !done);
  if (nowMs >= untilMs || fate !== "open" || !isDue) return null;
  const webhook = await webhooks.find(socketId, wait.to);
  if (webhook === null) {
    // Removed since, or never there: the gate stays shut.
    await waits.report(waitId, sending, "failed");
    return null;
  }
  const body = JSON.stringify({
    type: "portcullis.wait.opened",
    timestamp: new Date(nowMs).toISOString(),
    data: {
      waitId,
      socket: socketId,
      label,
      member,
      until: new Date(untilMs).toISOString(),
      callback: `${publicUrl}/v1/callbacks/${waitId}`,
    },
  });
  const headers = signedHeaders(webhook.secrets, { id: sending, body, nowMs });
  return { socketId, url: webhook.url, headers, body };
}
