import type { Server } from "node:http";
import type { Platform } from "@portcullis/platform";
import { limitHttpConnections } from "@portcullis/runtime";
import { addRoutes } from "./all-routes.ts";
import { sessionCookie } from "./callers/cookie.ts";
import type { ApiConfig } from "./config.ts";
import { createApp } from "./http/app.ts";
import { networkCounter } from "./http/limits.ts";
import { trackConnections } from "./http/shutdown.ts";
import { refuseUpgradesAlone } from "./http/upgrades.ts";
import { createSite } from "./site.ts";

export { type ApiConfig, apiConfig } from "./config.ts";

/** What the API needs of its surroundings: no database, no state, no vault. */
export type ApiPlatform = Pick<Platform, "caller" | "closer" | "health" | "ids" | "log" | "random">;

export interface Api {
  /** An edge may add its `upgrade` listener; while there is none, upgrades are closed. */
  readonly server: Server;
  /** Where it listens, `http://127.0.0.1:8080`. */
  readonly address: string;
  /** Where owners reach it: PUBLIC_URL, or what follows from the port. */
  readonly publicUrl: string;
}

/**
 * Listens when it resolves; `closer` ends it within 4 s.
 * @throws the system's error where the port cannot be had.
 */
export async function run(platform: ApiPlatform, config: ApiConfig): Promise<Api> {
  const site = createSite(config, () => app.server.address());
  const { app } = await createApp(platform, config, site);
  const cookie = sessionCookie(config.cookieSecure);
  await addRoutes(app, { caller: platform.caller, site, cookie, domain: config.domain }, platform.health);

  const connections = trackConnections(app.server);
  const limited = limitHttpConnections(app.server, {
    max: config.connectionsMax,
    perNetworkMax: config.connectionsPerAddressMax,
    networkOf: networkCounter(config.trustedProxies ?? []),
  });
  refuseUpgradesAlone(app.server, limited.leave);
  platform.closer.add("api", () => connections.drain(() => app.close()));
  const address = await app.listen({ port: config.port, host: config.host });
  platform.log.info("the owner API listens", { address });
  return { server: app.server, address, publicUrl: site.origin() };
}
