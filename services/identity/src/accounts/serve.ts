import type { Server } from "@portcullis/bus";
import * as contract from "@portcullis/contracts";
import { createTokenOf, listTokensOf, revokeTokenOf } from "./api-tokens.ts";
import type { AccountContext } from "./context.ts";
import {
  beginOwnerPasskeyOf,
  beginPasskeySignInOf,
  finishOwnerPasskeyOf,
  finishPasskeySignInOf,
  listOwnerPasskeysOf,
  removeOwnerPasskeyOf,
} from "./passkeys.ts";
import {
  changePasswordOf,
  forgotPasswordOf,
  resendVerificationOf,
  resetPasswordOf,
  verifyEmailOf,
} from "./password.ts";
import { beginAuthenticator, confirmAuthenticator, removeAuthenticator, renewRecovery } from "./second-factor.ts";
import { authenticateCaller, signIn } from "./sign-in.ts";
import { signUp } from "./sign-up.ts";
import { listSessionsOf, revokeSessionOf, signOutOf } from "./web-sessions.ts";

export async function serveAccounts(server: Server, context: AccountContext): Promise<void> {
  await server.serve(contract.signUp, (body) => signUp(context, body));
  await server.serve(contract.signIn, (body) => signIn(context, body));
  await server.serve(contract.authenticate, (body) => authenticateCaller(context, body));
  await server.serve(contract.signOut, (body) => signOutOf(context, body));
  await server.serve(contract.listWebSessions, (body) => listSessionsOf(context, body));
  await server.serve(contract.revokeWebSession, (body) => revokeSessionOf(context, body));
  await server.serve(contract.createApiToken, (body) => createTokenOf(context, body));
  await server.serve(contract.listApiTokens, (body) => listTokensOf(context, body));
  await server.serve(contract.revokeApiToken, (body) => revokeTokenOf(context, body));
  await server.serve(contract.beginOwnerAuthenticator, (body) => beginAuthenticator(context, body));
  await server.serve(contract.confirmOwnerAuthenticator, (body) => confirmAuthenticator(context, body));
  await server.serve(contract.removeOwnerAuthenticator, (body) => removeAuthenticator(context, body));
  await server.serve(contract.renewRecoveryCodes, (body) => renewRecovery(context, body));
  await server.serve(contract.changePassword, (body) => changePasswordOf(context, body));
  await server.serve(contract.forgotPassword, (body) => forgotPasswordOf(context, body));
  await server.serve(contract.resetPassword, (body) => resetPasswordOf(context, body));
  await server.serve(contract.verifyEmail, (body) => verifyEmailOf(context, body));
  await server.serve(contract.resendVerification, (body) => resendVerificationOf(context, body));
  await server.serve(contract.beginOwnerPasskey, (body) => beginOwnerPasskeyOf(context, body));
  await server.serve(contract.finishOwnerPasskey, (body) => finishOwnerPasskeyOf(context, body));
  await server.serve(contract.listOwnerPasskeys, (body) => listOwnerPasskeysOf(context, body));
  await server.serve(contract.removeOwnerPasskey, (body) => removeOwnerPasskeyOf(context, body));
  await server.serve(contract.beginPasskeySignIn, (body) => beginPasskeySignInOf(context, body));
  await server.serve(contract.finishPasskeySignIn, (body) => finishPasskeySignInOf(context, body));
  await server.serve(contract.composeMail, async ({ mailId }) => ({ mail: await context.mails.compose(mailId) }));
}
