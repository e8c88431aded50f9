import { createTransport, type NodemailerError } from "nodemailer";
import { NotSentError } from "./not-sent.ts";
import { isLoopback, type SmtpServer } from "./smtp-url.ts";
import type { MailTransport } from "./transport.ts";

export interface SmtpOptions {
  readonly server: SmtpServer;
  /** Another machine may be spoken to without TLS where it offers none. */
  readonly allowPlain: boolean;
  /** For the connection, the greeting and each silence of the server. Default 10000. */
  readonly silenceMsMax?: number;
}

/** Hands mail to a server, over a connection of its own each: there are few, and an idle one is one more thing to lose. */
export function createSmtpTransport({ server, allowPlain, silenceMsMax = 10_000 }: SmtpOptions): MailTransport {
  const { host, port, implicitTls, credentials } = server;
  const local = isLoopback(host);
  const transporter = createTransport({
    host,
    port,
    secure: implicitTls,
    // A server that stops offering STARTTLS is a server, or somebody before it, who wants to read along.
    requireTLS: !implicitTls && !local && !allowPlain,
    // The certificate of a mail server on this machine is hardly ever for `localhost`, and there is nobody on the way.
    ignoreTLS: !implicitTls && local,
    ...(credentials === null ? {} : { auth: { user: credentials.user, pass: credentials.password } }),
    connectionTimeout: silenceMsMax,
    greetingTimeout: silenceMsMax,
    socketTimeout: silenceMsMax,
    dnsTimeout: silenceMsMax,
    maxResponseSize: 65_536,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    name: "smtp",
    async send(_mailId, message, signal) {
      try {
        await transporter.sendMail({ ...message, signal });
      } catch (error) {
        throw notSent(error);
      }
    },
    async close() {
      transporter.close();
    },
  };
}

/**
 * Permanent is only what the server said for good (5xx) of this recipient or this text. The rest is about us or the moment: a
 * refused password, sender or connection is for the operator to mend, and the mail should be there when they have.
 */
function notSent(error: unknown): NotSentError {
  const { code, command, responseCode, permanent }: Partial<NodemailerError> = error instanceof Error ? error : {};
  const ofThisMail = (code === "EENVELOPE" && command === "RCPT TO") || (code === "EMESSAGE" && command === "DATA");
  return new NotSentError(
    typeof code === "string" && /^[A-Z0-9_]{1,32}$/.test(code) ? code : "EUNKNOWN",
    typeof responseCode === "number" ? responseCode : null,
    ofThisMail && permanent === true,
  );
}
