import { forgotPassword, resendVerification, resetPassword, verifyEmail } from "@portcullis/contracts";
import { z } from "zod";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { email, mailToken, password } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import type { RouteContext } from "../routes.ts";
import { secondFactorFields, secondFactorOf } from "./second-factor.ts";

const tags = ["account"];

/** What somebody does who can read the account's mailbox. */
export function mailboxRoutes(app: App, { caller }: RouteContext): void {
  app.post(
    "/v1/account/email/verify",
    {
      config: { access: "session" },
      schema: {
        operationId: "verifyEmail",
        summary: "Confirm the e-mail address with the token from the mail",
        description:
          "By whoever is signed in to the account: the token alone would confirm an account that somebody else opened with this address. Who has the mailbox and not the password resets it, which confirms as well.",
        tags,
        body: z.strictObject({ token: mailToken }),
        response: { 204: nothing("Verified") },
      },
    },
    async (request, reply) => {
      await caller.call(verifyEmail, { ownerId: ownerOf(request).ownerId, ...request.body });
      return done(reply);
    },
  );

  app.post(
    "/v1/account/email/resend",
    {
      config: { access: "owner" },
      schema: {
        operationId: "resendVerification",
        summary: "Send the verification mail again",
        tags,
        response: { 202: nothing("On its way, unless the address is verified") },
      },
    },
    async (request, reply) => {
      await caller.call(resendVerification, { ownerId: ownerOf(request).ownerId });
      return done(reply, 202);
    },
  );

  app.post(
    "/v1/account/password/forgot",
    {
      config: { access: "anybody" },
      schema: {
        operationId: "forgotPassword",
        summary: "Ask for a mail that allows a new password",
        description: "Answers alike whether or not the address has an account.",
        tags,
        body: z.strictObject({ email }),
        response: { 202: nothing("On its way, if there is such an account") },
      },
    },
    async (request, reply) => {
      await caller.call(forgotPassword, { email: request.body.email, address: request.ip });
      return done(reply, 202);
    },
  );

  app.post(
    "/v1/account/password/reset",
    {
      config: { access: "anybody", errors: ["unauthenticated", "second_factor_required", "conflict"] },
      schema: {
        operationId: "resetPassword",
        summary: "Set a new password with the token from the mail",
        description:
          "All sessions, API tokens and passkeys end. The mailbox alone is not enough where a second factor is active.",
        tags,
        body: z.strictObject({ token: mailToken, password, ...secondFactorFields }),
        response: { 204: nothing("Set; sign in with it") },
      },
    },
    async (request, reply) => {
      const { token, password } = request.body;
      await caller.call(resetPassword, { token, next: password, secondFactor: secondFactorOf(request.body) });
      return done(reply);
    },
  );
}
