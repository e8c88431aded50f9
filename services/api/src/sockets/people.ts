import {
  acceptInvitation,
  changePerson,
  invitedRole,
  invitePerson,
  listPeople,
  type PersonView,
  removePerson,
  socketRole,
} from "@portcullis/contracts";
import { z } from "zod";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { email, id, mailToken, time, timeOf, timeOrNull } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import type { RouteContext } from "../routes.ts";
import { ownedSocket } from "./owned-socket.ts";

const tags = ["sockets"];
const role = invitedRole.describe(
  "`viewer` reads socket, policy and sessions; `approver` also lets in who waits for `approval`. Only the owner changes anything",
);
const person = z.object({
  id,
  role: socketRole,
  email: z.string(),
  state: z.enum(["active", "invited"]).describe("`invited`: has not accepted yet"),
  since: time,
  expiresAt: time.nullable().describe("of an invitation"),
});

function viewOfPerson({ sinceMs, expiresAtMs, ...same }: PersonView): z.infer<typeof person> {
  return { ...same, since: timeOf(sinceMs), expiresAt: timeOrNull(expiresAtMs) };
}

export function peopleRoutes(app: App, { caller }: RouteContext): void {
  app.post(
    "/v1/sockets/:id/people",
    {
      config: { access: "owner", errors: ["not_found", "conflict"] },
      schema: {
        operationId: "invitePerson",
        summary: "Invite somebody by mail, or once more with another token",
        description:
          "Answers alike whether or not the address has an account. The token in the mail is valid for 7 days, once, for an account with that address. `conflict`: they are of the socket already, or your own address is not confirmed.",
        tags,
        params: z.strictObject({ id }),
        body: z.strictObject({ email, role }),
        response: { 201: person },
      },
    },
    async (request, reply) => {
      const invited = await caller.call(invitePerson, {
        ...ownedSocket(request),
        ...request.body,
      });
      return reply.code(201).send(viewOfPerson(invited));
    },
  );

  app.get(
    "/v1/sockets/:id/people",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "listPeople",
        summary: "The owner, who was given a role, and who is invited",
        tags,
        params: z.strictObject({ id }),
        response: { 200: z.object({ people: z.array(person) }) },
      },
    },
    async (request) => {
      return { people: (await caller.call(listPeople, ownedSocket(request))).people.map(viewOfPerson) };
    },
  );

  app.patch(
    "/v1/sockets/:id/people/:personId",
    {
      config: { access: "owner", errors: ["not_found", "conflict"] },
      schema: {
        operationId: "changePerson",
        summary: "Give somebody another role, at once",
        description: "What they approved and is not decided yet counts no more.",
        tags,
        params: z.strictObject({ id, personId: id }),
        body: z.strictObject({ role }),
        response: { 200: person },
      },
    },
    async (request) => {
      const { id: socketId, personId } = request.params;
      const { ownerId } = ownerOf(request);
      return viewOfPerson(await caller.call(changePerson, { ownerId, socketId, personId, role: request.body.role }));
    },
  );

  app.delete(
    "/v1/sockets/:id/people/:personId",
    {
      config: { access: "owner", errors: ["not_found", "conflict"] },
      schema: {
        operationId: "removePerson",
        summary: "Remove somebody, take an invitation back, or leave",
        description:
          "`me` as `personId`: whoever asks leaves. It holds at once; what they approved and is not decided yet counts no more.",
        tags,
        params: z.strictObject({ id, personId: id }),
        response: { 204: nothing("Removed") },
      },
    },
    async (request, reply) => {
      const { id: socketId, personId } = request.params;
      const { ownerId } = ownerOf(request);
      await caller.call(removePerson, { ownerId, socketId, personId: personId === "me" ? null : personId });
      return done(reply);
    },
  );

  app.post(
    "/v1/invitations/accept",
    {
      config: { access: "session", errors: ["conflict"] },
      schema: {
        operationId: "acceptInvitation",
        summary: "Accept an invitation with the token from the mail",
        description: "`conflict`: it is for another address than your account's, or your address is not confirmed.",
        tags,
        body: z.strictObject({ token: mailToken }),
        response: { 200: z.object({ socketId: id, label: z.string(), role: invitedRole }) },
      },
    },
    async (request) => caller.call(acceptInvitation, { ownerId: ownerOf(request).ownerId, ...request.body }),
  );
}
