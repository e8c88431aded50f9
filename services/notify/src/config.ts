import { type ConfigOf, defineConfig, flag, origin, outboundAllow, text, textType } from "@portcullis/runtime";
import { isAddress, type Mailbox } from "./mails/mailbox.ts";
import { isLoopback, parseSmtpUrl } from "./transports/smtp-url.ts";

const mailbox = textType("a mailbox, like Portcullis <no-reply@example.com>", (value): Mailbox | undefined => {
  const match = /^(?:(?<name>[^<>"\p{Cc}]{1,100}?)\s*<(?<inside>[^<>]+)>|(?<bare>[^<>\s]+))$/u.exec(value.trim());
  const address = match?.groups?.inside ?? match?.groups?.bare ?? "";
  return isAddress(address) ? Object.freeze({ name: match?.groups?.name ?? "", address }) : undefined;
});

function endpoint(value: string): URL | undefined {
  const url = URL.parse(value);
  if (url === null || url.username !== "" || url.password !== "" || url.hash !== "") return undefined;
  const local = isLoopback(url.hostname.replace(/^\[(.*)\]$/, "$1"));
  return url.protocol === "https:" || (url.protocol === "http:" && local) ? url : undefined;
}

function webhookSecret(value: string): Uint8Array | undefined {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(value)?.[1];
  const secret = encoded === undefined ? null : Buffer.from(encoded, "base64");
  return secret !== null && secret.length >= 24 && secret.length <= 64 ? new Uint8Array(secret) : undefined;
}

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
      "Folder of the outbox, used where SMTP_URL is not set: one .eml file per mail and one .json per message, the newest 500. Give it a folder of its own.",
  },
  outboxKey: {
    env: "OUTBOX_KEY",
    type: text({ min: 24, max: 128 }),
    default: null,
    secret: true,
    describe:
      "What opens the outbox' page, where codes and links of everybody stand. Unset: nobody can look into it but by the folder.",
  },
  twilioAccountSid: {
    env: "TWILIO_ACCOUNT_SID",
    type: textType("an account SID, AC and 32 hexadecimal digits", (value) =>
      /^AC[0-9a-f]{32}$/.test(value) ? value : undefined,
    ),
    default: null,
    describe: "Text messages go out by Twilio; needs TWILIO_AUTH_TOKEN and TWILIO_FROM too.",
  },
  twilioAuthToken: {
    env: "TWILIO_AUTH_TOKEN",
    type: text({ min: 16, max: 128 }),
    default: null,
    secret: true,
    describe: "Of that account.",
  },
  twilioFrom: {
    env: "TWILIO_FROM",
    type: textType(
      "a number like +4930123456, or the SID of a messaging service, MG and 32 hexadecimal digits",
      (value) => (/^(?:\+[0-9]{6,15}|MG[0-9a-f]{32})$/.test(value) ? value : undefined),
    ),
    default: null,
    describe: "Sender of text messages.",
  },
  twilioVoiceFrom: {
    env: "TWILIO_VOICE_FROM",
    type: textType("a number like +4930123456", (value) => (/^\+[0-9]{6,15}$/.test(value) ? value : undefined)),
    default: null,
    describe:
      "Caller of calls, which go out by Twilio where it is set; needs the other settings of Twilio too. Unset: calls are written to the outbox where there is one, and fail elsewhere.",
  },
  twilioUrl: {
    env: "TWILIO_URL",
    type: textType("https://, or http:// to this machine", endpoint),
    default: "https://api.twilio.com",
    describe: "Where Twilio's API is.",
  },
  publicUrl: {
    env: "PUBLIC_URL",
    type: origin(["http:", "https:"], "https://portcullis.example.com"),
    default: null,
    describe: "Where Twilio reaches the API, to say what became of a message. Unset: it is not asked to.",
  },
  smsWebhookUrl: {
    env: "SMS_WEBHOOK_URL",
    type: textType("https://, or http:// to this machine", endpoint),
    default: null,
    secret: true,
    describe:
      "Text messages are posted here instead, by Standard Webhooks: a program of yours hands them to any provider. Needs SMS_WEBHOOK_SECRET.",
  },
  smsWebhookSecret: {
    env: "SMS_WEBHOOK_SECRET",
    type: textType("whsec_ and 24 to 64 bytes in base64", webhookSecret),
    default: null,
    secret: true,
    describe: "By which the receiver knows that it was us.",
  },
  outboundAllow,
  from: {
    env: "MAIL_FROM",
    type: mailbox,
    default: "Portcullis <portcullis@localhost>",
    describe: "Sender of all mail. The part after the @ also ends every Message-ID.",
  },
});

export type NotifyConfig = ConfigOf<typeof notifyConfig.options>;
