import { createAppKey, listAppKeys, revokeAppKey } from "@portcullis/contracts";
import { z } from "zod";
import type { App } from "../http/app.ts";
import { caption, id } from "../http/fields.ts";
import type { RouteContext } from "../routes.ts";
import { ownedSocket } from "./owned-socket.ts";
import { appKey, keyRole, viewOfAppKey } from "./views.ts";

const tags = ["sockets"];
const params = z.strictObject({ id });
const closed = z.object({ closed: z.int().describe("live sessions that ended with it") });

export function appKeyRoutes(app: App, { caller }: RouteContext): void {
  app.post(
    "/v1/sockets/:id/keys",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "createKey",
        summary: "Make an app key",
        description:
          "Several may live at once, so that keys rotate without a pause. One of role `consumer` is for the owner's program: it passes no other gate.",
        tags,
        params,
        body: z.strictObject({
          label: caption,
          role: keyRole.default("member"),
          canary: z
            .boolean()
            .default(false)
            .describe("a key to plant where nobody should find it: it opens nothing, and its use is an alert"),
        }),
        response: {
          201: z.object({
            appKey,
            key: z.string().describe("`pc1.<keyId>.<secret>.<server fingerprint>`, shown this once"),
          }),
        },
      },
    },
    async (request, reply) => {
      const made = await caller.call(createAppKey, {
        ...ownedSocket(request),
        label: request.body.label,
        role: request.body.role,
        canary: request.body.canary,
      });
      return reply.code(201).send({ appKey: viewOfAppKey(made.appKey), key: made.key });
    },
  );

  app.get(
    "/v1/sockets/:id/keys",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "listKeys",
        summary: "App keys",
        tags,
        params,
        response: { 200: z.object({ appKeys: z.array(appKey) }) },
      },
    },
    async (request) => {
      const { appKeys } = await caller.call(listAppKeys, {
        ...ownedSocket(request),
      });
      return { appKeys: appKeys.map(viewOfAppKey) };
    },
  );

  app.delete(
    "/v1/sockets/:id/keys/:keyId",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "revokeKey",
        summary: "Revoke an app key; sessions that came in with it end",
        tags,
        params: z.strictObject({ id, keyId: id }),
        response: { 200: closed },
      },
    },
    (request) =>
      caller.call(revokeAppKey, {
        ...ownedSocket(request),
        keyId: request.params.keyId,
      }),
  );
}
