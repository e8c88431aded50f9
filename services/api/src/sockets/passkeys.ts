import {
  beginMemberPasskey,
  finishMemberPasskey,
  listMemberPasskeys,
  relyingParty,
  removeMemberPasskey,
} from "@portcullis/contracts";
import { z } from "zod";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { id, memberName } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import { label, passkey, registration, response, viewOfPasskey } from "../passkeys/fields.ts";
import type { RouteContext } from "../routes.ts";

const url = "/v1/sockets/:id/members/:name/passkeys";
const tags = ["sockets"];
const params = z.strictObject({ id, name: memberName });
const origin = z
  .string()
  .max(270)
  .refine((text) => URL.canParse(text) && new URL(text).origin === text, {
    error: "must be an origin such as https://app.example.com",
  });

/** A member's browser registers; the owner's page and program bring question and answer to and fro. */
export function memberPasskeyRoutes(app: App, { caller, site }: RouteContext): void {
  app.get(
    url,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "listMemberPasskeys",
        summary: "A member's passkeys",
        tags,
        params,
        response: { 200: z.object({ passkeys: z.array(passkey) }) },
      },
    },
    async (request) => {
      const { id: socketId, name } = request.params;
      const { passkeys } = await caller.call(listMemberPasskeys, {
        ownerId: ownerOf(request).ownerId,
        socketId,
        name,
      });
      return { passkeys: passkeys.map(viewOfPasskey) };
    },
  );

  app.post(
    `${url}/begin`,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "beginMemberPasskey",
        summary: "Begin to register a passkey of a member",
        description:
          "Hand `options` to the member's browser, on a page at the relying party or below it, and send its answer within 5 minutes.",
        tags,
        params,
        body: z.strictObject({
          relyingParty: relyingParty.optional().describe("host name of the pages; absent: of this server"),
        }),
        response: { 200: registration },
      },
    },
    (request) => {
      const { id: socketId, name } = request.params;
      return caller.call(beginMemberPasskey, {
        ownerId: ownerOf(request).ownerId,
        socketId,
        name,
        relyingParty: request.body.relyingParty ?? null,
      });
    },
  );

  app.post(
    url,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "createMemberPasskey",
        summary: "Register a passkey of a member",
        description: "Each answer ends its registration. A member has ten at most.",
        tags,
        params,
        body: z.strictObject({
          registrationId: id,
          response,
          label,
          origin: origin
            .optional()
            .describe("of the page on which the member's browser answered; absent: of this server"),
        }),
        response: { 201: passkey },
      },
    },
    async (request, reply) => {
      const { id: socketId, name } = request.params;
      const { origin = site.origin(), ...answer } = request.body;
      const made = await caller.call(finishMemberPasskey, {
        ownerId: ownerOf(request).ownerId,
        socketId,
        name,
        origin,
        ...answer,
      });
      return reply.code(201).send(viewOfPasskey(made));
    },
  );

  app.delete(
    `${url}/:passkeyId`,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "removeMemberPasskey",
        summary: "Remove a passkey of a member",
        description: "Live sessions that came in by any passkey of this member end.",
        tags,
        params: params.extend({ passkeyId: id }),
        response: { 204: nothing("Removed") },
      },
    },
    async (request, reply) => {
      const { id: socketId, name, passkeyId } = request.params;
      await caller.call(removeMemberPasskey, { ownerId: ownerOf(request).ownerId, socketId, name, passkeyId });
      return done(reply);
    },
  );
}
