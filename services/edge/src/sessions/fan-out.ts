import type { Server, Subscription } from "@portcullis/bus";
import { socketMessage } from "@portcullis/contracts";
import { encodeMessageDown } from "@portcullis/protocol";
import type { Logger } from "@portcullis/runtime";
import type { z } from "zod";
import type { EdgeTelemetry } from "../telemetry.ts";
import { serverFrame } from "../wire/server-frame.ts";
import type { LiveSession } from "./registry.ts";

type SocketMessage = z.infer<typeof socketMessage.event>;

export interface Membership {
  /** From now on it gets what is said on the socket. */
  add(session: LiveSession): void;
  /** Once; more calls do nothing. */
  leave(): void;
}

export interface FanOut {
  /**
   * Listens to a socket, if this edge does not do so yet. When it resolves nothing that is published later is missed.
   * @throws when the bus is gone
   */
  join(socketId: string): Promise<Membership>;
}

interface Group {
  readonly sessions: Set<LiveSession>;
  readonly lastSeqs: Map<string, number>;
  readonly subscription: Promise<Subscription>;
  members: number;
}

// Senders that have gone stay known until as many others have spoken since.
const sendersMax = 4_096;

/**
 * One subscription for each socket that has a session here; each message becomes a frame once and the same bytes go to
 * everybody, its sender included, who sees in it where the message stands in the order.
 */
export function createFanOut(options: {
  readonly server: Pick<Server, "on">;
  readonly telemetry: EdgeTelemetry;
  readonly log: Pick<Logger, "warn">;
}): FanOut {
  const { server, telemetry, log } = options;
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
    const frame = serverFrame(encodeMessageDown({ sequence: seq, head, body }));
    telemetry.messageOut(group.sessions.size);
    // Everything that arrives in this turn leaves in one write for each receiver.
    if (written.size === 0) setImmediate(flush);
    // A slow reader leaves the set while it is being walked; a Set allows that.
    for (const session of group.sessions) {
      session.write(frame);
      written.add(session);
    }
  };

  const listen = (socketId: string): Group => {
    const heard = { sessions: new Set<LiveSession>(), lastSeqs: new Map<string, number>() };
    const subscription = server.on(socketMessage, (message) => deliver(heard, message), { route: socketId });
    const group: Group = { ...heard, subscription, members: 0 };
    groups.set(socketId, group);
    return group;
  };

  const leave = (socketId: string, group: Group) => {
    group.members -= 1;
    if (group.members > 0) return;
    if (groups.get(socketId) === group) groups.delete(socketId);
    group.subscription
      .then((subscription) => subscription.close())
      .catch((error: unknown) => log.warn("a subscription could not be given up", {}, error));
  };

  return {
    async join(socketId) {
      const group = groups.get(socketId) ?? listen(socketId);
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
          leave(socketId, group);
        },
      };
      try {
        await group.subscription;
      } catch (error) {
        // Whoever comes next must try anew, not wait for what has failed.
        if (groups.get(socketId) === group) groups.delete(socketId);
        throw error;
      }
      return membership;
    },
  };
}
