import { mailQueue } from "@portcullis/contracts";
import type { Jobs } from "@portcullis/jobs";
import type { Clock, Ids, Vault } from "@portcullis/runtime";
import { tagOf } from "../secrets.ts";
import type { AccountStore, Mail } from "./store.ts";

type Purpose = Mail["purpose"];

const lifeMs: Record<Purpose, number> = {
  "verify-email": 24 * 3_600_000,
  "already-registered": 3_600_000,
  "reset-password": 30 * 60_000,
  "password-changed": 3_600_000,
};

export interface Mails {
  /** Records the mail and leaves a job that names it. */
  send(ownerId: string, purpose: Purpose): Promise<void>;
  /** The mail that a token from one stands for, or null. */
  find(token: string, purpose: Purpose): Promise<{ readonly id: string; readonly ownerId: string } | null>;
  /** Of concurrent users of one token exactly one gets true. */
  useUp(mailId: string): Promise<boolean>;
  compose(mailId: string): Promise<{ to: string; subject: string; text: string } | null>;
}

export interface MailsOptions {
  readonly store: AccountStore;
  readonly jobs: Jobs;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly openEmail: (ownerId: string, sealed: string) => string;
  /** Where a person would follow a link; without a trailing slash. */
  readonly publicUrl: string;
}

export function createMails({ store, jobs, vault, clock, ids, openEmail, publicUrl }: MailsOptions): Mails {
  // A token is derived from the mail's id when the mail is written: neither the job nor the database can be used as one.
  const tokenKey = vault.subkey("mail-token");
  const tokenOf = (mailId: string, purpose: Purpose) => `${mailId}.${tagOf(tokenKey, `${purpose} ${mailId}`)}`;

  return {
    async send(ownerId, purpose) {
      const id = ids.id();
      const now = clock();
      await store.mails.insert(id, { ownerId, purpose, createdAtMs: now, expiresAtMs: now + lifeMs[purpose] });
      await jobs.enqueue(mailQueue.name, { id: `mail_${id}`, data: { mailId: id } });
    },
    async find(token, purpose) {
      const mailId = token.split(".", 1)[0] ?? "";
      // Comparing two HMACs of which the attacker knows neither key nor value leaks nothing through time.
      if (tagOf(tokenKey, token) !== tagOf(tokenKey, tokenOf(mailId, purpose))) return null;
      const mail = await store.mails.get(mailId);
      return mail !== null && mail.body.purpose === purpose ? { id: mailId, ownerId: mail.body.ownerId } : null;
    },
    useUp: (mailId) => store.mails.delete(mailId),
    async compose(mailId) {
      const mail = await store.mails.get(mailId);
      if (mail === null) return null;
      const owner = await store.owners.get(mail.body.ownerId);
      if (owner === null) return null;
      const to = openEmail(owner.id, owner.body.emailSealed);
      return { to, ...words(mail.body.purpose, tokenOf(mailId, mail.body.purpose), publicUrl) };
    },
  };
}

function words(purpose: Purpose, token: string, publicUrl: string): { subject: string; text: string } {
  switch (purpose) {
    case "verify-email":
      return {
        subject: "Confirm your e-mail address for Portcullis",
        text: `Somebody, hopefully you, opened a Portcullis account with this address.\n\nTo confirm it, send this token:\n\n  ${token}\n\n  POST ${publicUrl}/v1/account/email/verify   {"token": "..."}\n\nIt is valid for 24 hours. If it was not you, ignore this mail: nothing happens.\n`,
      };
    case "already-registered":
      return {
        subject: "You already have a Portcullis account",
        text: "Somebody, perhaps you, tried to open a second Portcullis account with this address. You already have one:\nsign in with it, or reset its password.\n\nIf it was not you, ignore this mail: nothing changed.\n",
      };
    case "reset-password":
      return {
        subject: "Reset your Portcullis password",
        text: `Somebody, hopefully you, asked to reset the password of your Portcullis account.\n\nSend this token with a new password (and your second factor, if you have one):\n\n  ${token}\n\n  POST ${publicUrl}/v1/account/password/reset   {"token": "...", "password": "..."}\n\nIt is valid for 30 minutes and works once. If it was not you, ignore this mail: nothing changed.\n`,
      };
    case "password-changed":
      return {
        subject: "Your Portcullis password was changed",
        text: "The password of your Portcullis account was changed and all other sessions were ended.\n\nIf it was not you, reset it at once and look through your sockets, keys and tokens.\n",
      };
  }
}
