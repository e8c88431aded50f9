import { relyingPartyAt, requireRelyingParty } from "@portcullis/contracts";
import type { FastifyRequest } from "fastify";
import type { Site } from "../site.ts";
import { hostNameOf } from "./place.ts";

/** For whom a browser signs on a socket's page (WebAuthn level 3, section 5.1.4). */
export interface Party {
  readonly relyingParty: string;
  readonly origin: string;
}

/**
 * At the socket's own host, that host. Elsewhere this server: by the name that owners reach it by, which a page at the sockets' host may ask for where
 * that is below it (WebAuthn level 3, section 5.1.3), and else by the sockets' own. Of what was asked for only the label is taken: who could
 * choose the rest could have signatures accepted that were made on pages of their own.
 *
 * @throws {ServiceError} invalid: it is an IP address
 */
export function partyOf(
  { headers }: Pick<FastifyRequest, "headers">,
  domain: string,
  site: Pick<Site, "origin" | "socketsOrigin">,
): Party {
  const [server, sockets] = [new URL(site.origin()), new URL(site.socketsOrigin())];
  const name = hostNameOf(headers);
  const isOwnHost = name.endsWith(`.${domain}`);
  const isAtSocketsPort = portOf(headers.host ?? "", sockets.protocol) === sockets.port;
  const page = isAtSocketsPort && (isOwnHost || name === sockets.hostname) ? sockets : new URL(server);
  if (isOwnHost) page.hostname = name;
  const isOfServer = !isOwnHost && `.${page.hostname}`.endsWith(`.${server.hostname}`);
  const named = isOfServer ? server : page;
  return { relyingParty: requireRelyingParty(relyingPartyAt(named.origin)), origin: page.origin };
}

/** As a URL has it: empty where it is the scheme's own. */
function portOf(host: string, protocol: string): string {
  const written = /:(\d*)$/.exec(host)?.[1] ?? "";
  return written === (protocol === "https:" ? "443" : "80") ? "" : written;
}
