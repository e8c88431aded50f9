import { type HoldView, listHolds, releaseHold } from "@portcullis/contracts";
import { z } from "zod";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { id, time, timeOf } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import { nextField, pageOf, pageQuery } from "../http/pages.ts";
import type { RouteContext } from "../routes.ts";
import { ownedSocket } from "./owned-socket.ts";

const tags = ["sockets"];

const hold = z.object({
  id,
  member: z.string().nullable().describe("whose gate it is; null: everything of a key's from a network"),
  gate: z.string().nullable(),
  keyId: z.string().nullable(),
  network: z
    .string()
    .nullable()
    .describe("tells networks apart, and does not say which; null: all but those that are known"),
  kind: z.enum(["delay", "lockout"]),
  until: time,
});

function viewOfHold({ untilMs, ...same }: HoldView): z.infer<typeof hold> {
  return { ...same, until: timeOf(untilMs) };
}

export function holdRoutes(app: App, { caller }: RouteContext): void {
  app.get(
    "/v1/sockets/:id/holds",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "listHolds",
        summary: "Who waits or is locked out after failing; for the owner and approvers",
        tags,
        params: z.strictObject({ id }),
        querystring: pageQuery,
        response: { 200: z.object({ holds: z.array(hold), ...nextField }) },
      },
    },
    async (request) => {
      const { holds, next } = await caller.call(listHolds, { ...ownedSocket(request), ...pageOf(request.query) });
      return { holds: holds.map(viewOfHold), next };
    },
  );

  app.delete(
    "/v1/sockets/:id/holds/:holdId",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "releaseHold",
        summary: "Release: end a delay or a lockout, and forget the failures behind it",
        tags,
        params: z.strictObject({ id, holdId: id }),
        response: { 204: nothing("Released") },
      },
    },
    async (request, reply) => {
      const { id: socketId, holdId } = request.params;
      await caller.call(releaseHold, { ownerId: ownerOf(request).ownerId, socketId, holdId });
      return done(reply);
    },
  );
}
