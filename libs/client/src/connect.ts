import { type CloseCodeName, closeCodes, ProtocolError } from "@portcullis/protocol";
import { beginSession } from "./begin-session.ts";
import { type ApplicationKeys, eraseKeys } from "./channel.ts";
import { comebackOf, isAskedAgain, isOverUnjudged, mayComeBack, pauseOf, tryAgainMax } from "./comeback.ts";
import { converse } from "./conversation.ts";
import { createDialogue, type Dialogue } from "./dialogue.ts";
import { ownError, PortcullisError } from "./errors.ts";
import { createLink } from "./link.ts";
import { type Credentials, dial, type Opened, open, readCredentials } from "./opening.ts";
import { type ConnectOptions, readOptions, type Settings } from "./options.ts";
import { type Pause, pause } from "./pause.ts";
import { receiptOf } from "./receipt.ts";
import { createScope, type Scope } from "./scope.ts";
import type { OwnSession, Session } from "./session.ts";

/**
 * Walks through the gates of a socket. The server is verified before anything is asked or sent. Where the connection is lost on the
 * way, it goes on over another one. The promise settles once; when it rejects, neither connection nor timer nor listener stays behind.
 *
 * @throws {PortcullisError} whatever the server, the network or the person did
 * @throws {TypeError} on arguments that can never work
 */
export function connect(url: string | URL, options: ConnectOptions = {}): Promise<Session> {
  return connectOwn(url, options);
}

/** The same, with what members have no use for. */
export async function connectOwn(url: string | URL, options: ConnectOptions): Promise<OwnSession> {
  const settings = readOptions(url, options);
  const scope = createScope(options.signal);
  try {
    if (options.signal?.aborted === true) throw new PortcullisError("cancelled");
    scope.failAfter(settings.timeoutMs, new PortcullisError("timeout"));
    for (let tries = 0; ; ) {
      try {
        const session = await handshake(settings, scope);
        if (session !== null) return session;
      } catch (error) {
        if (!settings.comeBack || tries === tryAgainMax || !isAskedAgain(error)) throw error;
        await pauseIn(scope, pauseOf(error, tries));
        tries += 1;
      }
    }
  } finally {
    scope.end();
  }
}

/**
 * One connection after the other, until one is let in or there is no sense in another.
 *
 * @returns null where it ended without a verdict, because the client came back too late or from elsewhere: another one may begin
 */
async function handshake(settings: Settings, scope: Scope): Promise<OwnSession | null> {
  const credentials = await scope.race(readCredentials(settings.options));
  const dialogue = createDialogue(settings);
  let comeback: Credentials | null = null;
  let triesInVain = 0;
  try {
    for (;;) {
      const { session, lost } = await attempt({ settings, credentials, comeback, dialogue, scope });
      if (session !== null) return session;
      triesInVain = lost.comeback === null ? triesInVain + 1 : 0;
      if (lost.comeback !== null) {
        comeback?.psk?.secret.fill(0);
        comeback = lost.comeback;
      }
      if (comeback === null || settings.clock() >= (dialogue.untilMs ?? 0)) throw lost.error;
      await pauseIn(scope, pauseOf(lost.error, triesInVain));
    }
  } catch (error) {
    if (comeback === null || !isOverUnjudged(error)) throw error;
    return null;
  } finally {
    credentials.psk?.secret.fill(0);
    comeback?.psk?.secret.fill(0);
    dialogue.stop();
  }
}

type Attempted =
  | { readonly session: OwnSession; readonly lost: null }
  /** `comeback`: by what the handshake goes on; null where this connection did not come so far. */
  | { readonly session: null; readonly lost: { readonly error: unknown; readonly comeback: Credentials | null } };

async function attempt(parts: {
  readonly settings: Settings;
  readonly credentials: Credentials;
  readonly comeback: Credentials | null;
  readonly dialogue: Dialogue;
  readonly scope: Scope;
}): Promise<Attempted> {
  const { settings, credentials, comeback, dialogue } = parts;
  // Where this connection fails, another one may not.
  const scope = parts.scope.part();
  const { narrate, options } = settings;
  const wire = dial(settings, scope);
  let opened: Opened | null = null;
  let keys: ApplicationKeys | null = null;
  try {
    opened = await open({
      credentials: comeback ?? credentials,
      settings,
      wire,
      scope,
      goesOn: comeback === null ? null : {},
    });
    credentials.psk?.secret.fill(0);
    const { channel, suite, offers } = opened;
    const server = { ...opened.server, pinned: credentials.pin !== null };
    const accepted = await converse({ channel, server, offers, dialogue, settings, wire, scope });
    keys = await scope.race(channel.finish(accepted));
    const receipt = await scope.race(receiptOf(accepted, opened.idKey));
    if (options.requireSealed === true && !accepted.sealed) throw excludes("requireSealed");
    if (options.requireEndToEnd === true && accepted.endToEnd === undefined) throw excludes("requireEndToEnd");
    const link = createLink({ wire, accepted, keys, had: channel.had, clock: settings.clock });
    const session = beginSession({ settings, link, secret: keys.resume, server, suite, receipt });
    return { session, lost: null };
  } catch (thrown) {
    if (keys !== null) eraseKeys(keys);
    const { code, name } = closeCodes[closeNameOf(thrown)];
    narrate("up", "close", { code });
    wire.close(code, name);
    const error = ownError(thrown);
    const isParked = comeback !== null || opened?.channel.begun === true;
    if (!settings.comeBack || !isParked || !mayComeBack(error)) throw error;
    return { session: null, lost: { error, comeback: await comebackOf(opened) } };
  } finally {
    scope.end();
    opened?.channel.erase();
  }
}

function excludes(option: keyof ConnectOptions): PortcullisError {
  return new PortcullisError("unsupported", { message: `${option} excludes this socket.` });
}

async function pauseIn(scope: Scope, own: Pause): Promise<void> {
  const over = new AbortController();
  try {
    await scope.race(pause(own, over.signal));
  } finally {
    over.abort();
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
