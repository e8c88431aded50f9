import {
  beginOwnerPasskey,
  beginPasskeySignIn,
  finishOwnerPasskey,
  finishPasskeySignIn,
  listOwnerPasskeys,
  removeOwnerPasskey,
} from "@portcullis/contracts";
import { z } from "zod";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { id, password, time, timeOf } from "../http/fields.ts";
import { done, nothing } from "../http/nothing.ts";
import { label, passkey, registration, response, viewOfPasskey } from "../passkeys/fields.ts";
import type { RouteContext } from "../routes.ts";
import { secondFactorFields, secondFactorOf } from "./second-factor.ts";
import { userAgentOf } from "./user-agent.ts";

const tags = ["account"];
const url = "/v1/account/passkeys";

/** The owner's own passkeys, and signing in by one. */
export function ownerPasskeyRoutes(app: App, { caller, cookie, site }: RouteContext): void {
  app.get(
    url,
    {
      config: { access: "session" },
      schema: {
        operationId: "listPasskeys",
        summary: "The account's passkeys",
        tags,
        response: { 200: z.object({ passkeys: z.array(passkey) }) },
      },
    },
    async (request) => {
      const { passkeys } = await caller.call(listOwnerPasskeys, { ownerId: ownerOf(request).ownerId });
      return { passkeys: passkeys.map(viewOfPasskey) };
    },
  );

  app.post(
    `${url}/begin`,
    {
      config: { access: "session", errors: ["reauthentication_failed", "second_factor_required", "conflict"] },
      schema: {
        operationId: "beginPasskey",
        summary: "Begin to register a passkey",
        description:
          "It signs in by itself, so it takes the password, and the second factor where there is one. `conflict`: the e-mail address is not confirmed.",
        tags,
        body: z.strictObject({ password, ...secondFactorFields }),
        response: { 200: registration },
      },
    },
    (request) =>
      caller.call(beginOwnerPasskey, {
        ownerId: ownerOf(request).ownerId,
        password: request.body.password,
        secondFactor: secondFactorOf(request.body),
      }),
  );

  app.post(
    url,
    {
      config: { access: "session" },
      schema: {
        operationId: "createPasskey",
        summary: "Register a passkey",
        description: "Each answer ends its registration.",
        tags,
        body: z.strictObject({ registrationId: id, response, label }),
        response: { 201: passkey },
      },
    },
    async (request, reply) => {
      const { ownerId } = ownerOf(request);
      const made = await caller.call(finishOwnerPasskey, { ownerId, origin: site.origin(), ...request.body });
      return reply.code(201).send(viewOfPasskey(made));
    },
  );

  app.delete(
    `${url}/:id`,
    {
      config: { access: "session", errors: ["reauthentication_failed", "not_found"] },
      schema: {
        operationId: "removePasskey",
        summary: "Remove a passkey",
        description: "All other sessions end: some may be of whoever has the device.",
        tags,
        params: z.strictObject({ id }),
        body: z.strictObject({ password }),
        response: { 204: nothing("Removed") },
      },
    },
    async (request, reply) => {
      const { ownerId, credential } = ownerOf(request);
      const { password } = request.body;
      const passkeyId = request.params.id;
      await caller.call(removeOwnerPasskey, { ownerId, passkeyId, password, keepSessionId: credential.id });
      return done(reply);
    },
  );

  app.post(
    "/v1/sign-in/passkey/begin",
    {
      config: { access: "anybody", errors: ["invalid"] },
      schema: {
        operationId: "beginPasskeySignIn",
        summary: "Get a challenge for a passkey",
        description: "Good once, for 5 minutes. The browser offers the passkeys that it has for this server.",
        tags,
        response: {
          200: z.object({
            signInId: id,
            options: z.object({
              challenge: z.string(),
              rpId: z.string(),
              userVerification: z.literal("required"),
              timeout: z.int(),
            }),
          }),
        },
      },
    },
    async (request) => {
      const { signInId, challenge, relyingParty } = await caller.call(beginPasskeySignIn, { address: request.ip });
      const options = { challenge, rpId: relyingParty, userVerification: "required" as const, timeout: 300_000 };
      return { signInId, options };
    },
  );

  app.post(
    "/v1/sign-in/passkey",
    {
      config: { access: "anybody", errors: ["unauthenticated"] },
      schema: {
        operationId: "signInByPasskey",
        summary: "Sign in by a passkey and get the session cookie",
        description: "Neither password nor code is asked for: the device has verified its person.",
        tags,
        body: z.strictObject({ signInId: id, response }),
        response: { 200: z.object({ sessionId: id, expiresAt: time }) },
      },
    },
    async (request, reply) => {
      const { secret, sessionId, expiresAtMs } = await caller.call(finishPasskeySignIn, {
        ...request.body,
        origin: site.origin(),
        address: request.ip,
        userAgent: userAgentOf(request),
      });
      cookie.set(reply, secret, expiresAtMs);
      return { sessionId, expiresAt: timeOf(expiresAtMs) };
    },
  );
}
