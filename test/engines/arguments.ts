import type { EngineName } from "./types.ts";

export interface Listen {
  readonly address: string;
  readonly port: number;
  /** Where the data goes; default: where the program or image puts it. */
  readonly folder?: string;
  readonly natsConfig?: string | undefined;
}

/** The same options for an installed program and for one in a container. */
export function serverArguments(engine: EngineName, { address, port, folder, natsConfig }: Listen): string[] {
  switch (engine) {
    case "nats":
      return ["--addr", address, "--port", String(port), ...(natsConfig ? ["--config", natsConfig] : [])];
    case "redis":
      // As in production: what was acknowledged survives kill -9 of Redis, and nothing is evicted. Protected mode would
      // refuse whoever comes from outside a container.
      return [
        ...["--bind", address, "--port", String(port), "--protected-mode", "no", ...(folder ? ["--dir", folder] : [])],
        ...["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"],
      ];
    case "mongodb":
      return ["--bind_ip", address, "--port", String(port), ...(folder ? ["--dbpath", folder] : [])];
  }
}
