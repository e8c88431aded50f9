import { type CloseCodeName, closeCodes, ProtocolError } from "@portcullis/protocol";
import { converse } from "./conversation.ts";
import { ownError, PortcullisError } from "./errors.ts";
import { type Credentials, type Opened, open, readCredentials } from "./opening.ts";
import { type ConnectOptions, readOptions, type Settings } from "./options.ts";
import { createScope, type Scope } from "./scope.ts";
import { beginSession, type Session } from "./session.ts";
import { openWire } from "./wire.ts";

// Beside what an accepted session may hold: messages can follow `accepted` before it has been verified.
const handshakeFramesMax = 64;
const handshakeBytesMax = 128 * 1_024;

/**
 * Walks through the gates of a socket. The server is verified before anything is asked or sent. The promise settles once; when
 * it rejects, neither connection nor timer nor listener stays behind.
 *
 * @throws {PortcullisError} whatever the server, the network or the person did
 * @throws {TypeError} on arguments that can never work
 */
export async function connect(url: string | URL, options: ConnectOptions = {}): Promise<Session> {
  const settings = readOptions(url, options);
  const scope = createScope(options.signal);
  try {
    scope.failAfter(settings.timeoutMs, new PortcullisError("timeout"));
    const credentials = await scope.race(readCredentials(options));
    try {
      return await enter(settings, credentials, scope);
    } finally {
      credentials.psk?.secret.fill(0);
    }
  } finally {
    scope.end();
  }
}

async function enter(settings: Settings, credentials: Credentials, scope: Scope): Promise<Session> {
  const { address, WebSocket, queueMax, queueBytesMax, narrate } = settings;
  const wire = openWire({
    href: address.href,
    WebSocket,
    framesMax: handshakeFramesMax + queueMax,
    bytesMax: handshakeBytesMax + queueBytesMax,
    onBroken: scope.fail,
  });
  let opened: Opened | null = null;
  try {
    opened = await open({ credentials, settings, wire, scope });
    credentials.psk?.secret.fill(0);
    const { channel, server, suite, offers } = opened;
    const accepted = await converse({ channel, server, offers, settings, wire, scope });
    const secret = await scope.race(channel.finish(accepted));
    return beginSession({ settings, wire, accepted, secret, server, suite, had: channel.had });
  } catch (error) {
    const { code, name } = closeCodes[closeNameOf(error)];
    narrate("up", "close", { code });
    wire.close(code, name);
    throw ownError(error);
  } finally {
    opened?.channel.erase();
  }
}

/** The server is told what it did wrong; of what happened here, that we left. */
function closeNameOf(error: unknown): CloseCodeName {
  if (error instanceof ProtocolError) return error.code;
  const own = ownError(error);
  if (!(own instanceof PortcullisError)) return "closed";
  if (own.code === "unsupported" && own.closeCode !== null) return "unsupported";
  return own.code === "protocol" ? "malformed" : "closed";
}
