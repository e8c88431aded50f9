import type { Server } from "@portcullis/bus";
import * as contract from "@portcullis/contracts";
import { parsePolicy } from "@portcullis/policy";
import type { State } from "@portcullis/state";
import { present } from "../audit/audit.ts";
import { hashOf } from "../secrets.ts";
import { removeAnswerRuleOf, setAnswerRuleOf } from "./answer-rules.ts";
import { createAnswerSecretOf, removeAnswerSecretOf } from "./answer-secrets.ts";
import { createAppKeyOf, listAppKeysOf, revokeAppKeyOf } from "./app-keys.ts";
import { enrolAuthenticatorOf, removeAuthenticatorOf } from "./authenticators.ts";
import type { SocketContext } from "./context.ts";
import { listDirectoryOf, resetDirectoryOf } from "./directory.ts";
import { kickSessionOf, listLiveSessionsOf } from "./live-sessions.ts";
import { createMemberOf, listMembersOf, removeMemberOf, updateMemberOf } from "./members.ts";
import {
  beginMemberPasskeyOf,
  finishMemberPasskeyOf,
  listMemberPasskeysOf,
  removeMemberPasskeyOf,
} from "./passkeys.ts";
import { simulatePolicyOf, validatePolicyOf } from "./policies.ts";
import { recorded, recordedOf } from "./recorded.ts";
import { createSignInvitations } from "./sign-invitations.ts";
import { readSignOf, removeSignOf, setSignOf } from "./signs.ts";
import { createSocketOf, deleteSocketOf, getSocketOf, listSocketsOf, updateSocketOf } from "./sockets.ts";
import { createWebhookOf, listWebhooksOf, removeWebhookOf, rotateWebhookOf } from "./webhooks.ts";

export async function serveSockets(server: Server, context: SocketContext, state: State): Promise<void> {
  const invitations = createSignInvitations(context, state);
  /** Of the socket itself. */
  const changed = (what: string, about: Readonly<Record<string, string>> = {}) => ({
    event: "socket-changed" as const,
    about: { what, ...about },
  });
  const memberChanged = (what: string) => ({ event: "member-changed" as const, about: { what } });
  await server.serve(contract.createSocket, async (body) => {
    const made = await createSocketOf(context, body);
    await context.audit.note(made.id, { ...changed("made", policyHashOf(made.policy)), by: body.ownerId });
    return made;
  });
  await server.serve(contract.listSockets, (body) => listSocketsOf(context, body));
  await server.serve(contract.getSocket, (body) => getSocketOf(context, body));
  await server.serve(
    contract.updateSocket,
    recorded(
      context,
      (body) => updateSocketOf(context, body),
      ({ path, idParameter, policy }) =>
        changed(
          Object.entries({ path, idParameter, policy })
            .flatMap(([name, value]) => (value === null ? [] : [name]))
            .join(" "),
          policy === null ? {} : policyHashOf(policy),
        ),
    ),
  );
  // Its book goes with it.
  await server.serve(contract.deleteSocket, (body) => deleteSocketOf(context, body));
  await server.serve(contract.validatePolicyDocument, (body) => validatePolicyOf(context, body));
  await server.serve(contract.simulatePolicy, (body) => simulatePolicyOf(context, body));
  await server.serve(
    contract.createAppKey,
    recorded(
      context,
      (body) => createAppKeyOf(context, body),
      ({ role }, made) => ({ event: "key-made", ...present({ key: made?.appKey.keyId }), about: { role } }),
    ),
  );
  await server.serve(contract.listAppKeys, (body) => listAppKeysOf(context, body));
  await server.serve(
    contract.revokeAppKey,
    recorded(
      context,
      (body) => revokeAppKeyOf(context, body),
      ({ keyId }) => ({ event: "key-revoked", key: keyId }),
    ),
  );
  await server.serve(
    contract.createMember,
    recordedOf(
      context,
      (body) => createMemberOf(context, body),
      () => ({ event: "member-added" }),
    ),
  );
  await server.serve(contract.listMembers, (body) => listMembersOf(context, body));
  await server.serve(
    contract.updateMember,
    recordedOf(
      context,
      (body) => updateMemberOf(context, body),
      ({ contacts, passphrase }) =>
        memberChanged(
          [...(contacts === null ? [] : ["contacts"]), ...(passphrase === null ? [] : ["passphrase"])].join(" "),
        ),
    ),
  );
  await server.serve(
    contract.removeMember,
    recordedOf(
      context,
      (body) => removeMemberOf(context, body),
      () => ({ event: "member-removed" }),
    ),
  );
  await server.serve(
    contract.createAnswerSecret,
    recordedOf(
      context,
      (body) => createAnswerSecretOf(context, body),
      () => memberChanged("answer-secret-made"),
    ),
  );
  await server.serve(
    contract.removeAnswerSecret,
    recordedOf(
      context,
      (body) => removeAnswerSecretOf(context, body),
      () => memberChanged("answer-secret-removed"),
    ),
  );
  await server.serve(
    contract.setMemberAnswerRule,
    recordedOf(
      context,
      (body) => setAnswerRuleOf(context, body),
      () => memberChanged("answer-rule-set"),
    ),
  );
  await server.serve(
    contract.removeAnswerRule,
    recordedOf(
      context,
      (body) => removeAnswerRuleOf(context, body),
      () => memberChanged("answer-rule-removed"),
    ),
  );
  await server.serve(
    contract.setSign,
    recordedOf(
      context,
      (body) => setSignOf(context, body),
      () => memberChanged("sign-set"),
    ),
  );
  await server.serve(contract.readSign, (body) => readSignOf(context, body));
  await server.serve(
    contract.removeSign,
    recordedOf(
      context,
      (body) => removeSignOf(context, body),
      () => memberChanged("sign-removed"),
    ),
  );
  await server.serve(
    contract.inviteSign,
    recordedOf(
      context,
      (body) => invitations.invite(body),
      () => memberChanged("sign-invited"),
    ),
  );
  await server.serve(contract.setOwnSign, (body) => invitations.setOwn(body));
  await server.serve(
    contract.createWebhook,
    recorded(
      context,
      (body) => createWebhookOf(context, body),
      (_, made) => changed("webhook-made", present({ webhook: made?.webhook.id })),
    ),
  );
  await server.serve(contract.listWebhooks, (body) => listWebhooksOf(context, body));
  await server.serve(
    contract.rotateWebhook,
    recorded(
      context,
      (body) => rotateWebhookOf(context, body),
      ({ webhookId }) => changed("webhook-secret", { webhook: webhookId }),
    ),
  );
  await server.serve(
    contract.removeWebhook,
    recorded(
      context,
      (body) => removeWebhookOf(context, body),
      ({ webhookId }) => changed("webhook-removed", { webhook: webhookId }),
    ),
  );
  await server.serve(
    contract.enrolAuthenticator,
    authenticatorChange(context, "made", (body) => enrolAuthenticatorOf(context, body)),
  );
  await server.serve(
    contract.removeAuthenticator,
    authenticatorChange(context, "removed", (body) => removeAuthenticatorOf(context, body)),
  );
  await server.serve(contract.beginMemberPasskey, (body) => beginMemberPasskeyOf(context, body));
  await server.serve(
    contract.finishMemberPasskey,
    recordedOf(
      context,
      (body) => finishMemberPasskeyOf(context, body),
      () => memberChanged("passkey-made"),
    ),
  );
  await server.serve(contract.listMemberPasskeys, (body) => listMemberPasskeysOf(context, body));
  await server.serve(
    contract.removeMemberPasskey,
    recordedOf(
      context,
      (body) => removeMemberPasskeyOf(context, body),
      () => memberChanged("passkey-removed"),
    ),
  );
  await server.serve(contract.listDirectory, (body) => listDirectoryOf(context, body));
  await server.serve(
    contract.resetDirectory,
    recorded(
      context,
      (body) => resetDirectoryOf(context, body),
      ({ name }) => changed("directory-reset", { name }),
    ),
  );
  await server.serve(contract.listLiveSessions, (body) => listLiveSessionsOf(context, body));
  await server.serve(contract.kickSession, (body) => kickSessionOf(context, body));
}

interface OfAuthenticator {
  readonly ownerId: string;
  readonly socketId: string;
  readonly memberName: string | null;
}

/** Of a member, or of the socket itself. */
function authenticatorChange<Reply>(
  context: SocketContext,
  what: "made" | "removed",
  change: (body: OfAuthenticator) => Promise<Reply>,
): (body: OfAuthenticator) => Promise<Reply> {
  const about = { what: `authenticator-${what}` };
  return (body) =>
    body.memberName === null
      ? recorded(context, change, () => ({ event: "socket-changed", about }))(body)
      : recordedOf(
          context,
          () => change(body),
          () => ({ event: "member-changed", about }),
        )({ ...body, name: body.memberName });
}

/** As receipts have it, so that they can be laid side by side. */
function policyHashOf(policy: Readonly<Record<string, unknown>>): { readonly policyHash?: string } {
  const parsed = parsePolicy(policy);
  return parsed.ok ? { policyHash: hashOf(JSON.stringify(parsed.policy)) } : {};
}
