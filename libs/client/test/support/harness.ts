import { afterEach, expect } from "vitest";
import {
  type ConnectOptions,
  connect,
  PortcullisError,
  type PortcullisErrorCode,
  type Session,
} from "../../src/mod.ts";
import { createWorld, type FakeServer, type Peer, startServer } from "./server.ts";

export const world = await createWorld();
const running: FakeServer[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
});

export async function serve(
  script: (peer: Peer) => Promise<void>,
  protocols?: () => string | false,
): Promise<FakeServer> {
  const server = await startServer(world, script, protocols);
  running.push(server);
  return server;
}

/** Enters with the world's app key, unless `options` say otherwise. */
export function enter(server: FakeServer, options: ConnectOptions = {}): Promise<Session> {
  return connect(server.url, { appKey: world.appKeyText, timeoutMs: 5_000, ...options });
}

export async function refusal(entering: Promise<Session>, code: PortcullisErrorCode): Promise<PortcullisError> {
  const error = await entering.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PortcullisError);
  expect(error).toMatchObject({ code });
  return error as PortcullisError;
}

/** The script's own expectations count too. */
export const played = (server: FakeServer) => Promise.all(server.scripts);

export const pause = (delayMs: number) => new Promise((resolve) => setTimeout(resolve, delayMs));

export async function take(session: Session, count: number): Promise<string[]> {
  const texts: string[] = [];
  if (count === 0) return texts;
  for await (const message of session) {
    texts.push(message.text());
    if (texts.length === count) break;
  }
  return texts;
}
