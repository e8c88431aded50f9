import {
  forgetWebhook,
  mintWebhook,
  readWebhooks,
  renewWebhook,
  ServiceError,
  type WebhookView,
} from "@portcullis/contracts";
import { type Policy, type PolicyFault, parsePolicy, webhooksOf } from "@portcullis/policy";
import { requireSocket, type SocketContext } from "./context.ts";

interface Mine {
  readonly ownerId: string;
  readonly socketId: string;
}

interface WithSecret {
  readonly webhook: WebhookView;
  readonly secret: string;
}

export async function createWebhookOf(
  context: SocketContext,
  request: Mine & { url: string; purpose: string | null },
): Promise<WithSecret> {
  const { id: socketId } = await requireSocket(context, request);
  const made = await context.caller.call(mintWebhook, { socketId, url: request.url, purpose: request.purpose });
  // A deletion of the socket that began meanwhile may have come by before this one was there.
  await requireSocket(context, request).catch(async (error: unknown) => {
    await context.caller.call(forgetWebhook, { socketId, webhookId: made.webhook.id });
    throw error;
  });
  return made;
}

export async function listWebhooksOf(context: SocketContext, request: Mine) {
  const { id: socketId } = await requireSocket(context, request);
  return context.caller.call(readWebhooks, { socketId });
}

export async function rotateWebhookOf(
  context: SocketContext,
  request: Mine & { webhookId: string },
): Promise<WithSecret> {
  const { id: socketId } = await requireSocket(context, request);
  return context.caller.call(renewWebhook, { socketId, webhookId: request.webhookId });
}

/**
 * Not while the policy names it, or alerts go there. A policy that comes to name it in this very moment has a gate that nobody passes: what it speaks to
 * is not there.
 */
export async function removeWebhookOf(
  context: SocketContext,
  request: Mine & { webhookId: string },
): Promise<Record<string, never>> {
  const { id: socketId, body } = await requireSocket(context, request);
  const parsed = parsePolicy(body.policy);
  const uses = parsed.ok ? webhooksOf(parsed.policy).filter(({ webhook }) => webhook === request.webhookId) : [];
  const issues = uses.map(({ path }) => ({ path: `policy.${path}`, message: "speaks to this webhook" }));
  if (body.alerts.webhook === request.webhookId)
    issues.push({ path: "alerts.webhook", message: "alerts go to this webhook" });
  if (issues.length > 0) throw new ServiceError("conflict", { issues });
  const { existed } = await context.caller.call(forgetWebhook, { socketId, webhookId: request.webhookId });
  if (!existed) throw new ServiceError("not_found");
  return {};
}

/**
 * @param socketId null: it is only being made, and has none
 * @throws {ServiceError} invalid: a gate speaks to a webhook that is not the socket's
 */
export async function requireWebhooks(
  context: Pick<SocketContext, "caller">,
  socketId: string | null,
  policy: Policy,
): Promise<void> {
  const missing = await missingWebhooks(context, socketId, policy);
  const issues = missing.map(({ path, message }) => ({ path: `policy.${path}`, message }));
  if (issues.length > 0) throw new ServiceError("invalid", { issues });
}

/**
 * Where a policy speaks to a webhook that is not the socket's; nobody is asked where it speaks to none. Somebody else's is none as
 * well: whoever guesses ids learns nothing.
 */
export async function missingWebhooks(
  context: Pick<SocketContext, "caller">,
  socketId: string | null,
  policy: Policy,
): Promise<PolicyFault[]> {
  const named = webhooksOf(policy);
  if (named.length === 0) return [];
  const { webhooks } = socketId === null ? { webhooks: [] } : await context.caller.call(readWebhooks, { socketId });
  return named
    .filter(({ webhook }) => webhooks.every(({ id }) => id !== webhook))
    .map(({ path }) => ({ code: "no-such-webhook", path, message: "no such webhook" }));
}
