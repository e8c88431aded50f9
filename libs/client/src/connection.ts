import { type CloseCodeName, closeCodes } from "@portcullis/protocol";
import { type Closing, closingOfCode } from "./closing.ts";
import { goOn } from "./going-on.ts";
import type { Link } from "./link.ts";
import type { Settings } from "./options.ts";
import type { Server } from "./question.ts";
import type { Receipt } from "./receipt.ts";
import type { Resumed } from "./resume.ts";
import type { Incoming } from "./wire.ts";

const closeGraceMs = 2_000;

/** What a session goes over: one connection after the other, until it ends. */
export interface Connection {
  /** Null while there is none, and when there is none any more. */
  readonly link: Link | null;
  /** Of the connection, or of the last one. */
  readonly edge: string;
  readonly words: string;
  readonly receipt: Receipt | null;
  readonly ended: boolean;
  /** Resolves when the last one is closed. */
  readonly gone: Promise<void>;
  /** Takes the first one. */
  begin(): void;
  /** Once: there will be no other one, and the secret of the session is erased. */
  end(closeName: CloseCodeName): void;
}

/** @param options.secret by which the session goes on over another connection; erased with the session. */
export function createConnection(options: {
  readonly settings: Settings;
  readonly first: Link;
  readonly secret: Uint8Array;
  readonly server: Server;
  readonly receipt: Receipt | null;
  /** Counter of the first message that may not have arrived. */
  readonly next: () => number;
  /** Before anything is received over it. */
  readonly onAttached: (link: Link) => void;
  readonly onReceived: (from: Link, frame: Exclude<Incoming, { kind: "closed" }>) => void;
  /** Resolves when all that was received was heard. */
  readonly settled: () => Promise<void>;
  readonly onDetached: () => void;
  readonly onResumed: (link: Link, edge: string) => void;
  /** It is for the listener to end the session. */
  readonly onOver: (closing: Closing) => void;
}): Connection {
  const { settings, first, server, next, onAttached, onReceived, settled, onDetached, onResumed, onOver } = options;
  const { accepted } = first;
  const canResume = mayResume(settings, first);
  const gone = Promise.withResolvers<void>();
  const resuming = new AbortController();
  let link: Link | null = null;
  let { secret, receipt } = options;
  let { edge } = server;
  let { words } = first;
  let grace: ReturnType<typeof setTimeout> | undefined;
  let ended = false;
  let isGone = false;

  function attach(to: Link): void {
    link = to;
    isGone = false;
    onAttached(to);
    to.wire.attach((incoming) => receive(to, incoming));
  }

  function receive(from: Link, incoming: Incoming): void {
    if (incoming.kind !== "closed") {
      if (!ended && from === link) onReceived(from, incoming);
      return;
    }
    settings.narrate("down", "close", { code: incoming.code });
    if (ended) {
      clearTimeout(grace);
      gone.resolve();
    } else if (from === link) {
      isGone = true;
      // What came before it may have been the last word.
      void settled().then(() => lose(from, incoming.code));
    }
  }

  function lose(from: Link, code: number): void {
    if (ended || from !== link) return;
    const closing = closingOfCode(code);
    // Whatever the code, it is anybody's word. Whether the session is over, the server says under seal when it is to go on.
    if (!canResume || settings.clock() >= accepted.expiresAt) {
      onOver(closing);
      return;
    }
    link = null;
    from.erase();
    onDetached();
    goOnBehind(closing).catch(() => onOver(closing));
  }

  /** @param closing with which it ends where it does not go on */
  async function goOnBehind(closing: Closing): Promise<void> {
    const resumed = await goOn({
      settings,
      accepted,
      secret,
      fingerprint: server.successorOf ?? server.fingerprint,
      next,
      isRestart: closing.name === "restart",
      signal: resuming.signal,
    });
    if (resumed === null) onOver(closing);
    else if (ended) leave(resumed);
    else take(resumed);
  }

  function take(resumed: Resumed): void {
    secret.fill(0);
    ({ secret, edge, receipt } = resumed);
    ({ words } = resumed.link);
    attach(resumed.link);
    onResumed(resumed.link, edge);
  }

  return {
    get link() {
      return link;
    },
    get edge() {
      return edge;
    },
    get words() {
      return words;
    },
    get receipt() {
      return receipt;
    },
    get ended() {
      return ended;
    },
    gone: gone.promise,
    begin: () => attach(first),
    end(closeName) {
      ended = true;
      resuming.abort();
      secret.fill(0);
      const last = link;
      link = null;
      last?.wire.close(closeCodes[closeName].code, closeName);
      last?.erase();
      if (last === null || isGone) gone.resolve();
      else grace = setTimeout(gone.resolve, closeGraceMs);
    },
  };
}

/** Whether the session goes on where its connection is lost. */
export function mayResume({ resume }: Settings, { accepted }: Link): boolean {
  return resume && (accepted.resumeMs ?? 0) > 0;
}

function leave({ link: unwanted, secret: unused }: Resumed): void {
  unwanted.wire.close(closeCodes.closed.code, "closed");
  unwanted.erase();
  unused.fill(0);
}
