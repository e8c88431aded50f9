import { mintTicket, ServiceError, sessionRole } from "@portcullis/contracts";
import { z } from "zod";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { id, memberName, time, timeOf } from "../http/fields.ts";
import type { RouteContext } from "../routes.ts";

const asked = z.strictObject({
  member: memberName.nullish().describe("whom the caller has signed in; null: nobody in particular"),
  role: sessionRole
    .optional()
    .describe("`member` unless set; `owner`: the owner themselves, by their session only; `consumer`: their program"),
});
const minted = z.object({
  ticket: z.string().describe("shown once"),
  expiresAt: time,
  url: z.string().describe("where to connect; `{path}` stands for the path, which is not known here"),
  pin: z.string().describe("fingerprint of the server: a client without an app key pins it"),
});

export function mintRoutes(app: App, { caller, site }: RouteContext): void {
  app.post(
    "/v1/sockets/:id/tickets",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "mintTicket",
        summary: "A one-time ticket for somebody whom the caller has signed in, or for the owner",
        description:
          "It is good for a minute, for one connection. With the role `owner` or `consumer` it stands for every gate of the policy, the app key " +
          "included, and whoever connects names no member. `forbidden`: an API token does not act as the owner.",
        tags: ["sockets"],
        params: z.strictObject({ id }),
        body: asked,
        response: { 201: minted },
      },
    },
    async (request, reply) => {
      const { ownerId, credential } = ownerOf(request);
      const { member = null, role = "member" } = request.body;
      // A token lies in files of programs: who finds one is let in as whom the policy lets in, and never as the owner.
      if (role === "owner" && credential.kind !== "session") throw new ServiceError("forbidden");
      const socketId = request.params.id;
      const made = await caller.call(mintTicket, { ownerId, socketId, member, role });
      const { ticket, expiresAtMs, label, idParameter, fingerprint } = made;
      const named = member === null ? "" : `?${idParameter}=${encodeURIComponent(member)}`;
      const url = `${site.socketUrl(label, null)}${named}`;
      return reply.code(201).send({ ticket, expiresAt: timeOf(expiresAtMs), url, pin: fingerprint });
    },
  );
}
