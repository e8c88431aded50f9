import { type AlertView, type OutgoingWebhook, readAppKeys, signAlert } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import { requireSocket, type SocketContext } from "../sockets/context.ts";
import { type PageRequest, pageOf } from "../sockets/page.ts";
import type { StoredAlert } from "./store.ts";

type ShownContext = Pick<SocketContext, "store" | "caller">;

/** The latest first. */
export async function listAlertsOf(
  context: ShownContext,
  { after, limit, ...who }: { ownerId: string; socketId: string } & PageRequest,
): Promise<{ alerts: AlertView[]; next: string | null }> {
  const { id: socketId } = await requireSocket(context, who);
  const found = await context.store.alerts.find({ socketId }, { limit: limit + 1, after });
  const { items, next } = pageOf(found, limit, ({ id }) => id);
  return { alerts: await named(context, socketId, items), next };
}

/** Alerts hold ids: of a member who is removed nothing is left in them but that. */
async function named(
  { store, caller }: ShownContext,
  socketId: string,
  alerts: readonly Stored<StoredAlert>[],
): Promise<AlertView[]> {
  const ofKeys = alerts.some(({ body }) => typeof body.about.key === "string");
  const { appKeys } = ofKeys ? await caller.call(readAppKeys, { socketId }) : { appKeys: [] };
  return Promise.all(
    alerts.map(async ({ id, body: { kind, about, atMs, lastAtMs, count } }) => {
      const member = typeof about.member === "string" ? await store.members.get(about.member) : null;
      return {
        id,
        kind,
        about,
        keyLabel: appKeys.find(({ keyId }) => keyId === about.key)?.label ?? null,
        member: member?.body.socketId === socketId ? member.body.name : null,
        atMs,
        lastAtMs,
        count,
      };
    }),
  );
}

/** For the webhook that the owner has set by now. @returns null where there is nothing to send any more */
export async function composeAlertOf(
  { store, caller }: ShownContext,
  alertId: string,
): Promise<OutgoingWebhook | null> {
  const alert = await store.alerts.get(alertId);
  const socket = alert === null ? null : await store.sockets.get(alert.body.socketId);
  const webhookId = socket?.body.alerts.webhook ?? null;
  if (alert === null || socket === null || socket.body.goneAtMs !== null || webhookId === null) return null;
  const { socketId, kind, about, atMs } = alert.body;
  const { label } = socket.body;
  return (await caller.call(signAlert, { alertId, socketId, webhookId, kind, label, about, atMs })).message;
}
