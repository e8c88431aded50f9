import { signIn, signOut, signUp } from "@portcullis/contracts";
import { z } from "zod";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { email, id, mailToken, password, time, timeOf } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import type { RouteContext } from "../routes.ts";
import { secondFactorFields, secondFactorOf } from "./second-factor.ts";
import { userAgentOf } from "./user-agent.ts";

const tags = ["account"];

const credentials = z.strictObject({ email, password, ...secondFactorFields });
const newAccount = z.strictObject({
  email,
  password,
  bootstrapToken: z.string().min(1).max(128).optional().describe("for the first owner where sign-up is closed"),
  invitationToken: mailToken
    .optional()
    .describe("from a mail that invites this very address to a socket: opens an account also where sign-up is closed"),
});
const signedIn = z.object({ sessionId: id, expiresAt: time });
const whoAmI = z.object({
  id,
  email: z.string(),
  emailVerified: z.boolean(),
  secondFactor: z.boolean().describe("an authenticator is active and every sign-in needs it"),
  credential: z.object({ kind: z.enum(["session", "token"]), id }),
});

export function signingInRoutes(app: App, { caller, cookie }: RouteContext): void {
  app.post(
    "/v1/account",
    {
      config: { access: "anybody" },
      schema: {
        operationId: "signUp",
        summary: "Open an owner account",
        description: "Answers alike whether or not the address has an account; a mail says more.",
        tags,
        body: newAccount,
        response: { 202: nothing("A mail is on its way") },
      },
    },
    async (request, reply) => {
      const { email, password, bootstrapToken = null, invitationToken = null } = request.body;
      await caller.call(signUp, { email, password, bootstrapToken, invitationToken, address: request.ip });
      return done(reply, 202);
    },
  );

  app.post(
    "/v1/sign-in",
    {
      config: { access: "anybody", errors: ["unauthenticated", "second_factor_required"] },
      schema: {
        operationId: "signIn",
        summary: "Sign in and get the session cookie",
        description: "`second_factor_required`: the password is right; repeat with `code` or `recoveryCode`.",
        tags,
        body: credentials,
        response: { 200: signedIn },
      },
    },
    async (request, reply) => {
      const { email, password } = request.body;
      const { secret, sessionId, expiresAtMs } = await caller.call(signIn, {
        email,
        password,
        secondFactor: secondFactorOf(request.body),
        address: request.ip,
        userAgent: userAgentOf(request),
      });
      cookie.set(reply, secret, expiresAtMs);
      return { sessionId, expiresAt: timeOf(expiresAtMs) };
    },
  );

  app.post(
    "/v1/sign-out",
    {
      config: { access: "session" },
      schema: { operationId: "signOut", summary: "End this session", tags, response: { 204: nothing("Signed out") } },
    },
    async (request, reply) => {
      const { ownerId, credential } = ownerOf(request);
      await caller.call(signOut, { ownerId, sessionId: credential.id });
      cookie.clear(reply);
      return done(reply);
    },
  );

  app.get(
    "/v1/account",
    {
      config: { access: "owner" },
      schema: { operationId: "getAccount", summary: "Who am I", tags, response: { 200: whoAmI } },
    },
    async (request) => {
      const { ownerId, ...rest } = ownerOf(request);
      return { id: ownerId, ...rest };
    },
  );
}
