import type { Server } from "@portcullis/bus";
import * as contract from "@portcullis/contracts";
import type { State } from "@portcullis/state";
import { removeAnswerRuleOf, setAnswerRuleOf } from "./answer-rules.ts";
import { createAnswerSecretOf, removeAnswerSecretOf } from "./answer-secrets.ts";
import { createAppKeyOf, listAppKeysOf, revokeAppKeyOf } from "./app-keys.ts";
import { enrolAuthenticatorOf, removeAuthenticatorOf } from "./authenticators.ts";
import type { SocketContext } from "./context.ts";
import { kickSessionOf, listLiveSessionsOf } from "./live-sessions.ts";
import { createMemberOf, listMembersOf, removeMemberOf, updateMemberOf } from "./members.ts";
import {
  beginMemberPasskeyOf,
  finishMemberPasskeyOf,
  listMemberPasskeysOf,
  removeMemberPasskeyOf,
} from "./passkeys.ts";
import { simulatePolicyOf, validatePolicyOf } from "./policies.ts";
import { createSignInvitations } from "./sign-invitations.ts";
import { readSignOf, removeSignOf, setSignOf } from "./signs.ts";
import { createSocketOf, deleteSocketOf, getSocketOf, listSocketsOf, updateSocketOf } from "./sockets.ts";

export async function serveSockets(server: Server, context: SocketContext, state: State): Promise<void> {
  const invitations = createSignInvitations(context, state);
  await server.serve(contract.createSocket, (body) => createSocketOf(context, body));
  await server.serve(contract.listSockets, (body) => listSocketsOf(context, body));
  await server.serve(contract.getSocket, (body) => getSocketOf(context, body));
  await server.serve(contract.updateSocket, (body) => updateSocketOf(context, body));
  await server.serve(contract.deleteSocket, (body) => deleteSocketOf(context, body));
  await server.serve(contract.validatePolicyDocument, (body) => validatePolicyOf(context, body));
  await server.serve(contract.simulatePolicy, (body) => simulatePolicyOf(context, body));
  await server.serve(contract.createAppKey, (body) => createAppKeyOf(context, body));
  await server.serve(contract.listAppKeys, (body) => listAppKeysOf(context, body));
  await server.serve(contract.revokeAppKey, (body) => revokeAppKeyOf(context, body));
  await server.serve(contract.createMember, (body) => createMemberOf(context, body));
  await server.serve(contract.listMembers, (body) => listMembersOf(context, body));
  await server.serve(contract.updateMember, (body) => updateMemberOf(context, body));
  await server.serve(contract.removeMember, (body) => removeMemberOf(context, body));
  await server.serve(contract.createAnswerSecret, (body) => createAnswerSecretOf(context, body));
  await server.serve(contract.removeAnswerSecret, (body) => removeAnswerSecretOf(context, body));
  await server.serve(contract.setMemberAnswerRule, (body) => setAnswerRuleOf(context, body));
  await server.serve(contract.removeAnswerRule, (body) => removeAnswerRuleOf(context, body));
  await server.serve(contract.setSign, (body) => setSignOf(context, body));
  await server.serve(contract.readSign, (body) => readSignOf(context, body));
  await server.serve(contract.removeSign, (body) => removeSignOf(context, body));
  await server.serve(contract.inviteSign, (body) => invitations.invite(body));
  await server.serve(contract.setOwnSign, (body) => invitations.setOwn(body));
  await server.serve(contract.enrolAuthenticator, (body) => enrolAuthenticatorOf(context, body));
  await server.serve(contract.removeAuthenticator, (body) => removeAuthenticatorOf(context, body));
  await server.serve(contract.beginMemberPasskey, (body) => beginMemberPasskeyOf(context, body));
  await server.serve(contract.finishMemberPasskey, (body) => finishMemberPasskeyOf(context, body));
  await server.serve(contract.listMemberPasskeys, (body) => listMemberPasskeysOf(context, body));
  await server.serve(contract.removeMemberPasskey, (body) => removeMemberPasskeyOf(context, body));
  await server.serve(contract.listLiveSessions, (body) => listLiveSessionsOf(context, body));
  await server.serve(contract.kickSession, (body) => kickSessionOf(context, body));
}
