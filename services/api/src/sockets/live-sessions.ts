import { demandStepUpOfSession, kickSession, listLiveSessions } from "@portcullis/contracts";
import { z } from "zod";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { id } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import { nextField, pageOf, pageQuery } from "../http/pages.ts";
import type { RouteContext } from "../routes.ts";
import { ownedSocket } from "./owned-socket.ts";
import { session, viewOfSession } from "./views.ts";

const tags = ["sockets"];

export function liveSessionRoutes(app: App, { caller }: RouteContext): void {
  app.get(
    "/v1/sockets/:id/sessions",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "listLiveSessions",
        summary: "Who is connected",
        tags,
        params: z.strictObject({ id }),
        querystring: pageQuery,
        response: { 200: z.object({ sessions: z.array(session), ...nextField }) },
      },
    },
    async (request) => {
      const { sessions, next } = await caller.call(listLiveSessions, {
        ...ownedSocket(request),
        ...pageOf(request.query),
      });
      return { sessions: sessions.map(viewOfSession), next };
    },
  );

  app.post(
    "/v1/sockets/:id/sessions/:sid/step-up",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "demandStepUp",
        summary: "Ask a live session for a step-up that its policy provides on demand; it ends unless that is passed",
        tags,
        params: z.strictObject({ id, sid: id }),
        body: z.strictObject({
          rule: z.number().int().min(0).max(7).optional().describe("Index in `during`; the first on demand unless set"),
        }),
        response: {
          200: z.object({
            asked: z.boolean().describe("False: it is not connected at the moment, and is asked when it comes back"),
          }),
        },
      },
    },
    async (request) => {
      const { id: socketId, sid } = request.params;
      const { rule = null } = request.body;
      return caller.call(demandStepUpOfSession, { ownerId: ownerOf(request).ownerId, socketId, sid, rule });
    },
  );

  app.delete(
    "/v1/sockets/:id/sessions/:sid",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "kickSession",
        summary: "Kick: end a live session for good",
        tags,
        params: z.strictObject({ id, sid: id }),
        response: { 204: nothing("Kicked") },
      },
    },
    async (request, reply) => {
      await caller.call(kickSession, {
        ...ownedSocket(request),
        sid: request.params.sid,
      });
      return done(reply);
    },
  );
}
