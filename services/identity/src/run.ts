import type { Platform } from "@portcullis/platform";
import type { ConfigOf } from "@portcullis/runtime";
import { createAttempts } from "./accounts/attempts.ts";
import { type AccountContext, createContacts } from "./accounts/context.ts";
import { createMails } from "./accounts/mail.ts";
import { createPasswords } from "./accounts/passwords.ts";
import { serveAccounts } from "./accounts/serve.ts";
import { prepareBootstrap } from "./accounts/sign-up.ts";
import { openAccountStore } from "./accounts/store.ts";
import type { identityConfig } from "./config.ts";
import { createEngine } from "./handshake/engine.ts";
import { serveHandshakes } from "./handshake/serve.ts";
import { createHandshakeStore } from "./handshake/store.ts";
import { createVerdicts } from "./handshake/verdicts.ts";
import { tagOf } from "./secrets.ts";
import { createSessionRegistry } from "./sessions/registry.ts";
import { createRevocation } from "./sessions/revocation.ts";
import { serveSessions } from "./sessions/serve.ts";
import { serveSockets } from "./sockets/serve.ts";
import { openSocketStore } from "./sockets/store.ts";

export { identityConfig } from "./config.ts";
export type IdentityConfig = ConfigOf<(typeof identityConfig)["options"]>;

/** @returns the bootstrap token where there is no owner yet and it was generated here. */
export async function run(
  platform: Platform,
  config: IdentityConfig,
): Promise<{ readonly bootstrapToken: string | null }> {
  const { documents, state, jobs, vault, caller, server, clock, ids, random, log } = platform;
  const accounts = await openAccountStore(documents);
  const store = await openSocketStore(documents);
  const sessions = createSessionRegistry(state, clock);
  const revocation = createRevocation({ caller, sessions, log });
  const passwords = await createPasswords();
  const contacts = createContacts(vault);
  const pathKey = vault.subkey("path");
  const attemptKey = vault.subkey("attempts");
  const attempts = (purpose: string) => createAttempts(state, purpose, (text) => tagOf(attemptKey, text));

  const accountContext: AccountContext = {
    store: accounts,
    passwords,
    signInAttempts: attempts("sign-in"),
    mailAttempts: attempts("mail"),
    mails: createMails({
      store: accounts,
      jobs,
      vault,
      clock,
      ids,
      openEmail: contacts.open,
      publicUrl: config.publicUrl.replace(/\/$/, ""),
    }),
    contacts,
    caller,
    clock,
    ids,
    random,
    log,
    signUp: config.signUp,
  };
  const bootstrapToken = await prepareBootstrap(accountContext, config.bootstrapToken);

  await serveAccounts(server, accountContext);
  await serveSockets(server, { store, pathKey, vault, passwords, sessions, revocation, caller, clock, ids, random });
  await serveSessions(server, sessions);
  await serveHandshakes(
    server,
    createEngine({
      store,
      handshakes: createHandshakeStore(state),
      sessions,
      verdicts: createVerdicts(log),
      caller,
      pathKey,
      clock,
      ids,
      log,
    }),
  );
  return { bootstrapToken };
}
