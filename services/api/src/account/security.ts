import {
  beginOwnerAuthenticator,
  changePassword,
  confirmOwnerAuthenticator,
  removeOwnerAuthenticator,
  renewRecoveryCodes,
} from "@portcullis/contracts";
import { z } from "zod";
import { enrolmentResponse, sendEnrolment } from "../authenticators/enrolment.ts";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { code, password } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import type { RouteContext } from "../routes.ts";
import { requiredSecondFactorOf, secondFactorFields, secondFactorOf } from "./second-factor.ts";

const tags = ["account"];
const recoveryCodes = z.object({ recoveryCodes: z.array(z.string()).describe("each works once; shown this once") });

/** Password and second factor of the account. */
export function securityRoutes(app: App, { caller }: RouteContext): void {
  app.post(
    "/v1/account/password/change",
    {
      config: { access: "session", errors: ["reauthentication_failed", "second_factor_required", "conflict"] },
      schema: {
        operationId: "changePassword",
        summary: "Change the password",
        description: "All other sessions end.",
        tags,
        body: z.strictObject({ currentPassword: password, password, ...secondFactorFields }),
        response: { 204: nothing("Changed") },
      },
    },
    async (request, reply) => {
      const { ownerId, credential } = ownerOf(request);
      const { currentPassword, password } = request.body;
      await caller.call(changePassword, {
        ownerId,
        current: currentPassword,
        next: password,
        secondFactor: secondFactorOf(request.body),
        keepSessionId: credential.id,
      });
      return done(reply);
    },
  );

  app.post(
    "/v1/account/authenticator",
    {
      config: { access: "session", errors: ["reauthentication_failed", "conflict"] },
      schema: {
        operationId: "beginAuthenticator",
        summary: "Start to enrol an authenticator app",
        description:
          "It counts once a code from it was confirmed. `conflict`: one is active, remove it first; or the e-mail address is not confirmed.",
        tags,
        body: z.strictObject({ password }),
        response: { 200: enrolmentResponse },
      },
    },
    async (request, reply) => {
      const { ownerId } = ownerOf(request);
      const { uri } = await caller.call(beginOwnerAuthenticator, { ownerId, password: request.body.password });
      return sendEnrolment(request, reply, uri);
    },
  );

  app.post(
    "/v1/account/authenticator/confirm",
    {
      config: { access: "session", errors: ["conflict"] },
      schema: {
        operationId: "confirmAuthenticator",
        summary: "Confirm the authenticator app with a code from it",
        description: "All other sessions end: they were opened without it.",
        tags,
        body: z.strictObject({ code }),
        response: { 200: recoveryCodes },
      },
    },
    (request) => {
      const { ownerId, credential } = ownerOf(request);
      return caller.call(confirmOwnerAuthenticator, {
        ownerId,
        code: request.body.code,
        keepSessionId: credential.id,
      });
    },
  );

  app.delete(
    "/v1/account/authenticator",
    {
      config: { access: "session", errors: ["reauthentication_failed", "not_found", "second_factor_required"] },
      schema: {
        operationId: "removeAuthenticator",
        summary: "Remove the authenticator app",
        tags,
        body: z.strictObject({ password, ...secondFactorFields }),
        response: { 204: nothing("Removed") },
      },
    },
    async (request, reply) => {
      await caller.call(removeOwnerAuthenticator, {
        ownerId: ownerOf(request).ownerId,
        password: request.body.password,
        secondFactor: requiredSecondFactorOf(request.body),
      });
      return done(reply);
    },
  );

  app.post(
    "/v1/account/recovery-codes",
    {
      config: { access: "session", errors: ["reauthentication_failed", "not_found"] },
      schema: {
        operationId: "renewRecoveryCodes",
        summary: "Replace all recovery codes",
        tags,
        body: z.strictObject({ password, code }),
        response: { 200: recoveryCodes },
      },
    },
    (request) => caller.call(renewRecoveryCodes, { ownerId: ownerOf(request).ownerId, ...request.body }),
  );
}
