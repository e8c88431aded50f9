import type { Server } from "@portcullis/bus";
import { composeAlert, listAlerts, readAlertSettings, setAlertSettings } from "@portcullis/contracts";
import type { SocketContext } from "../sockets/context.ts";
import { readAlertSettingsOf, setAlertSettingsOf } from "./settings.ts";
import { composeAlertOf, listAlertsOf } from "./shown.ts";

export async function serveAlerts(server: Server, context: SocketContext): Promise<void> {
  await server.serve(listAlerts, (body) => listAlertsOf(context, body));
  await server.serve(readAlertSettings, (body) => readAlertSettingsOf(context, body));
  await server.serve(setAlertSettings, (body) => setAlertSettingsOf(context, body));
  await server.serve(composeAlert, async ({ alertId }) => ({ message: await composeAlertOf(context, alertId) }));
}
