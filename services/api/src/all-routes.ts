import type { Health } from "@portcullis/runtime";
import { credentialRoutes } from "./account/credentials.ts";
import { mailboxRoutes } from "./account/mailbox.ts";
import { ownerPasskeyRoutes } from "./account/passkeys.ts";
import { securityRoutes } from "./account/security.ts";
import { signingInRoutes } from "./account/signing-in.ts";
import { guardRoutes } from "./callers/guard.ts";
import type { App } from "./http/app.ts";
import { documentRoutes } from "./http/documentation.ts";
import { confirmRoutes } from "./pages/confirm.ts";
import { outboxRoutes } from "./pages/outbox.ts";
import { callbackRoutes } from "./providers/callbacks.ts";
import { twilioRoutes } from "./providers/twilio.ts";
import type { RouteContext } from "./routes.ts";
import { serverRoutes } from "./server-info.ts";
import { alertRoutes } from "./sockets/alerts.ts";
import { answerRuleRoutes } from "./sockets/answer-rules.ts";
import { answerSecretRoutes } from "./sockets/answer-secrets.ts";
import { appKeyRoutes } from "./sockets/app-keys.ts";
import { approvalRoutes } from "./sockets/approvals.ts";
import { auditRoutes } from "./sockets/audit.ts";
import { authenticatorRoutes } from "./sockets/authenticators.ts";
import { decoyRoutes } from "./sockets/decoys.ts";
import { directoryRoutes } from "./sockets/directory.ts";
import { holdRoutes } from "./sockets/holds.ts";
import { liveSessionRoutes } from "./sockets/live-sessions.ts";
import { memberRoutes } from "./sockets/members.ts";
import { memberPasskeyRoutes } from "./sockets/passkeys.ts";
import { peopleRoutes } from "./sockets/people.ts";
import { policyRoutes } from "./sockets/policies.ts";
import { signRoutes } from "./sockets/signs.ts";
import { socketRoutes } from "./sockets/sockets.ts";
import { webhookRoutes } from "./sockets/webhooks.ts";
import { doorRoutes } from "./tickets/door.ts";
import { mintRoutes } from "./tickets/mint.ts";

const groups = [
  signingInRoutes,
  mailboxRoutes,
  securityRoutes,
  credentialRoutes,
  ownerPasskeyRoutes,
  socketRoutes,
  policyRoutes,
  appKeyRoutes,
  memberRoutes,
  authenticatorRoutes,
  answerRuleRoutes,
  answerSecretRoutes,
  memberPasskeyRoutes,
  signRoutes,
  webhookRoutes,
  alertRoutes,
  liveSessionRoutes,
  auditRoutes,
  decoyRoutes,
  holdRoutes,
  directoryRoutes,
  mintRoutes,
  doorRoutes,
  peopleRoutes,
  approvalRoutes,
  outboxRoutes,
  confirmRoutes,
  twilioRoutes,
  callbackRoutes,
];

/** The guard and the documentation come first: they hold for what is added after them. */
export async function addRoutes(app: App, context: RouteContext, health: Health): Promise<void> {
  guardRoutes(app, context);
  await documentRoutes(app, context.cookie.name);
  for (const addGroup of groups) addGroup(app, context);
  serverRoutes(app, context, health);
}
