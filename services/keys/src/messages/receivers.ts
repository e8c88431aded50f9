import type { Caller } from "@portcullis/bus";
import { deliverToSession } from "@portcullis/contracts";
import type { RecordWriter } from "@portcullis/crypto";
import {
  encodeControl,
  encodeMessageDown,
  type MessageDown,
  parseHandshakeId,
  recordTypes,
} from "@portcullis/protocol";
import type { LiveSessions } from "../sessions/live-sessions.ts";
import type { StoredSession } from "../sessions/session-secrets.ts";

/** One session that can be spoken to. */
export interface Receiver {
  readonly sid: string;
  readonly session: StoredSession;
}

export interface Receivers {
  /** Null where there is no such session on this socket. */
  find(socketId: string, sid: string): Promise<Receiver | null>;
  /**
   * Hands it to the edge that holds the receiver.
   *
   * @returns whether that edge has it, which is as much as anybody knows. False also where no answer came: it may have been written then
   */
  say(receiver: Receiver, message: MessageDown): Promise<boolean>;
  /** Likewise; always sealed. */
  tell(receiver: Receiver, control: Parameters<typeof encodeControl>[0]): Promise<boolean>;
}

export function createReceivers(parts: {
  readonly live: LiveSessions;
  readonly writer: RecordWriter;
  readonly caller: Pick<Caller, "call">;
}): Receivers {
  const { live, writer, caller } = parts;

  const sealFor = ({ session }: Receiver, plaintext: Uint8Array) =>
    writer.seal(recordTypes.applicationDown, session.server, plaintext);

  async function deliver({ sid, session: { hid } }: Receiver, ref: string | null, frame: Uint8Array): Promise<boolean> {
    const { edgeId } = parseHandshakeId(hid);
    try {
      return (await caller.call(deliverToSession, { sid, hid, ref, frame }, { route: edgeId })).taken;
    } catch {
      // That edge is gone, or cannot answer: to whoever waits for this it is the same.
      return false;
    }
  }

  return {
    async find(socketId, sid) {
      const session = await live.get(sid);
      return session?.socketId === socketId ? { sid, session } : null;
    },
    async say(receiver, message) {
      const encoded = encodeMessageDown(message);
      const frame = receiver.session.sealed ? await sealFor(receiver, encoded) : encoded;
      return deliver(receiver, message.head.msgid, frame);
    },
    tell: async (receiver, control) => deliver(receiver, null, await sealFor(receiver, encodeControl(control))),
  };
}
