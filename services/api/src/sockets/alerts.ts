import {
  type AlertSettings,
  type AlertView,
  alertKinds,
  listAlerts,
  readAlertSettings,
  setAlertSettings,
} from "@portcullis/contracts";
import { z } from "zod";
import type { App } from "../http/app.ts";
import { id, time, timeOf } from "../http/fields.ts";
import { nextField, pageOf, pageQuery } from "../http/pages.ts";
import type { RouteContext } from "../routes.ts";
import { ownedSocket } from "./owned-socket.ts";

const url = "/v1/sockets/:id/alerts";
const tags = ["sockets"];
const params = z.strictObject({ id });
const kind = z.enum(alertKinds);

const alert = z.object({
  id,
  kind,
  about: z.record(z.string(), z.union([z.string(), z.number()])).describe("ids and counts by name"),
  keyLabel: z.string().nullable().describe("of the app key that it names"),
  member: z.string().nullable().describe("name of the member whom it names; null once they are removed"),
  at: time,
  lastAt: time,
  count: z.int().describe("how often within an hour of the first"),
});

const settings = z.strictObject({
  mail: z.boolean().describe("to your address, once it is confirmed; at most one of a kind in an hour"),
  webhook: id.nullable().describe("one of the socket's webhooks, or none"),
  kinds: z.array(kind).max(alertKinds.length).nullable().describe("of which you are told; null: of all. All are kept"),
});

/** What an owner is told of a socket without having asked. */
export function alertRoutes(app: App, { caller }: RouteContext): void {
  app.get(
    url,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "listAlerts",
        summary: "Alerts, the latest first",
        description: "What repeats within an hour is one alert. They are kept for 90 days, at most 500 of a socket.",
        tags,
        params,
        querystring: pageQuery,
        response: { 200: z.object({ alerts: z.array(alert), ...nextField }) },
      },
    },
    async (request) => {
      const { alerts, next } = await caller.call(listAlerts, { ...ownedSocket(request), ...pageOf(request.query) });
      return { alerts: alerts.map(viewOf), next };
    },
  );

  app.get(
    `${url}/settings`,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "readAlertSettings",
        summary: "How you are told of alerts",
        tags,
        params,
        response: { 200: settings },
      },
    },
    (request): Promise<AlertSettings> => caller.call(readAlertSettings, ownedSocket(request)),
  );

  app.put(
    `${url}/settings`,
    {
      config: { access: "owner", errors: ["not_found", "conflict"] },
      schema: {
        operationId: "setAlertSettings",
        summary: "Set how you are told of alerts",
        description: "Replaced as a whole. A webhook that alerts go to cannot be removed.",
        tags,
        params,
        body: settings,
        response: { 200: settings },
      },
    },
    (request): Promise<AlertSettings> =>
      caller.call(setAlertSettings, { ...ownedSocket(request), settings: request.body }),
  );
}

function viewOf({ atMs, lastAtMs, ...same }: AlertView): z.infer<typeof alert> {
  return { ...same, at: timeOf(atMs), lastAt: timeOf(lastAtMs) };
}
