import { type AlertKind, mailQueue } from "@portcullis/contracts";
import { DuplicateError, type Stored } from "@portcullis/documents";
import type { Jobs } from "@portcullis/jobs";
import type { Clock, Ids, Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { alertMail } from "../alerts/words.ts";
import { tagOf } from "../secrets.ts";
import type { AccountStore, Mail, mailPurposes, Owner, peopleMailPurposes } from "./store.ts";

type Purpose = (typeof mailPurposes)[number];

export interface ComposedMail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** A mail that is about a socket. */
export interface MailAbout {
  /** The same once more is the same mail. */
  readonly id: string;
  /** Whose doing it is, or to whom it goes. */
  readonly accountId: string;
  readonly purpose: (typeof peopleMailPurposes)[number];
  readonly about: string;
  readonly expiresAtMs: number;
}

const lifeMs: Readonly<Record<Exclude<Purpose, AlertKind>, number> & Partial<Record<AlertKind, never>>> = {
  "verify-email": 24 * 3_600_000,
  "already-registered": 3_600_000,
  "reset-password": 30 * 60_000,
  "password-changed": 3_600_000,
  "canary-token": 24 * 3_600_000,
};
const alertLifeMs = 24 * 3_600_000;

/** What a token from a mail stands for. */
export interface FoundMail {
  readonly id: string;
  readonly ownerId: string;
  readonly passwordEpoch: number;
}

export interface Mails {
  /** Records the mail and leaves a job that names it. @param owner null: does the same work and sends nothing. */
  send(owner: Stored<Owner> | null, purpose: Purpose, about?: string): Promise<void>;
  sendAbout(mail: MailAbout): Promise<void>;
  /** One write and nothing else, where another case writes something that matters. */
  pretend(): Promise<void>;
  /** Null for a token that was never mailed, for another purpose, used up or expired. */
  find(token: string, purpose: Purpose): Promise<FoundMail | null>;
  /** Of concurrent users of one token exactly one gets true. */
  useUp(mailId: string): Promise<boolean>;
  compose(mailId: string): Promise<ComposedMail | null>;
}

export interface MailsOptions {
  readonly store: AccountStore;
  readonly state: State;
  readonly jobs: Jobs;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly openEmail: (ownerId: string, sealed: string) => string;
  /** Where a person would follow a link; without a trailing slash. */
  readonly publicUrl: string;
  /** What a mail about a socket says; null: nothing any more. */
  readonly composeAbout: (
    mail: Stored<Mail> & { readonly about: string; readonly accountId: string },
  ) => Promise<ComposedMail | null>;
}

export function createMails(options: MailsOptions): Mails {
  const { store, state, jobs, vault, clock, ids, openEmail, publicUrl } = options;
  // A token is derived from the mail's id when the mail is written: neither the job nor the database can be used as one.
  const key = vault.subkey("mail-token");
  const tokenOf = (mailId: string, purpose: Purpose) => `${mailId}.${tagOf(key, `${purpose} ${mailId}`)}`;

  async function record(owner: Stored<Owner> | null, purpose: Purpose, about?: string): Promise<string> {
    const id = ids.id();
    const now = clock();
    await store.mails.insert(id, {
      ownerId: owner?.id ?? null,
      purpose,
      passwordEpoch: owner?.body.passwordEpoch ?? 0,
      ...(about === undefined ? {} : { about }),
      createdAtMs: now,
      expiresAtMs: now + (lifeMs[purpose] ?? alertLifeMs),
    });
    return id;
  }

  return {
    async send(owner, purpose, about) {
      const id = await record(owner, purpose, about);
      await jobs.enqueue(mailQueue.name, { id: `mail_${id}`, data: { mailId: id } });
    },

    async sendAbout({ id, accountId, purpose, about, expiresAtMs }) {
      const mail = { ownerId: accountId, purpose, about, passwordEpoch: 0, createdAtMs: clock(), expiresAtMs };
      await store.mails.insert(id, mail).catch((error: unknown) => {
        if (!(error instanceof DuplicateError)) throw error;
      });
      await jobs.enqueue(mailQueue.name, { id: `mail_${id}`, data: { mailId: id } });
    },

    async pretend() {
      await record(null, "already-registered");
    },

    async find(token, purpose) {
      const mailId = token.split(".", 1)[0] ?? "";
      // Comparing two HMACs of which the attacker knows neither key nor value leaks nothing through time.
      if (tagOf(key, token) !== tagOf(key, tokenOf(mailId, purpose))) return null;
      const mail = await store.mails.get(mailId);
      if (mail === null || mail.body.purpose !== purpose || mail.body.ownerId === null) return null;
      return { id: mailId, ownerId: mail.body.ownerId, passwordEpoch: mail.body.passwordEpoch };
    },

    async useUp(mailId) {
      // Longer than any mail lives. The state port decides: a conditional delete is not atomic on every document engine.
      const first = (await state.create(`identity:mail-used:${mailId}`, Uint8Array.of(1), 25 * 3_600_000)) !== null;
      await store.mails.delete(mailId);
      return first;
    },

    async compose(mailId) {
      const mail = await store.mails.get(mailId);
      if (mail === null || mail.body.ownerId === null) return null;
      const { purpose, passwordEpoch, about = "" } = mail.body;
      if (purpose === "invitation" || purpose === "approval")
        return options.composeAbout({ ...mail, about, accountId: mail.body.ownerId });
      const owner = await store.owners.get(mail.body.ownerId);
      if (owner === null) return null;
      const done =
        (purpose === "verify-email" && owner.body.emailVerifiedAtMs !== null) ||
        (purpose === "reset-password" && owner.body.passwordEpoch !== passwordEpoch);
      if (done) return null;
      const to = openEmail(owner.id, owner.body.emailSealed);
      return { to, ...words(purpose, tokenOf(mailId, purpose), publicUrl, about) };
    },
  };
}

/**
 * Lines of at most 76 characters, so that a mail needs no encoding: in the outbox it is read as a file, and quoted-printable would
 * break a token in two.
 */
function words(purpose: Purpose, token: string, publicUrl: string, about: string): { subject: string; text: string } {
  const lines = (...text: string[]) => text.map((line) => `${line}\n`).join("");
  switch (purpose) {
    case "verify-email":
      return {
        subject: "Confirm your e-mail address for Portcullis",
        text: lines(
          "Somebody, hopefully you, opened a Portcullis account with this address.",
          "",
          "To confirm it, sign in with the password that you chose, run",
          "`portcullis owner email confirm` and paste this token:",
          "",
          `  ${token}`,
          "",
          'Programs that are signed in send it as {"token": "..."} in a POST to',
          `  ${publicUrl}/v1/account/email/verify`,
          "",
          "It is valid for 24 hours. If you chose no password here, give this token to",
          "nobody, and ignore this mail: nothing happens. If you want the account all",
          "the same, reset its password.",
        ),
      };
    case "already-registered":
      return {
        subject: "You already have a Portcullis account",
        text: lines(
          "Somebody, perhaps you, tried to open a second Portcullis account with",
          "this address. You already have one: sign in with it, or reset its password.",
          "",
          "If it was not you, ignore this mail: nothing changed.",
        ),
      };
    case "reset-password":
      return {
        subject: "Reset your Portcullis password",
        text: lines(
          "Somebody, hopefully you, asked to reset the password of your Portcullis",
          "account.",
          "",
          "Send this token with a new password (and your second factor, if you",
          "have one):",
          "",
          `  ${token}`,
          "",
          'as {"token": "...", "password": "..."} in a POST to',
          `  ${publicUrl}/v1/account/password/reset`,
          "",
          "It is valid for 30 minutes and works once. If it was not you, ignore this",
          "mail: nothing changed.",
        ),
      };
    case "password-changed":
      return {
        subject: "Your Portcullis password was changed",
        text: lines(
          "The password of your Portcullis account was changed and all other sessions",
          "were ended.",
          "",
          "If it was not you, reset it at once and look through your sockets, keys and",
          "tokens.",
        ),
      };
    case "canary-token":
      return {
        subject: "Somebody used an API token that you planted",
        text: lines(
          "Somebody came with a canary, an API token that you planted, and was refused.",
          "",
          "Nobody who may act for you has it. Whoever it is has been where you put it:",
          "what else lies there, other tokens above all, is known to somebody else.",
          "Revoke those, and look through your sockets and keys.",
          "",
          "Which one it was is the one that was used last in",
          "",
          "  portcullis owner token list",
          "",
          "However often it is used, you get at most one such mail in an hour.",
        ),
      };
    default:
      return alertMail(purpose, about);
  }
}
