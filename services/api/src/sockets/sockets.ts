import { createSocket, deleteSocket, getSocket, listSockets, updateSocket } from "@portcullis/contracts";
import { z } from "zod";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { id } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import { nextField, pageOf, pageQuery } from "../http/pages.ts";
import { ifMatch, tagVersion, versionField, versionOf } from "../http/versions.ts";
import type { RouteContext } from "../routes.ts";
import { ownedSocket } from "./owned-socket.ts";
import { policy, socket, viewOfSocket } from "./views.ts";

const tags = ["sockets"];
const params = z.strictObject({ id });

// What may stand in them is for `identity` to say; here they are only kept short.
const path = z.string().min(1).max(256);
const idParameter = z.string().min(1).max(32);
const newSocket = z.strictObject({
  label: z.string().min(1).max(63).describe("1 to 63 of a-z, 0-9 and -, not at either end; unique"),
  path: path
    .nullish()
    .describe("8 to 256 of A-Z, a-z, 0-9, . _ ~ - in parts between single slashes; null: one is generated"),
  idParameter: idParameter.nullish().describe("a letter, then up to 31 of A-Z, a-z, 0-9, _ and -; null: `id`"),
  policy,
});
const change = z.strictObject({
  ...versionField,
  path: path.nullish().describe("absent: stays; null: a new one is generated"),
  idParameter: idParameter.optional(),
  policy: policy.optional(),
});

export function socketRoutes(app: App, { caller, site }: RouteContext): void {
  app.post(
    "/v1/sockets",
    {
      config: { access: "owner", errors: ["conflict"] },
      schema: {
        operationId: "createSocket",
        summary: "Make a socket",
        description: "`conflict`: the label is taken.",
        tags,
        body: newSocket,
        response: { 201: socket },
      },
    },
    async (request, reply) => {
      const { label, path = null, idParameter = null, policy } = request.body;
      const made = await caller.call(createSocket, {
        ownerId: ownerOf(request).ownerId,
        label,
        path,
        idParameter,
        policy,
      });
      tagVersion(reply, made.version);
      return reply.code(201).header("location", `/v1/sockets/${made.id}`).send(viewOfSocket(made, site));
    },
  );

  app.get(
    "/v1/sockets",
    {
      config: { access: "owner" },
      schema: {
        operationId: "listSockets",
        summary: "Your sockets, and those of others on which you are approver or viewer",
        tags,
        querystring: pageQuery,
        response: { 200: z.object({ sockets: z.array(socket), ...nextField }) },
      },
    },
    async (request) => {
      const { ownerId } = ownerOf(request);
      const { sockets, next } = await caller.call(listSockets, { ownerId, ...pageOf(request.query) });
      return { sockets: sockets.map((one) => viewOfSocket(one, site)), next };
    },
  );

  app.get(
    "/v1/sockets/:id",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: { operationId: "getSocket", summary: "One socket", tags, params, response: { 200: socket } },
    },
    async (request, reply) => {
      const found = await caller.call(getSocket, ownedSocket(request));
      tagVersion(reply, found.version);
      return viewOfSocket(found, site);
    },
  );

  app.patch(
    "/v1/sockets/:id",
    {
      config: { access: "owner", errors: ["not_found", "conflict"] },
      schema: {
        operationId: "updateSocket",
        summary: "Change path, policy or the id parameter",
        description:
          "It holds for handshakes that begin from now on. Sessions that are live stay, with the policy that let them in: kick whom it would not let in. `conflict`: it changed since that version; read it again.",
        tags,
        params,
        headers: ifMatch,
        body: change,
        response: { 200: socket },
      },
    },
    async (request, reply) => {
      const { path, idParameter = null, policy = null } = request.body;
      const changed = await caller.call(updateSocket, {
        ...ownedSocket(request),
        version: versionOf(request.headers, request.body),
        // The contract's null keeps, its "" generates.
        path: path === undefined ? null : (path ?? ""),
        idParameter,
        policy,
      });
      tagVersion(reply, changed.version);
      return viewOfSocket(changed, site);
    },
  );

  app.delete(
    "/v1/sockets/:id",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "deleteSocket",
        summary: "Delete a socket with its keys, members, authenticators and live sessions",
        tags,
        params,
        response: { 204: nothing("Deleted") },
      },
    },
    async (request, reply) => {
      await caller.call(deleteSocket, ownedSocket(request));
      return done(reply);
    },
  );
}
