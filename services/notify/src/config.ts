import { type ConfigOf, defineConfig, flag, text, textType } from "@portcullis/runtime";
import { isAddress, type Mailbox } from "./mails/mailbox.ts";
import { parseSmtpUrl } from "./transports/smtp-url.ts";

const mailbox = textType("a mailbox, like Portcullis <no-reply@example.com>", (value): Mailbox | undefined => {
  const match = /^(?:(?<name>[^<>"\p{Cc}]{1,100}?)\s*<(?<inside>[^<>]+)>|(?<bare>[^<>\s]+))$/u.exec(value.trim());
  const address = match?.groups?.inside ?? match?.groups?.bare ?? "";
  return isAddress(address) ? Object.freeze({ name: match?.groups?.name ?? "", address }) : undefined;
});

export const notifyConfig = defineConfig({
  smtp: {
    env: "SMTP_URL",
    type: textType(
      "a mail server, like smtps://user:password@mail.example.com or smtp://mail.example.com:587",
      parseSmtpUrl,
    ),
    default: null,
    secret: true,
    describe:
      "Where mail is handed over. smtps:// speaks TLS at once, smtp:// must be able to switch to it unless the host is this machine. Unset: mails are written to OUTBOX_DIR and go nowhere.",
  },
  smtpAllowPlain: {
    env: "SMTP_ALLOW_PLAIN",
    type: flag(),
    default: "false",
    describe:
      "true: smtp:// to another machine may go on without TLS where the server offers none. Links and codes then cross the network readable.",
  },
  outboxDir: {
    env: "OUTBOX_DIR",
    type: text({ min: 1, max: 1_024 }),
    default: "./data/outbox",
    describe:
      "Folder of the outbox, used where SMTP_URL is not set: one .eml file per mail, the newest 500. Give it a folder of its own.",
  },
  from: {
    env: "MAIL_FROM",
    type: mailbox,
    default: "Portcullis <portcullis@localhost>",
    describe: "Sender of all mail. The part after the @ also ends every Message-ID.",
  },
});

export type NotifyConfig = ConfigOf<typeof notifyConfig.options>;
