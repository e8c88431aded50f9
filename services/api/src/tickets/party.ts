import { relyingPartyAt, requireRelyingParty } from "@portcullis/contracts";
import type { FastifyRequest } from "fastify";
import type { Site } from "../site.ts";

/** For whom a browser signs on a socket's page (WebAuthn level 3, section 5.1.4). */
export interface Party {
  readonly relyingParty: string;
  readonly origin: string;
}

/**
 * The host of the page where it is the socket's own, and on every other host the name that this server goes by. Of what was asked for only that one label is
 * taken: who could choose the rest could have signatures accepted that were made on pages of their own.
 *
 * @throws {ServiceError} invalid: it is an IP address
 */
export function partyOf(
  { headers }: Pick<FastifyRequest, "headers">,
  domain: string,
  site: Pick<Site, "origin">,
): Party {
  const url = new URL(site.origin());
  const host = (headers.host ?? "").toLowerCase().replace(/:\d*$/, "").replace(/\.$/, "");
  if (host.endsWith(`.${domain}`)) url.hostname = host;
  return { relyingParty: requireRelyingParty(relyingPartyAt(url.origin)), origin: url.origin };
}
