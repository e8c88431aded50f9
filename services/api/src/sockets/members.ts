import { createMember, listMembers, removeMember, updateMember } from "@portcullis/contracts";
import { z } from "zod";
import type { App } from "../http/app.ts";
import { email, id, memberName, password } from "../http/fields.ts";
import { nextField, pageOf, pageQuery } from "../http/pages.ts";
import { ifMatch, tagVersion, versionField, versionOf } from "../http/versions.ts";
import type { RouteContext } from "../routes.ts";
import { ownedSocket } from "./owned-socket.ts";
import { member, viewOfMember } from "./views.ts";

const tags = ["sockets"];
const params = z.strictObject({ id });
const named = z.strictObject({ id, name: memberName });

const phone = z.string().regex(/^\+[0-9]{6,15}$/, { error: "must be an international number like +4930123456" });
const contacts = z.strictObject({ email: email.nullish(), phone: phone.nullish() });
const newMember = z.strictObject({
  name: memberName,
  canary: z
    .boolean()
    .default(false)
    .describe("nobody, whose name and secrets you plant: whoever comes as them is refused, and you hear of it"),
  contacts: contacts.optional(),
  passphrase: password.nullish(),
});
const change = z.strictObject({
  ...versionField,
  contacts: contacts.optional().describe("absent: stay; otherwise replaced as a whole"),
  passphrase: password.nullish().describe("absent: stays; null: none any more"),
});

export function memberRoutes(app: App, { caller }: RouteContext): void {
  app.post(
    "/v1/sockets/:id/members",
    {
      config: { access: "owner", errors: ["not_found", "conflict"] },
      schema: {
        operationId: "createMember",
        summary: "Register a member",
        description: "`conflict`: the name is taken on this socket.",
        tags,
        params,
        body: newMember,
        response: { 201: member },
      },
    },
    async (request, reply) => {
      const { name, canary, contacts, passphrase = null } = request.body;
      const made = await caller.call(createMember, {
        ...ownedSocket(request),
        name,
        canary,
        contacts: wholeContacts(contacts ?? {}),
        passphrase,
      });
      tagVersion(reply, made.version);
      return reply.code(201).send(viewOfMember(made));
    },
  );

  app.get(
    "/v1/sockets/:id/members",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "listMembers",
        summary: "Members",
        tags,
        params,
        querystring: pageQuery,
        response: { 200: z.object({ members: z.array(member), ...nextField }) },
      },
    },
    async (request) => {
      const { members, next } = await caller.call(listMembers, {
        ...ownedSocket(request),
        ...pageOf(request.query),
      });
      return { members: members.map(viewOfMember), next };
    },
  );

  app.patch(
    "/v1/sockets/:id/members/:name",
    {
      config: { access: "owner", errors: ["not_found", "conflict"] },
      schema: {
        operationId: "updateMember",
        summary: "Change contacts or passphrase",
        description: "`conflict`: it changed since that version; read it again.",
        tags,
        params: named,
        headers: ifMatch,
        body: change,
        response: { 200: member },
      },
    },
    async (request, reply) => {
      const { contacts, passphrase } = request.body;
      const changed = await caller.call(updateMember, {
        ...ownedSocket(request),
        name: request.params.name,
        version: versionOf(request.headers, request.body),
        contacts: contacts === undefined ? null : wholeContacts(contacts),
        // The contract's null keeps, its "" takes away.
        passphrase: passphrase === undefined ? null : (passphrase ?? ""),
      });
      tagVersion(reply, changed.version);
      return viewOfMember(changed);
    },
  );

  app.delete(
    "/v1/sockets/:id/members/:name",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "removeMember",
        summary: "Remove a member; their sessions end",
        tags,
        params: named,
        response: { 200: z.object({ closed: z.int() }) },
      },
    },
    (request) =>
      caller.call(removeMember, {
        ...ownedSocket(request),
        name: request.params.name,
      }),
  );
}

function wholeContacts({ email = null, phone = null }: z.infer<typeof contacts>): {
  email: string | null;
  phone: string | null;
} {
  return { email, phone };
}
