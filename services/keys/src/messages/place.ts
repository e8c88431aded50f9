import { placedMessage, socketMessage } from "@portcullis/contracts";
import { type RecordWriter, sealGroupRecord } from "@portcullis/crypto";
import { encodeMessageDown, type MessageUp, ProtocolError } from "@portcullis/protocol";
import type { Epoch } from "../groups/groups.ts";
import type { StoredSession } from "../sessions/session-secrets.ts";
import type { MessageContext } from "./context.ts";
import type { Replies } from "./replies.ts";

export interface Sender {
  readonly sid: string;
  readonly session: StoredSession;
}

/** A session's progress is known a little longer than the session can live. */
const progressExtraMs = 60_000;

/**
 * Gives a message its place, and tells everybody; or hands it to the one that it is for.
 *
 * @param replies to the sender of a message for one
 * @returns false where the sender was put out meanwhile. @throws {ProtocolError}
 */
export async function placeMessage(
  context: MessageContext,
  { sid, session }: Sender,
  said: MessageUp,
  replies: Pick<Replies, "directed">,
): Promise<boolean> {
  const { counter, head: addressed, body } = said;
  const { class: kind } = addressed;
  const { socketId, member, maxBytes, expiresAtMs, history } = session;
  if (body.length > maxBytes) throw new ProtocolError("too-large", "message.body");
  const ttlMs = Math.max(0, expiresAtMs - context.clock()) + progressExtraMs;
  const receiver = receiverOf(session, addressed);
  if (receiver !== everybody) {
    const become = await context.direct(context, { sid, session }, said, receiver, ttlMs);
    if (become === "over") return false;
    context.taken(session, said);
    replies.directed(counter, become === "delivered");
    return true;
  }
  const head = {
    sid,
    msgid: context.ids.id(),
    ...(member === null ? {} : { member }),
    ...(kind === undefined ? {} : { class: kind }),
  };
  const kept = history === null ? null : context.history.entry(socketId, { sequence: counter, head, body }, history);
  const placed = await context.order.place({ socketId, sid, counter, body }, ttlMs, kept);
  if (placed.is === "gap") throw new ProtocolError("out-of-order", "message.counter");
  if (placed.is === "stale") return true;
  const { place } = placed;
  const epoch = session.sealed ? await context.groups.toSeal(socketId) : null;
  if (!(await context.live.is(sid))) {
    if (history !== null) await context.history.drop(socketId, place);
    return false;
  }
  context.taken(session, said);
  if (history !== null) await context.history.trim(socketId, place, history);
  if (!session.placed) {
    context.caller.emit(socketMessage, { sid, member, seq: counter, msgid: head.msgid, body }, socketId);
    return true;
  }
  const message = encodeMessageDown({ sequence: counter, head: { ...head, place }, body });
  const frame = epoch === null ? message : await sealForGroup(context.writer, epoch, message);
  context.caller.emit(placedMessage, { epoch: epoch?.epoch ?? null, frame }, socketId);
  if (epoch !== null) context.ticks.after(socketId);
  return true;
}

export const everybody = Symbol("everybody");

/**
 * Whom a message is for. @returns null: whichever consumer of the socket
 * @throws {ProtocolError} out-of-order: members do not choose
 */
export function receiverOf({ role, mode }: StoredSession, { to }: MessageUp["head"]): string | null | typeof everybody {
  if (role !== "member") return to ?? everybody;
  if (to !== undefined) throw new ProtocolError("out-of-order", "message.head");
  return mode === "consumer" ? null : everybody;
}

/** Once, for everybody. */
export async function sealForGroup(writer: RecordWriter, epoch: Epoch, plaintext: Uint8Array): Promise<Uint8Array> {
  return sealGroupRecord({ ...epoch, ...writer.next(), plaintext });
}
