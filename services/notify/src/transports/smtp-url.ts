import { BlockList, isIP } from "node:net";

export interface SmtpServer {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte (RFC 8314), otherwise STARTTLS. */
  readonly implicitTls: boolean;
  readonly credentials: { readonly user: string; readonly password: string } | null;
}

const submissionPort = 587;
const submissionsPort = 465;

/**
 * `smtp://[user:password@]host[:port]`, or `smtps://`. The library's own parser would also take options from the query, such as
 * one that switches the check of certificates off; here nothing follows the port.
 */
export function parseSmtpUrl(text: string): SmtpServer | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "smtp:" && url.protocol !== "smtps:")) return undefined;
  if (url.hostname === "" || url.search !== "" || url.hash !== "" || !["", "/"].includes(url.pathname))
    return undefined;
  const implicitTls = url.protocol === "smtps:";
  const user = decoded(url.username);
  const password = decoded(url.password);
  if (user === undefined || password === undefined || (user === "") !== (password === "")) return undefined;
  return Object.freeze({
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? (implicitTls ? submissionsPort : submissionPort) : Number(url.port),
    implicitTls,
    credentials: user === "" ? null : Object.freeze({ user, password }),
  });
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether what is sent there stays on this machine. */
export function isLoopback(host: string): boolean {
  if (host === "localhost") return true;
  const family = isIP(host);
  return family !== 0 && loopback.check(host, family === 6 ? "ipv6" : "ipv4");
}

function decoded(text: string): string | undefined {
  try {
    const value = decodeURIComponent(text);
    return /\p{Cc}/u.test(value) ? undefined : value;
  } catch {
    return undefined;
  }
}
