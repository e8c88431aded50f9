import type { AddressInfo } from "node:net";
import type { ApiConfig } from "./config.ts";

/** How the outside sees this server. The port may be known only after listening, so these are functions. */
export interface Site {
  /** As browsers send it in `Origin`. */
  origin(): string;
  /** The same of a page at a socket's address; `origin` where sockets have no host of their own. */
  socketsOrigin(): string;
  /** @param path null: it is a secret that nobody here knows any more, and a placeholder stands for it. */
  socketUrl(label: string, path: string | null): string;
}

export function createSite(
  config: Pick<ApiConfig, "publicUrl" | "socketsUrl" | "port">,
  listening: () => AddressInfo | string | null,
): Site {
  const origin = (): string => {
    if (config.publicUrl !== null) return new URL(config.publicUrl).origin;
    const bound = listening();
    const port = typeof bound === "object" && bound !== null ? bound.port : config.port;
    return new URL(`http://localhost:${port}`).origin;
  };
  const socketsOrigin = (): string => config.socketsUrl?.replace(/^ws/, "http") ?? origin();
  return {
    origin,
    socketsOrigin,
    socketUrl(label, path) {
      // `identity` admits only characters that need no escaping.
      return `${socketsOrigin().replace(/^http/, "ws")}/${label}/${path ?? "{path}"}`;
    },
  };
}
