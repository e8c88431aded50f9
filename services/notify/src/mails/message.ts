import { createHash } from "node:crypto";
import type { Clock } from "@portcullis/runtime";
import type { SendMailOptions } from "nodemailer";
import type { Mailbox } from "./mailbox.ts";

export interface ComposedMail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

export interface MessageOptions {
  readonly mailId: string;
  readonly mail: ComposedMail;
  readonly from: Mailbox;
  readonly clock: Clock;
}

/** The message as nodemailer takes it. Addresses are given as objects: a text would be parsed, and could become several. */
export function messageOf({ mailId, mail, from, clock }: MessageOptions): SendMailOptions {
  return {
    messageId: messageIdOf(mailId, from),
    date: new Date(clock()),
    from: { name: from.name, address: from.address },
    to: { name: "", address: mail.to },
    envelope: { from: from.address, to: [mail.to] },
    subject: mail.subject,
    text: mail.text,
    // RFC 3834: no holiday notice answers it.
    headers: { "Auto-Submitted": "auto-generated" },
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

/**
 * The same for the same mail, so that a receiver who got it twice can tell (RFC 5322 section 3.6.4). Hashed: the id in the queue
 * is nobody's business outside.
 */
export function messageIdOf(mailId: string, from: Mailbox): string {
  const digest = createHash("sha256").update(`portcullis/1 mail ${mailId}`).digest("hex").slice(0, 32);
  return `<${digest}@${from.address.slice(from.address.lastIndexOf("@") + 1)}>`;
}
