import type { Caller, Server, Subscription } from "@portcullis/bus";
import { groupGrants, placedMessage, socketMessage } from "@portcullis/contracts";
import { encodeMessageDown } from "@portcullis/protocol";
import type { Logger } from "@portcullis/runtime";
import type { z } from "zod";
import type { EdgeTelemetry } from "../telemetry.ts";
import { serverFrame } from "../wire/server-frame.ts";
import type { LiveSession } from "./registry.ts";

type SocketMessage = z.infer<typeof socketMessage.event>;
type PlacedMessage = z.infer<typeof placedMessage.event>;

export interface Membership {
  /** From now on it gets what is said on the socket. */
  add(session: LiveSession): void;
  /** Once; more calls do nothing. */
  leave(): void;
}

export interface FanOut {
  /**
   * Listens to a socket, if this edge does not do so yet. When it resolves nothing that is published later is missed.
   * @param placed whether its messages come through `keys`
   * @throws when the bus is gone
   */
  join(socketId: string, placed: boolean): Promise<Membership>;
}

/** Of the message that waits, and the newest key that all have. */
interface Wanted {
  readonly socketId: string;
  readonly epoch: number;
  readonly after: number;
}

interface Group {
  readonly sessions: Set<LiveSession>;
  readonly lastSeqs: Map<string, number>;
  readonly subscription: Promise<Subscription>;
  members: number;
}

interface Listeners {
  readonly socketId: string;
  readonly sessions: Set<LiveSession>;
  readonly lastSeqs: Map<string, number>;
  /** Waiting until those who may open them have the key; null while nothing waits. */
  held: PlacedMessage[] | null;
}

const grantsMax = 256;
/** Who has no key by then asks for it. */
const grantMsMax = 2_000;
const heldMax = 64;

// Senders that have gone stay known until as many others have spoken since.
const sendersMax = 4_096;

/**
 * One subscription for each socket that has a session here; each message becomes a frame once and the same bytes go to
 * everybody, its sender included, who sees in it where the message stands in the order.
 */
export function createFanOut(options: {
  readonly server: Pick<Server, "on">;
  readonly caller: Pick<Caller, "call">;
  readonly telemetry: EdgeTelemetry;
  readonly log: Pick<Logger, "warn">;
}): FanOut {
  const { server, caller, telemetry, log } = options;
  const groups = new Map<string, Group>();
  let written = new Set<LiveSession>();

  const flush = () => {
    const sessions = written;
    written = new Set();
    for (const session of sessions) session.flush();
  };

  const deliver = (group: Pick<Group, "sessions" | "lastSeqs">, message: SocketMessage) => {
    const { sid, seq, member, msgid, body } = message;
    if (seq <= (group.lastSeqs.get(sid) ?? -1)) return;
    group.lastSeqs.delete(sid);
    group.lastSeqs.set(sid, seq);
    const [oldest] = group.lastSeqs.keys();
    if (group.lastSeqs.size > sendersMax && oldest !== undefined) group.lastSeqs.delete(oldest);
    if (group.sessions.size === 0) return;

    const head = member === null ? { sid, msgid } : { sid, msgid, member };
    writeAll(group.sessions, serverFrame(encodeMessageDown({ sequence: seq, head, body })));
  };

  const write = (session: LiveSession, frame: Buffer) => {
    // Everything that arrives in this turn leaves in one write for each receiver.
    if (written.size === 0) setImmediate(flush);
    session.write(frame);
    written.add(session);
  };

  const writeAll = (sessions: ReadonlySet<LiveSession>, frame: Buffer) => {
    telemetry.messageOut(sessions.size);
    // A slow reader leaves the set while it is being walked; a Set allows that.
    for (const session of sessions) write(session, frame);
  };

  const deliverPlaced = (group: Listeners, message: PlacedMessage) => {
    const { held } = group;
    if (held !== null) {
      held.push(message);
      if (held.length > heldMax) release(group, held);
      return;
    }
    const { epoch, frame } = message;
    const behind = [...group.sessions].filter((session) => session.epoch !== null && session.epoch < (epoch ?? 0));
    if (epoch === null || behind.length === 0) {
      if (group.sessions.size > 0) writeAll(group.sessions, serverFrame(frame));
      return;
    }
    const waiting = [message];
    group.held = waiting;
    const after = behind.reduce((least, session) => Math.min(least, session.epoch ?? least), epoch);
    for (const session of behind) session.epoch = epoch;
    void grant({ socketId: group.socketId, epoch, after }, behind).finally(() => release(group, waiting));
  };

  const release = (group: Listeners, held: PlacedMessage[]) => {
    if (group.held !== held) return;
    group.held = null;
    for (const message of held) deliverPlaced(group, message);
  };

  /** The first message of an epoch is here: its key goes ahead of it, to those who may have it. Never rejects. */
  const grant = async (wanted: Wanted, sessions: readonly LiveSession[]) => {
    const chunks: LiveSession[][] = [];
    for (let from = 0; from < sessions.length; from += grantsMax) chunks.push(sessions.slice(from, from + grantsMax));
    // All at once: the message waits for the slowest of them, not for one after the other.
    await Promise.all(chunks.map((chunk) => grantTo(wanted, new Map(chunk.map((session) => [session.sid, session])))));
  };

  const grantTo = async (wanted: Wanted, asked: ReadonlyMap<string, LiveSession>) => {
    try {
      const body = { ...wanted, sids: [...asked.keys()] };
      const { frames } = await caller.call(groupGrants, body, { timeoutMs: grantMsMax });
      for (const { sid, frame } of frames) {
        const session = asked.get(sid);
        if (session !== undefined) write(session, serverFrame(frame));
      }
    } catch {
      log.warn("the key of a new epoch could not be had; its members will ask for it", { socket: wanted.socketId });
    }
  };

  const nameOf = (socketId: string, placed: boolean) => `${placed ? "placed" : "direct"} ${socketId}`;

  const listen = (socketId: string, placed: boolean): Group => {
    const heard: Listeners = { socketId, sessions: new Set(), lastSeqs: new Map(), held: null };
    const route = { route: socketId };
    const subscription = placed
      ? server.on(placedMessage, (message) => deliverPlaced(heard, message), route)
      : server.on(socketMessage, (message) => deliver(heard, message), route);
    const group: Group = { ...heard, subscription, members: 0 };
    groups.set(nameOf(socketId, placed), group);
    return group;
  };

  const leave = (name: string, group: Group) => {
    group.members -= 1;
    if (group.members > 0) return;
    if (groups.get(name) === group) groups.delete(name);
    group.subscription
      .then((subscription) => subscription.close())
      .catch((error: unknown) => log.warn("a subscription could not be given up", {}, error));
  };

  return {
    async join(socketId, placed) {
      const name = nameOf(socketId, placed);
      const group = groups.get(name) ?? listen(socketId, placed);
      group.members += 1;
      let own: LiveSession | null = null;
      let inside = true;
      const membership: Membership = {
        add(session) {
          if (!inside) return;
          own = session;
          group.sessions.add(session);
        },
        leave() {
          if (!inside) return;
          inside = false;
          if (own !== null) group.sessions.delete(own);
          leave(name, group);
        },
      };
      try {
        await group.subscription;
      } catch (error) {
        // Whoever comes next must try anew, not wait for what has failed.
        if (groups.get(name) === group) groups.delete(name);
        throw error;
      }
      return membership;
    },
  };
}
