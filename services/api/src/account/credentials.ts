import {
  createApiToken,
  listApiTokens,
  listWebSessions,
  revokeApiToken,
  revokeWebSession,
  type apiToken as tokenContract,
} from "@portcullis/contracts";
import { z } from "zod";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { caption, id, password, time, timeOf, timeOrNull } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import type { RouteContext } from "../routes.ts";
import { secondFactorFields, secondFactorOf } from "./second-factor.ts";

const tags = ["account"];

const webSession = z.object({
  id,
  createdAt: time,
  lastSeenAt: time,
  expiresAt: time,
  userAgent: z.string(),
  address: z.string(),
  current: z.boolean().describe("the one that asks"),
});
const token = z.object({
  id,
  label: z.string(),
  canary: z.boolean().describe("planted: it is never right, and you get a mail when somebody uses it"),
  createdAt: time,
  expiresAt: time,
  lastUsedAt: time.nullable(),
});

/** The account's web sessions and API tokens. */
export function credentialRoutes(app: App, { caller, cookie }: RouteContext): void {
  app.get(
    "/v1/account/sessions",
    {
      config: { access: "session" },
      schema: {
        operationId: "listSessions",
        summary: "Where this account is signed in",
        tags,
        response: { 200: z.object({ sessions: z.array(webSession) }) },
      },
    },
    async (request) => {
      const { ownerId, credential } = ownerOf(request);
      const { sessions } = await caller.call(listWebSessions, { ownerId });
      return {
        sessions: sessions.map(({ id, createdAtMs, lastSeenAtMs, expiresAtMs, userAgent, address }) => ({
          id,
          createdAt: timeOf(createdAtMs),
          lastSeenAt: timeOf(lastSeenAtMs),
          expiresAt: timeOf(expiresAtMs),
          userAgent,
          address,
          current: id === credential.id,
        })),
      };
    },
  );

  app.delete(
    "/v1/account/sessions/:id",
    {
      config: { access: "session", errors: ["not_found"] },
      schema: {
        operationId: "revokeSession",
        summary: "Sign out somewhere else",
        tags,
        params: z.strictObject({ id }),
        response: { 204: nothing("Ended") },
      },
    },
    async (request, reply) => {
      const { ownerId, credential } = ownerOf(request);
      await caller.call(revokeWebSession, { ownerId, sessionId: request.params.id });
      if (request.params.id === credential.id) cookie.clear(reply);
      return done(reply);
    },
  );

  app.get(
    "/v1/account/tokens",
    {
      config: { access: "session" },
      schema: {
        operationId: "listTokens",
        summary: "API tokens",
        tags,
        response: { 200: z.object({ tokens: z.array(token) }) },
      },
    },
    async (request) => {
      const { tokens } = await caller.call(listApiTokens, { ownerId: ownerOf(request).ownerId });
      return { tokens: tokens.map(viewOfToken) };
    },
  );

  app.post(
    "/v1/account/tokens",
    {
      config: { access: "session", errors: ["reauthentication_failed", "second_factor_required", "conflict"] },
      schema: {
        operationId: "createToken",
        summary: "Make an API token",
        description:
          "It outlives the session, so it takes the password, and the second factor where there is one. `conflict`: the e-mail address is not confirmed. All tokens end when the password is reset by mail.",
        tags,
        body: z.strictObject({
          label: caption,
          canary: z
            .boolean()
            .default(false)
            .describe(
              "a token to plant where nobody should find it: it is refused like a wrong one, and you hear of it",
            ),
          expiresAt: time.nullish().describe("within a year; absent or null: after 90 days"),
          password,
          ...secondFactorFields,
        }),
        response: { 201: z.object({ token, secret: z.string().describe("`pct_...`, shown this once") }) },
      },
    },
    async (request, reply) => {
      const { label, canary, expiresAt, password } = request.body;
      const made = await caller.call(createApiToken, {
        ownerId: ownerOf(request).ownerId,
        password,
        secondFactor: secondFactorOf(request.body),
        label,
        canary,
        expiresAtMs: typeof expiresAt === "string" ? Date.parse(expiresAt) : null,
      });
      return reply.code(201).send({ token: viewOfToken(made.token), secret: made.secret });
    },
  );

  app.delete(
    "/v1/account/tokens/:id",
    {
      config: { access: "session", errors: ["not_found"] },
      schema: {
        operationId: "revokeToken",
        summary: "Revoke an API token",
        tags,
        params: z.strictObject({ id }),
        response: { 204: nothing("Revoked") },
      },
    },
    async (request, reply) => {
      await caller.call(revokeApiToken, { ownerId: ownerOf(request).ownerId, tokenId: request.params.id });
      return done(reply);
    },
  );
}

function viewOfToken(stored: z.infer<typeof tokenContract>): z.infer<typeof token> {
  const { id, label, canary, createdAtMs, expiresAtMs, lastUsedAtMs } = stored;
  return {
    id,
    label,
    canary,
    createdAt: timeOf(createdAtMs),
    expiresAt: timeOf(expiresAtMs),
    lastUsedAt: timeOrNull(lastUsedAtMs),
  };
}
