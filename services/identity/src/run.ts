import { relyingPartyAt } from "@portcullis/contracts";
import type { Platform } from "@portcullis/platform";
import { type ConfigOf, networkOf } from "@portcullis/runtime";
import { openRooms, scopedState } from "@portcullis/state";
import { createAttempts, createQuota } from "./accounts/attempts.ts";
import { type AccountContext, createContacts } from "./accounts/context.ts";
import { createMails } from "./accounts/mail.ts";
import { createBound, createPasswords, type Passwords } from "./accounts/passwords.ts";
import { serveAccounts } from "./accounts/serve.ts";
import { prepareBootstrap } from "./accounts/sign-up.ts";
import { openAccountStore } from "./accounts/store.ts";
import { createAlerts } from "./alerts/alerts.ts";
import { createDeclines } from "./alerts/declines.ts";
import { serveAlerts } from "./alerts/serve.ts";
import { openAudit } from "./audit/open.ts";
import { serveAudit } from "./audit/serve.ts";
import type { identityConfig } from "./config.ts";
import { createDecoys } from "./decoy/decoys.ts";
import { createPlayer } from "./decoy/player.ts";
import { revocationOfBoth } from "./decoy/revocation.ts";
import { openIntruders } from "./decoy/rooms.ts";
import { serveDecoys } from "./decoy/serve.ts";
import { createEngine } from "./handshake/engine.ts";
import { createGuessing } from "./handshake/guessing.ts";
import { createNetworkRisk } from "./handshake/risk.ts";
import { serveHandshakes } from "./handshake/serve.ts";
import { createHandshakeStore } from "./handshake/store.ts";
import { createVerdicts } from "./handshake/verdicts.ts";
import { createPenalties } from "./penalties/penalties.ts";
import { serveHolds } from "./penalties/serve.ts";
import { createAnnounce } from "./people/announce.ts";
import { createInvitations } from "./people/invitations.ts";
import { createPeopleMails } from "./people/mails.ts";
import { servePeople } from "./people/serve.ts";
import { tagOf } from "./secrets.ts";
import { serveConsumers } from "./sessions/consumers.ts";
import { createEdgeWatch } from "./sessions/edges.ts";
import { createSessionRegistry } from "./sessions/registry.ts";
import { createRevocation } from "./sessions/revocation.ts";
import { serveSessions } from "./sessions/serve.ts";
import { createPathTag } from "./sockets/paths.ts";
import { serveSockets } from "./sockets/serve.ts";
import { openSocketStore, type SocketStore } from "./sockets/store.ts";
import { serveStepUps } from "./step-ups/serve.ts";
import { serveTickets } from "./tickets/serve.ts";
import { createTicketStore } from "./tickets/store.ts";

export { identityConfig } from "./config.ts";
export type IdentityConfig = ConfigOf<(typeof identityConfig)["options"]>;

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** A stranger who knows the path can keep a member out for an hour, and never where they came in from before. */
const passphraseCeiling = { max: 50, windowMs: 60 * minuteMs };

/**
 * @param parts.passwords for tests: argon2 takes its time on purpose.
 * @returns the bootstrap token where there is no owner yet and the operator set none.
 */
export async function run(
  platform: Platform,
  config: IdentityConfig,
  parts: { readonly passwords?: Passwords } = {},
): Promise<{ readonly bootstrapToken: string | null }> {
  const { documents, state, vault, caller, server, clock, ids, random, log } = platform;
  const store = await openSocketStore(documents);
  const sessions = createSessionRegistry(state, clock);
  const book = await openAudit(platform, store);
  const { audit, turnedAway, forgetBook } = book;
  const decoyState = scopedState(state, "decoy:");
  const decoySessions = createSessionRegistry(decoyState, clock);
  const decoyRevocation = createRevocation({ caller, sessions: decoySessions, log, audit });
  const revocation = revocationOfBoth(createRevocation({ caller, sessions, log, audit }), decoyRevocation);
  const networkKey = vault.subkey("networks");
  const intruders = await openIntruders({
    documents,
    state: decoyState,
    rooms: await openRooms(state),
    holderKey: networkKey,
    clock,
  });
  const passwords = parts.passwords ?? (await createPasswords());
  const pathTag = createPathTag(vault);

  const accountContext = await openAccounts(platform, config, passwords, store);
  const prepared = await prepareBootstrap(accountContext);

  await serveAccounts(server, accountContext);
  const socketContext = {
    store,
    intruders,
    pathTag,
    vault,
    passwords,
    sessions,
    revocation,
    audit,
    forgetBook,
    caller,
    relyingParty: accountContext.relyingParty,
    clock,
    log,
    ids,
    random,
  };
  await serveSockets(server, socketContext, state);
  const alerts = createAlerts({
    store,
    owners: accountContext.store.owners,
    mails: accountContext.mails,
    audit,
    state,
    jobs: platform.jobs,
    clock,
    ids,
    log,
  });
  await serveAlerts(server, socketContext);
  await serveAudit(server, { ...book, sockets: store, accounts: accountContext, caller, clock });
  const tickets = createTicketStore(state, { clock, random });
  const countKey = vault.subkey("attempts");
  const tag = (text: string) => tagOf(countKey, text);
  await serveTickets(server, {
    ...socketContext,
    tickets,
    passphrases: aside(passwords),
    attempts: {
      passphrase: createAttempts(state, "passphrase", tag, passphraseCeiling),
      passkey: createAttempts(state, "member-passkey", tag, passphraseCeiling),
    },
    passkeyBegins: createQuota(state, "passkey-ticket", { max: 60, windowMs: 15 * minuteMs }, tag),
    claimKey: vault.subkey("passkey-ticket"),
    state,
    alerts,
    networkTag: (address) => tagOf(networkKey, networkOf(address)),
  });
  const handshakes = createHandshakeStore(state, vault);
  const invitations = createInvitations(store, vault);
  await servePeople(server, { ...socketContext, accounts: accountContext, handshakes, invitations });
  const edges = createEdgeWatch(state, clock);
  await serveSessions(server, { registries: [sessions, decoySessions], edges, audit, clock });
  await serveConsumers(server, { sessions, revocation, audit });
  await serveHolds(server, { store, state, clock, audit });
  const risk = createNetworkRisk(state);
  const player = createPlayer({ key: vault.subkey("decoy"), clock });
  await serveDecoys(server, { store, caller, intruders, sessions: decoySessions, revocation: decoyRevocation });
  const engine = createEngine({
    store,
    handshakes,
    sessions,
    revocation,
    edges,
    verdicts: createVerdicts({ log, audit, turnedAway }),
    risk,
    guessing: createGuessing({ state, risk, alerts }),
    declines: createDeclines({
      state,
      alerts,
      clock,
      onFailure: (error) => log.warn("a verdict was not counted", {}, error),
    }),
    alerts,
    penalties: createPenalties(state, risk, clock),
    state,
    audit,
    decoys: createDecoys({ sessions: decoySessions, player, intruders, audit, alerts, caller, clock, log }),
    caller,
    pathTag,
    tickets,
    vault,
    stepKey: vault.subkey("handshake-step"),
    networkKey,
    clock,
    ids,
    announce: createAnnounce({
      store,
      mails: accountContext.mails,
      quotas: [
        createQuota(state, "approval-mail", { max: 1, windowMs: 10 * minuteMs }, tag),
        createQuota(state, "approval-mail-day", { max: 50, windowMs: dayMs }, tag),
      ],
      clock,
      log,
    }),
    log,
  });
  await serveHandshakes(server, engine);
  await serveStepUps(server, engine.stepUps, { store });
  return { bootstrapToken: config.bootstrapToken === null ? prepared : null };
}

/** Strangers may try passphrases of members: at most half of the slow hashes at once are theirs, and owners sign in all the same. */
function aside(passwords: Passwords): Pick<Passwords, "matches"> {
  const bounded = createBound(2, 16);
  return { matches: (stored, password) => bounded(() => passwords.matches(stored, password)) };
}

async function openAccounts(
  platform: Platform,
  config: IdentityConfig,
  passwords: Passwords,
  sockets: SocketStore,
): Promise<AccountContext> {
  const { documents, state, jobs, vault, caller, clock, ids, random, log } = platform;
  const store = await openAccountStore(documents);
  const contacts = createContacts(vault);
  const countKey = vault.subkey("attempts");
  const countTag = (text: string) => tagOf(countKey, text);
  const attempts = (purpose: string) => createAttempts(state, purpose, countTag);
  const quota = (name: string, max: number, windowMs: number) => createQuota(state, name, { max, windowMs }, countTag);
  const invitations = createInvitations(sockets, vault);
  const publicUrl = config.publicUrl.replace(/\/$/, "");
  const [perInviter, perInvited] = [quota("invitations", 30, dayMs), quota("invited-mailbox", 20, dayMs)];
  const bootstrapKey = vault.subkey("bootstrap");
  const relyingParty = relyingPartyAt(publicUrl);
  if (relyingParty === null) log.warn("PUBLIC_URL has no host name: there are no passkeys for this server's own pages");
  return {
    store,
    passwords,
    attempts: {
      password: attempts("password"),
      secondFactor: attempts("second-factor"),
      reauthentication: attempts("reauthentication"),
      enrolment: attempts("enrolment"),
    },
    quotas: {
      signUp: quota("sign-up", 20, 15 * minuteMs),
      passkeySignIn: quota("passkey-sign-in", 60, 15 * minuteMs),
      askedMail: quota("asked-mail", 20, 15 * minuteMs),
      mailbox: [quota("mailbox-minute", 1, minuteMs), quota("mailbox-day", 20, dayMs)],
      invitation: (ownerId, email) => [
        [perInviter, ownerId],
        [perInvited, email],
      ],
    },
    mails: createMails({
      store,
      state,
      jobs,
      vault,
      clock,
      ids,
      openEmail: contacts.open,
      publicUrl,
      composeAbout: createPeopleMails({
        store: sockets,
        owners: store.owners,
        invitations,
        openEmail: contacts.open,
        publicUrl,
      }),
    }),
    contacts,
    relyingParty,
    state,
    vault,
    caller,
    clock,
    ids,
    random,
    log,
    signUp: config.signUp,
    isInvited: invitations.isFor,
    bootstrapToken: (firstOwnerId) => config.bootstrapToken ?? `pcb_${tagOf(bootstrapKey, firstOwnerId)}`,
  };
}
