import { inviteSign, readSign, removeSign, setOwnSign, setSign } from "@portcullis/contracts";
import { signProblemOf } from "@portcullis/protocol";
import { z } from "zod";
import type { App } from "../http/app.ts";
import { id, memberName, time, timeOf } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import type { RouteContext } from "../routes.ts";
import { ownedSocket } from "./owned-socket.ts";

const url = "/v1/sockets/:id/members/:name/sign";
const tags = ["sockets"];
const params = z.strictObject({ id, name: memberName });

/** What a terminal would obey, or what looks like something else, is refused before it is kept; the client refuses it once more before it is shown. */
const art = z
  .string()
  .max(4096)
  .superRefine((text, context) => {
    const message = signProblemOf(text);
    if (message !== null) context.addIssue({ code: "custom", message });
  })
  .describe("at most 24 lines of 64 characters, 1024 in all: printable ASCII, no space at the end of a line");
const body = z.strictObject({ art: art.optional().describe("absent: one is made") });
const shown = z.object({ art: z.string() });
const token = z.string().regex(/^psi_[A-Za-z0-9_-]{43}$/, { error: "must be the token that the owner gave" });

export function signRoutes(app: App, { caller }: RouteContext): void {
  const whose = (request: Parameters<typeof ownedSocket>[0] & { params: z.infer<typeof params> }) => ({
    ...ownedSocket(request),
    name: request.params.name,
  });

  app.put(
    url,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "setSign",
        summary: "Set a member's sign; replaces the one before",
        description:
          "What `ident` shows to the member, so that they recognise the server. Live sessions for which it was picked end. Whoever wants a sign that nobody tells from those among which it is picked has one made.",
        tags,
        params,
        body,
        response: { 200: shown },
      },
    },
    (request) => caller.call(setSign, { ...whose(request), art: request.body.art ?? null }),
  );

  app.get(
    url,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: { operationId: "getSign", summary: "A member's sign", tags, params, response: { 200: shown } },
    },
    (request) => caller.call(readSign, whose(request)),
  );

  app.delete(
    url,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "removeSign",
        summary: "Remove a member's sign",
        description: "Live sessions for which it was picked end.",
        tags,
        params,
        response: { 204: nothing("Removed") },
      },
    },
    async (request, reply) => {
      await caller.call(removeSign, whose(request));
      return done(reply);
    },
  );

  app.post(
    `${url}/invitation`,
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "inviteSign",
        summary: "A token by which the member sets their own sign, once, within a day",
        description:
          "Hand it over like a password: whoever has it chooses what the member will take for the server's mark.",
        tags,
        params,
        response: { 201: z.object({ token: z.string(), expiresAt: time }) },
      },
    },
    async (request, reply) => {
      const { token, expiresAtMs } = await caller.call(inviteSign, whose(request));
      return reply.code(201).send({ token, expiresAt: timeOf(expiresAtMs) });
    },
  );

  // The token is in the body: addresses end up in the logs of what stands in front.
  app.post(
    "/v1/signs",
    {
      config: { access: "anybody", errors: ["not_found"] },
      schema: {
        operationId: "setOwnSign",
        summary: "Set one's own sign, by a token from the owner",
        description: "`not_found`: the token was used, its day is over, or the sign was set otherwise meanwhile.",
        tags,
        body: z.strictObject({ token, art: art.optional().describe("absent: one is made") }),
        response: { 200: shown },
      },
    },
    (request) => caller.call(setOwnSign, { token: request.body.token, art: request.body.art ?? null }),
  );
}
