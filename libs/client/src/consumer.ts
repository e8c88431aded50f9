import type { Role } from "@portcullis/protocol";
import { connectOwn } from "./connect.ts";
import type { Asked } from "./directed.ts";
import { PortcullisError } from "./errors.ts";
import type { Message } from "./message.ts";
import type { ConnectOptions } from "./options.ts";
import type { Assurance, OwnSession, Session } from "./session.ts";

/** Who is behind a session, as the server says. */
export interface Peer {
  readonly sid: string;
  readonly member: string | null;
  /** False: `member` is merely claimed. */
  readonly memberProven: boolean;
  readonly role: Role;
  /** All gates passed, in order. */
  readonly gates: readonly string[];
  readonly assurance: Assurance;
  /** What the address said beyond the socket's path: the rest of the path, still percent-encoded, and the query. */
  readonly context: { readonly rest: string; readonly query: string };
  readonly parameters: Readonly<Record<string, string>>;
  /** Epoch milliseconds of the server's clock; 0 where it is not known. */
  readonly acceptedAt: number;
  readonly expiresAt: number;
  /** When it last passed a step-up; null: never, or it is not known. */
  readonly steppedUpAt: number | null;
  /** Six words that its client shows as well (`session.words`), of the connection that it was on when this was asked; null: not known. */
  readonly words: string | null;
  /** False: the session was over before it could be asked about. Then nothing here but `sid` and a proven `member` says anything. */
  readonly known: boolean;
}

type Said = Omit<Message, keyof { from: unknown }>;

/** What a member said to the owner's program. */
export interface ConsumerMessage extends Said {
  readonly from: Peer;
  /** To whoever said it, alone. Rejects with `undelivered` where they are gone, `closed`. */
  reply(message: string | Uint8Array): Promise<void>;
}

export interface ConsumerOptions extends ConnectOptions {
  /** A member's connection stands. Before or behind its first message, and again when it comes back. Must not throw. */
  readonly onJoin?: ((peer: Peer) => void) | undefined;
  /** It does no more: it left, was put out, or lost its connection and may come back. Not told of edges that died. Must not throw. */
  readonly onLeave?: ((sid: string) => void) | undefined;
}

/** The owner's program on a socket. Iterate it for messages; `break` leaves it open. */
export interface ConsumerSession extends Omit<Session, typeof Symbol.asyncIterator>, AsyncIterable<ConsumerMessage> {
  /** To one session of the socket. Resolves when it was handed to the edge that holds it; rejects with `undelivered`, `closed`. */
  sendTo(sid: string, message: string | Uint8Array): Promise<void>;
  /** Puts a member out. Resolves when no such session is there any more. */
  kick(sid: string): Promise<void>;
  /**
   * Has a member pass gates again before it is heard on. Resolves when that is demanded: whether it was passed, `who` says. Rejects with
   * `not-found`, and with `unsupported` where the policy has no such rule or the session is no member's.
   *
   * @param rule index of an `on: "demand"` in the policy's `during`; by default the first of them
   */
  stepUp(sid: string, rule?: number): Promise<void>;
  /** Who that is by now: asks anew. Rejects with `not-found`. */
  who(sid: string): Promise<Peer>;
}

const peersMax = 4_096;
const triesMax = 3;

/**
 * Comes in as the owner's program: by an app key that was made for one, or a ticket of that role.
 *
 * @throws {PortcullisError} as `connect`; `unsupported` where what lets us in lets members in
 */
export async function connectConsumer(url: string | URL, options: ConsumerOptions = {}): Promise<ConsumerSession> {
  const { onJoin, onLeave, ...rest } = options;
  const session = await connectOwn(url, rest);
  if (session.role !== "consumer") {
    await session.close();
    throw new PortcullisError("unsupported");
  }
  return beginConsumer(session, { onJoin, onLeave });
}

export function beginConsumer(
  session: OwnSession,
  { onJoin, onLeave }: Pick<ConsumerOptions, "onJoin" | "onLeave">,
): ConsumerSession {
  const { directed } = session;
  /** Who somebody is does not change while the session lives, but for a step-up: of a demanded one and of one that a message waited for we know. */
  const peers = new Map<string, Promise<Peer>>();
  /** Those of whom it is asked who they are, to be told that they are here. */
  const joining = new Map<string, Promise<Peer>>();

  function who(sid: string): Promise<Peer> {
    const known = peers.get(sid);
    if (known !== undefined) return known;
    const asked = directed.ask({ t: "who", sid }).then((about) => {
      if (about?.t !== "about") throw new PortcullisError("protocol");
      const { t: _t, ref: _ref, ...peer } = about;
      return { ...peer, known: true };
    });
    peers.set(sid, asked);
    asked.catch(() => {
      if (peers.get(sid) === asked) peers.delete(sid);
    });
    const [oldest] = peers.keys();
    if (peers.size > peersMax && oldest !== undefined) peers.delete(oldest);
    return asked;
  }

  function whoNow(sid: string): Promise<Peer> {
    peers.delete(sid);
    return who(sid);
  }

  async function of({ from: { sid, member }, class: kind }: Message): Promise<Peer> {
    if (kind !== null) peers.delete(sid);
    for (let tries = 0; tries < triesMax; tries += 1) {
      try {
        return await who(sid);
      } catch (error) {
        if (!(error instanceof PortcullisError) || !error.retryable) break;
      }
    }
    return nobodyKnown(sid, member);
  }

  /** No generator, which would take one more message before it can be left. */
  function messages(): AsyncIterableIterator<ConsumerMessage> {
    const inner = session[Symbol.asyncIterator]() as AsyncIterableIterator<Message>;
    const next = async (): Promise<IteratorResult<ConsumerMessage>> => {
      const { done, value } = await inner.next();
      if (done === true) return { done, value };
      const from = await of(value);
      return { done: false, value: { ...value, from, reply: (body) => session.sendTo(from.sid, body) } };
    };
    const iterator = {
      ...inner,
      next,
      [Symbol.asyncIterator]: () => iterator,
    } as AsyncIterableIterator<ConsumerMessage>;
    return iterator;
  }

  async function ask(control: Extract<Asked, { readonly t: "kick" | "step-up" }>): Promise<void> {
    await directed.ask(control);
    peers.delete(control.sid);
  }

  async function join(sid: string): Promise<void> {
    const asked = who(sid);
    joining.set(sid, asked);
    try {
      const peer = await asked;
      // They may have left meanwhile.
      if (joining.get(sid) === asked) onJoin?.(peer);
    } catch {
      // Nobody is there any more; or a listener throws, which is its own problem.
    } finally {
      if (joining.get(sid) === asked) joining.delete(sid);
    }
  }

  directed.listen((is, sid) => {
    if (is === "joined") void join(sid);
    else {
      peers.delete(sid);
      joining.delete(sid);
      onLeave?.(sid);
    }
  });

  return Object.defineProperties(
    {},
    {
      ...Object.getOwnPropertyDescriptors(session),
      who: { value: whoNow, enumerable: true },
      kick: { value: (sid: string) => ask({ t: "kick", sid }), enumerable: true },
      stepUp: {
        value: (sid: string, rule?: number) => ask({ t: "step-up", sid, ...(rule === undefined ? {} : { rule }) }),
        enumerable: true,
      },
      [Symbol.asyncIterator]: { value: messages },
    },
  ) as ConsumerSession;
}

function nobodyKnown(sid: string, member: string | null): Peer {
  return {
    sid,
    member,
    memberProven: member !== null,
    role: "member",
    gates: [],
    assurance: { key: false, memberBound: false, gates: [] },
    context: { rest: "", query: "" },
    parameters: {},
    acceptedAt: 0,
    expiresAt: 0,
    steppedUpAt: null,
    words: null,
    known: false,
  };
}
