import { type AlertSettings, readWebhooks, ServiceError } from "@portcullis/contracts";
import { compareAndSet } from "../compare-and-set.ts";
import { requireSocket, type SocketContext } from "../sockets/context.ts";

interface Mine {
  readonly ownerId: string;
  readonly socketId: string;
}

/** Of a socket that is new. A mail an hour at most: whoever wants none says so. */
export const alertsUnlessSet: AlertSettings = { mail: true, webhook: null, kinds: null };

export async function readAlertSettingsOf(context: SocketContext, request: Mine): Promise<AlertSettings> {
  return (await requireSocket(context, request)).body.alerts;
}

/** A webhook that goes in this very moment leaves alerts that reach nobody there: what they would be posted to is not there. */
export async function setAlertSettingsOf(
  context: SocketContext,
  { settings, ...request }: Mine & { settings: AlertSettings },
): Promise<AlertSettings> {
  const { id: socketId } = await requireSocket(context, request);
  const { webhook } = settings;
  if (webhook !== null) {
    const { webhooks } = await context.caller.call(readWebhooks, { socketId });
    if (webhooks.every(({ id }) => id !== webhook))
      throw new ServiceError("invalid", { issues: [{ path: "webhook", message: "no such webhook" }] });
  }
  const alerts = { ...settings, kinds: settings.kinds === null ? null : [...new Set(settings.kinds)] };
  await compareAndSet(context.store.sockets, socketId, (body) => ({ ...body, alerts }), "not_found");
  return alerts;
}
