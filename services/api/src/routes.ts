import type { Caller } from "@portcullis/bus";
import type { SessionCookie } from "./callers/cookie.ts";
import type { Site } from "./site.ts";

/** What routes stand on: they translate between HTTP and the bus, and decide nothing. */
export interface RouteContext {
  readonly caller: Caller;
  readonly site: Site;
  readonly cookie: SessionCookie;
  /** Below which hosts are sockets'. */
  readonly domain: string;
}
