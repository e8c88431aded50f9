import { enrolAuthenticator, removeAuthenticator } from "@portcullis/contracts";
import { z } from "zod";
import { enrolmentResponse, sendEnrolment } from "../authenticators/enrolment.ts";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { id, memberName } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import type { RouteContext } from "../routes.ts";

const tags = ["sockets"];

const either = z.strictObject({ id, name: memberName.optional() });

/** Both routes have been parsed by their own schema; this only tells TypeScript which fields there are. */
function subjectOf(parameters: unknown): { socketId: string; memberName: string | null } {
  const { id: socketId, name = null } = either.parse(parameters);
  return { socketId, memberName: name };
}

/** Twice the same: the socket's own authenticator, whose QR code the owner hands out, and that of one member. */
export function authenticatorRoutes(app: App, { caller }: RouteContext): void {
  for (const { url, of, whose, params } of [
    {
      url: "/v1/sockets/:id/authenticator",
      of: "Socket",
      whose: "the socket's own authenticator",
      params: z.strictObject({ id }),
    },
    {
      url: "/v1/sockets/:id/members/:name/authenticator",
      of: "Member",
      whose: "a member's authenticator",
      params: z.strictObject({ id, name: memberName }),
    },
  ]) {
    app.post(
      url,
      {
        config: { access: "owner", errors: ["not_found"] },
        schema: {
          operationId: `enrol${of}Authenticator`,
          summary: `Enrol ${whose}; replaces the one before`,
          description: "Live sessions that came in with the one before end.",
          tags,
          params,
          response: { 200: enrolmentResponse },
        },
      },
      async (request, reply) => {
        const { ownerId } = ownerOf(request);
        const { uri } = await caller.call(enrolAuthenticator, { ownerId, ...subjectOf(request.params) });
        return sendEnrolment(request, reply, uri);
      },
    );

    app.delete(
      url,
      {
        config: { access: "owner", errors: ["not_found"] },
        schema: {
          operationId: `remove${of}Authenticator`,
          summary: `Remove ${whose}`,
          description: "Live sessions that came in with it end.",
          tags,
          params,
          response: { 204: nothing("Removed") },
        },
      },
      async (request, reply) => {
        await caller.call(removeAuthenticator, { ownerId: ownerOf(request).ownerId, ...subjectOf(request.params) });
        return done(reply);
      },
    );
  }
}
