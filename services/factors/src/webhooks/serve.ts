import type { Server } from "@portcullis/bus";
import {
  composeWebhook,
  decideCallback,
  forgetWebhook,
  mintWebhook,
  readWebhooks,
  renewWebhook,
  ServiceError,
  signAlert,
} from "@portcullis/contracts";
import { networkOf } from "@portcullis/runtime";
import { composeAlert } from "./alert.ts";
import { type CallbackContext, takeCallback } from "./callback.ts";
import { composeOpened, type OpenedContext } from "./opened.ts";
import { formatSecret } from "./signature.ts";
import type { Made, WebhookStore } from "./store.ts";

/** Callbacks of one network that were refused, after which none of it are looked at for a while. */
const refusedMax = 60;
const refusedMs = 10 * 60_000;

/** Answers the `factors.webhooks.*` contracts. */
export async function serveWebhooks(
  server: Server,
  context: CallbackContext &
    OpenedContext & { readonly webhooks: WebhookStore; readonly tagOf: (text: string) => string },
): Promise<void> {
  const { webhooks, state, tagOf } = context;

  await server.serve(mintWebhook, async ({ socketId, url, purpose }) =>
    shownOnce(await webhooks.mint(socketId, url, purpose)),
  );
  await server.serve(readWebhooks, async ({ socketId }) => ({ webhooks: await webhooks.list(socketId) }));
  await server.serve(renewWebhook, async ({ socketId, webhookId }) =>
    shownOnce(await webhooks.renew(socketId, webhookId)),
  );
  await server.serve(forgetWebhook, async ({ socketId, webhookId }) => ({
    existed: await webhooks.forget(socketId, webhookId),
  }));
  await server.serve(composeWebhook, async ({ waitId, sending }) => ({
    message: await composeOpened(context, waitId, sending),
  }));
  await server.serve(signAlert, async (alert) => ({ message: await composeAlert(context, alert) }));
  await server.serve(decideCallback, async ({ waitId, webhookId, timestamp, signature, body, address }) => {
    // Those that are signed are not counted: a service that decides for many comes from one address. So this is looked at first and written afterwards, and
    // of those that come at once more are refused one by one: it keeps down work, and nobody guesses 256 bits.
    const refusals = `factors.callbacks.${tagOf(networkOf(address))}`;
    if ((await state.sum(refusals)) >= refusedMax)
      throw new ServiceError("too_many", { retryAfterS: refusedMs / 1_000 });
    const result = await takeCallback(context, waitId, { id: webhookId, timestamp, signature, body });
    if (result === "refused") await state.add(refusals, 1, refusedMs);
    return { result };
  });
}

function shownOnce({ webhook, secret }: Made) {
  const text = formatSecret(secret);
  secret.fill(0);
  return { webhook, secret: text };
}
