import { Resolver } from "node:dns/promises";
import http from "node:http";
import https from "node:https";
import type { LookupFunction } from "node:net";
import type { Address } from "./network.ts";
import { parseAddress } from "./network.ts";
import { hostOf, isPermitted, type OutboundRule, outboundUrl } from "./outbound.ts";

/**
 * - `forbidden`: URL or one of its addresses is not allowed
 * - `unresolved`: the name has no address
 * - `unreachable`: no connection, no TLS, or it broke off
 * - `timeout`: not over within its time
 * - `redirected`: the answer leads elsewhere
 * - `too-large`, `encoded`: an answer that is not read
 * - `busy`: too many requests are under way, for this group or in all
 */
export type OutboundFailure =
  | "forbidden"
  | "unresolved"
  | "unreachable"
  | "timeout"
  | "redirected"
  | "too-large"
  | "encoded"
  | "busy";

/** Why nothing came back, as one word. Has no `cause`: what Node says quotes addresses, and a URL's path may be a secret. */
export class OutboundError extends Error {
  override readonly name = "OutboundError";
  readonly failure: OutboundFailure;
  constructor(failure: OutboundFailure) {
    super(`the request came to nothing: ${failure}`);
    this.failure = failure;
  }
}

export interface OutboundRequest {
  readonly url: string;
  /** Whose request it is, for example a socket's id: no group takes all the places of the others. */
  readonly group: string;
  /** With a body it is a POST, without one a GET. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** For all of it, the name's resolution included. */
  readonly timeoutMs: number;
  /** Of the answer's body. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
}

export interface OutboundAnswer {
  /** Any but 1xx and 3xx. */
  readonly status: number;
  /** Names in lower case. */
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/** @throws {OutboundError} */
export type SafeFetch = (request: OutboundRequest) => Promise<OutboundAnswer>;

/** @returns addresses of a name, none where it has none or `signal` was aborted */
export type Resolve = (host: string, signal: AbortSignal) => Promise<readonly string[]>;

export interface SafeFetchOptions {
  /** Beyond the public internet over HTTPS. */
  readonly allow: readonly OutboundRule[];
  readonly resolve?: Resolve;
  /** Certificates of authorities that are trusted instead of the system's. */
  readonly ca?: string;
  /** Requests at once; default 64 and 8. */
  readonly limits?: { readonly all: number; readonly group: number };
}

const headerBytesMax = 8_192;
const defaultLimits = { all: 64, group: 8 };

/**
 * Requests to addresses that owners choose, from inside a network that they must not reach (server-side request forgery).
 *
 * A name is resolved once, every address that it has is checked, and the connection is made to what was checked: a name that points
 * elsewhere a moment later (DNS rebinding) changes nothing. A redirect is not followed, for the same reason. Nothing is pooled, so no
 * owner's request goes over another's connection, and no proxy of the environment is asked, which would resolve the name itself.
 * The answer is bounded in time and size, and not unpacked: a few bytes of gzip could be gigabytes.
 */
export function createSafeFetch(options: SafeFetchOptions): SafeFetch {
  const { allow, resolve = resolveByDns, ca, limits = defaultLimits } = options;
  const underWay = new Map<string, number>();
  let all = 0;

  return async (request) => {
    const mine = underWay.get(request.group) ?? 0;
    if (all >= limits.all || mine >= limits.group) throw new OutboundError("busy");
    underWay.set(request.group, mine + 1);
    all += 1;
    const deadline = AbortSignal.timeout(request.timeoutMs);
    const signal = request.signal === undefined ? deadline : AbortSignal.any([deadline, request.signal]);
    try {
      const url = outboundUrl(request.url, allow);
      if (url === null) throw new OutboundError("forbidden");
      const addresses = await before(signal, addressesOf(url, resolve, signal));
      if (!addresses.every((address) => isPermitted(url, address, allow))) throw new OutboundError("forbidden");
      return await exchange(url, addresses, request, signal, ca);
    } finally {
      all -= 1;
      const left = (underWay.get(request.group) ?? 1) - 1;
      if (left === 0) underWay.delete(request.group);
      else underWay.set(request.group, left);
    }
  };
}

async function addressesOf(url: URL, resolve: Resolve, signal: AbortSignal): Promise<readonly Address[]> {
  const host = hostOf(url);
  const literal = parseAddress(host);
  if (literal !== null) return [literal];
  const texts = await resolve(host, signal).catch(() => []);
  if (texts.length === 0) throw new OutboundError("unresolved");
  return texts.map((text) => {
    const address = parseAddress(text);
    if (address === null) throw new OutboundError("forbidden");
    return address;
  });
}

/**
 * By DNS, and not by `getaddrinfo`: that would let a slow name server of an owner's hold one of the process' few threads, and look
 * into the hosts file and the search domains, which name machines inside.
 */
async function resolveByDns(host: string, signal: AbortSignal): Promise<readonly string[]> {
  // RFC 6761 section 6.3: never asked of DNS.
  if (host === "localhost") return ["127.0.0.1", "::1"];
  const resolver = new Resolver();
  const cancel = () => resolver.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  signal.removeEventListener("abort", cancel);
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
}

function exchange(
  url: URL,
  addresses: readonly Address[],
  { body, headers, maxBytes }: OutboundRequest,
  signal: AbortSignal,
  ca: string | undefined,
): Promise<OutboundAnswer> {
  const secure = url.protocol === "https:";
  return new Promise((resolve, reject) => {
    const agent = secure ? new https.Agent({ keepAlive: false }) : new http.Agent({ keepAlive: false });
    const request = (secure ? https : http).request(url, {
      method: body === undefined ? "GET" : "POST",
      agent,
      lookup: only(addresses),
      headers: {
        accept: "application/json",
        "accept-encoding": "identity",
        "user-agent": "portcullis",
        ...headers,
        ...(body !== undefined && { "content-length": `${Buffer.byteLength(body)}` }),
      },
      maxHeaderSize: headerBytesMax,
      insecureHTTPParser: false,
      // Said explicitly, so that no variable of the environment turns it off.
      ...(secure && { rejectUnauthorized: true, ...(ca !== undefined && { ca }) }),
    });
    const fail = (failure: OutboundFailure) => {
      reject(new OutboundError(failure));
      request.destroy();
    };
    const expire = () => fail("timeout");
    signal.addEventListener("abort", expire, { once: true });
    if (signal.aborted) expire();
    request.once("close", () => {
      signal.removeEventListener("abort", expire);
      agent.destroy();
      // Whatever ended the connection before an answer was complete.
      reject(new OutboundError("unreachable"));
    });
    request.on("error", () => fail("unreachable"));
    // Another protocol is no answer.
    request.on("upgrade", (_, socket) => {
      socket.destroy();
      fail("unreachable");
    });
    request.on("response", (answer) => {
      const status = answer.statusCode ?? 0;
      if (status >= 300 && status < 400) return fail("redirected");
      if ((answer.headers["content-encoding"] ?? "identity").toLowerCase() !== "identity") return fail("encoded");
      if (Number(answer.headers["content-length"] ?? 0) > maxBytes) return fail("too-large");
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      answer.on("data", (chunk: Uint8Array) => {
        bytes += chunk.length;
        if (bytes > maxBytes) return fail("too-large");
        chunks.push(chunk);
      });
      answer.on("error", () => fail("unreachable"));
      answer.on("end", () => {
        if (answer.complete) resolve({ status, headers: answer.headers, body: new Uint8Array(Buffer.concat(chunks)) });
        else fail("unreachable");
      });
    });
    request.end(body);
  });
}

/** Stands in for the name's resolution when the connection is made, so that there is no second one. Host and SNI stay the name. */
function only(addresses: readonly Address[]): LookupFunction {
  const all = addresses.map((address) => ({
    address: address.toString(),
    family: address.kind() === "ipv4" ? 4 : 6,
  }));
  return (_host, options, callback) => {
    const [first] = all;
    if (options.all === true) callback(null, all);
    else callback(null, first?.address ?? "", first?.family ?? 0);
  };
}

async function before<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const expire = () => reject(new OutboundError("timeout"));
  signal.addEventListener("abort", expire, { once: true });
  if (signal.aborted) expire();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", expire);
  }
}
