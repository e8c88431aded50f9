import type { Caller } from "@portcullis/bus";
import { placedMessage, socketMessage } from "@portcullis/contracts";
import { CryptoError, openRecord, type RecordWriter, sealGroupRecord } from "@portcullis/crypto";
import {
  type ApplicationUp,
  type CloseCodeName,
  closeCodes,
  encodeControl,
  encodeMessageDown,
  isMessageUp,
  type MessageUp,
  ProtocolError,
  parseApplicationUp,
  parseMessageUp,
  parseRecord,
  recordTypes,
} from "@portcullis/protocol";
import type { Clock, Ids } from "@portcullis/runtime";
import { type Epoch, type Groups, grantOf } from "../groups/groups.ts";
import type { StoredSession } from "../sessions/session-secrets.ts";
import { answerControl } from "./controls.ts";
import { type DirectedContext, takeDirected } from "./directed.ts";
import type { History } from "./history.ts";
import type { Receiver } from "./receivers.ts";
import { createReplies, type Replies } from "./replies.ts";
import type { Ticks } from "./ticks.ts";

export interface MessageContext extends DirectedContext {
  readonly groups: Groups;
  readonly history: History;
  readonly ticks: Ticks;
  readonly writer: RecordWriter;
  readonly caller: Pick<Caller, "call" | "emit">;
  readonly clock: Clock;
  readonly ids: Ids;
}

export interface Taken {
  /** For the client that sent. */
  readonly frames: Uint8Array[];
  readonly close: number | null;
}

/** A session's progress is known a little longer than the session can live. */
const progressExtraMs = 60_000;
/** Put out, or gone on over another connection; the edge hears of it elsewhere, or does so here. */
const over: Taken = { frames: [], close: closeCodes.unavailable.code };

/**
 * Takes what a client has sent, on whichever replica, in the order of its counters, one after the other.
 *
 * The epoch is read when a message has its place: however long a replica may stand still in between, nobody who was put out before that
 * has the key. Whether the sender lives is looked at last: a message that gets out was placed before they were put out, and nobody who was
 * put out is given the epoch that came with that.
 */
export async function takeFrames(
  context: MessageContext,
  { sid, hid, frames }: { readonly sid: string; readonly hid: string; readonly frames: readonly Uint8Array[] },
): Promise<Taken> {
  const session = await context.live.get(sid);
  if (session === null || session.hid !== hid) return over;
  const from: Sender = { sid, session };
  const replies = createReplies((plaintext) =>
    context.writer.seal(recordTypes.applicationDown, session.server, plaintext),
  );
  let asked: number | null = null;
  let close: number | null = null;
  for (const frame of frames) {
    try {
      const said = await read(session, frame);
      // An answer is much longer than its question: of many that come at once, one is answered.
      if (said.t === "catch-up") asked = Math.min(asked ?? said.after, said.after);
      else if (said.t !== "message") replies.answer(await answerControl(context.caller, from, said));
      else if (!(await takeMessage(context, from, said, replies))) return over;
    } catch (error) {
      close = closeCodes[problemOf(error)].code;
      break;
    }
  }
  const answers = await replies.seal();
  if (asked === null) return { frames: answers, close };
  const epoch = await epochOf(context, session);
  if (!(await context.live.is(sid))) return over;
  return { frames: [...answers, ...(await catchUp(context, session, epoch, asked))], close };
}

type Sender = Receiver;

/** The one that holds now; null where messages are not sealed. */
async function epochOf({ groups }: MessageContext, { sealed, socketId }: StoredSession): Promise<Epoch | null> {
  return sealed ? groups.current(socketId) : null;
}

/** @returns false where the sender was put out meanwhile. @throws {ProtocolError} */
async function takeMessage(context: MessageContext, from: Sender, said: MessageUp, replies: Replies): Promise<boolean> {
  const { sid, session } = from;
  const { counter, head: addressed, body } = said;
  // Nothing here knows classes yet.
  if (addressed.class !== undefined) throw new ProtocolError("out-of-order", "message.head");
  const { socketId, member, maxBytes, expiresAtMs, history } = session;
  if (body.length > maxBytes) throw new ProtocolError("too-large", "message.body");
  const ttlMs = Math.max(0, expiresAtMs - context.clock()) + progressExtraMs;
  const receiver = receiverOf(session, addressed);
  if (receiver !== everybody) {
    const become = await takeDirected(context, from, said, receiver, ttlMs);
    if (become === "over") return false;
    replies.directed(counter, become === "delivered");
    return true;
  }
  const head = { sid, msgid: context.ids.id(), ...(member === null ? {} : { member }) };
  const kept = history === null ? null : context.history.entry(socketId, { sequence: counter, head, body }, history);
  const placed = await context.order.place({ socketId, sid, counter, body }, ttlMs, kept);
  if (placed.is === "gap") throw new ProtocolError("out-of-order", "message.counter");
  if (placed.is === "stale") return true;
  const { place } = placed;
  const epoch = await epochOf(context, session);
  if (!(await context.live.is(sid))) {
    if (history !== null) await context.history.drop(socketId, place);
    return false;
  }
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

const everybody = Symbol("everybody");

/**
 * Whom a message is for. @returns null: whichever consumer of the socket
 * @throws {ProtocolError} out-of-order: members do not choose
 */
function receiverOf({ role, mode }: StoredSession, { to }: MessageUp["head"]): string | null | typeof everybody {
  if (role !== "member") return to ?? everybody;
  if (to !== undefined) throw new ProtocolError("out-of-order", "message.head");
  return mode === "consumer" ? null : everybody;
}

async function read(session: StoredSession, frame: Uint8Array): Promise<ApplicationUp> {
  if (isMessageUp(frame)) {
    if (session.sealed) throw new ProtocolError("out-of-order", "message.type");
    return { t: "message", ...parseMessageUp(frame) };
  }
  const record = parseRecord(frame);
  if (record.type !== recordTypes.applicationUp || record.generation !== 0)
    throw new ProtocolError("out-of-order", "record.type");
  const said = parseApplicationUp(await openRecord({ secret: session.client, record }));
  if (said.t === "message" && !session.sealed) throw new ProtocolError("out-of-order", "message.type");
  return said;
}

/** Once, for everybody. */
export async function sealForGroup(writer: RecordWriter, epoch: Epoch, plaintext: Uint8Array): Promise<Uint8Array> {
  return sealGroupRecord({ ...epoch, step: 0, ...writer.next(), plaintext });
}

/** What the client has missed, for it alone, and what it needs to hear on. */
async function catchUp(
  { order, history, writer }: MessageContext,
  session: StoredSession,
  epoch: Epoch | null,
  asked: number,
): Promise<Uint8Array[]> {
  const { socketId, server, since } = session;
  const last = await order.last(socketId);
  const after = Math.min(Math.max(asked, since), last);
  const page =
    session.history === null
      ? { messages: [], through: last, isComplete: after === last }
      : await history.page(socketId, after, last, session.history);
  const seal = (plaintext: Uint8Array) => writer.seal(recordTypes.applicationDown, server, plaintext);
  const frames: Uint8Array[] = [];
  for (const message of page.messages) frames.push(await seal(message));
  const { through, isComplete: complete } = page;
  const group = epoch === null ? {} : { group: grantOf(epoch) };
  frames.push(await seal(encodeControl({ t: "caught-up", through, complete, more: through < last, ...group })));
  return frames;
}

function problemOf(error: unknown): CloseCodeName {
  if (error instanceof ProtocolError) return error.code;
  // Whoever sends what does not open is not who was let in, or is broken.
  if (error instanceof CryptoError) return "malformed";
  throw error;
}
