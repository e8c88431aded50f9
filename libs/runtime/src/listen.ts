import type { Server } from "node:net";

/**
 * Resolves when the server listens. What goes wrong later is an `error` event again, for whoever owns the server.
 *
 * @returns the port, which the system has chosen where 0 was asked for
 * @throws the error of `listen`, for example EADDRINUSE, of which `asStartupError` makes a line
 */
export async function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return portOf(server);
}

/** 0 where it does not listen on a port, or not yet. */
export function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
