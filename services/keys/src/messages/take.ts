import { ServiceError, type StepUpClock } from "@portcullis/contracts";
import { CryptoError, openRecord } from "@portcullis/crypto";
import {
  type ApplicationUp,
  type CloseCodeName,
  closeCodes,
  encodeControl,
  isMessageUp,
  ProtocolError,
  parseApplicationUp,
  parseMessageUp,
  parseRecord,
  recordTypes,
} from "@portcullis/protocol";
import { answerDirectory } from "../directory/answer.ts";
import { type Epoch, grantOf } from "../groups/groups.ts";
import type { StoredSession } from "../sessions/session-secrets.ts";
import { createDesk, type Desk } from "../step-ups/desk.ts";
import type { MessageContext } from "./context.ts";
import { answerControl } from "./controls.ts";
import { TooMany } from "./parked.ts";
import type { Sender } from "./place.ts";

export interface Taken {
  /** For the client that sent. */
  readonly frames: Uint8Array[];
  readonly close: number | null;
  /** Null: as before. */
  readonly stepUp: StepUpClock | null;
}

/** Put out, or gone on over another connection; the edge hears of it elsewhere, or does so here. */
export const over: Taken = { frames: [], close: closeCodes.unavailable.code, stepUp: null };

/**
 * Takes what a client has sent, on whichever replica, in the order of its counters, one after the other.
 *
 * The epoch is read when a message has its place: however long a replica may stand still in between, nobody who was put out before that
 * has the key. Whether the sender lives is looked at last: a message that gets out was placed before they were put out, and nobody who was
 * put out is given the epoch that came with that.
 */
export async function takeFrames(
  context: MessageContext,
  from: Sender,
  { hid, frames }: { readonly hid: string; readonly frames: readonly Uint8Array[] },
): Promise<Taken> {
  const { sid, session } = from;
  if (session.hid !== hid) return over;
  const desk = createDesk(context, from);
  let asked: number | null = null;
  let close: number | null = null;
  for (const frame of frames) {
    try {
      const { said, counter } = await read(session, frame);
      if (said.t === "message") {
        if (!(await desk.message(said))) return over;
      }
      // An answer is much longer than its question: of many that come at once, one is answered.
      else if (said.t === "catch-up") asked = Math.min(asked ?? said.after, said.after);
      else if (said.t === "directory" || said.t === "publish") desk.answer(await answerDirectory(context, from, said));
      else if (said.t === "who" || said.t === "kick" || said.t === "step-up")
        desk.answer(await answerControl(context, from, said));
      else await desk.action(said, counter);
    } catch (error) {
      close = closeCodes[problemOf(error)].code;
      break;
    }
  }
  // What waits may go by now; also what waited before this came, should whoever was to see to it be gone.
  if (close === null && !(await settled(desk))) return over;
  const own = await desk.seal();
  const { clock: stepUp } = desk;
  close ??= desk.close;
  if (asked === null) return { frames: own, close, stepUp };
  const epoch = session.sealed ? await context.groups.current(session.socketId) : null;
  if (!(await context.live.is(sid))) return desk.close === null ? over : { frames: own, close, stepUp };
  return { frames: [...own, ...(await catchUp(context, session, epoch, asked))], close, stepUp };
}

/** @returns false: it has ended, or is on another connection by now */
async function settled(desk: Desk): Promise<boolean> {
  try {
    return await desk.settle();
  } catch (error) {
    if (error instanceof ServiceError && error.code === "conflict") return false;
    throw error;
  }
}

/** `counter`: of the record; 0 for what is none. */
async function read(session: StoredSession, frame: Uint8Array): Promise<{ said: ApplicationUp; counter: number }> {
  if (isMessageUp(frame)) {
    if (session.sealed) throw new ProtocolError("out-of-order", "message.type");
    return { said: { t: "message", ...parseMessageUp(frame) }, counter: 0 };
  }
  const record = parseRecord(frame);
  if (record.type !== recordTypes.applicationUp || record.generation !== 0)
    throw new ProtocolError("out-of-order", "record.type");
  const said = parseApplicationUp(await openRecord({ secret: session.client, record }));
  if (said.t === "message" && !session.sealed) throw new ProtocolError("out-of-order", "message.type");
  return { said, counter: record.counter };
}

/** What the client has missed, for it alone, and what it needs to hear on. */
async function catchUp(
  { order, history, writer, groups }: MessageContext,
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
  // Messages of the steps before may be on their way: from where on the session was there.
  const step = epoch?.epoch === session.epoch ? session.step : 0;
  const own = epoch === null ? null : await groups.used(socketId, epoch.epoch, step);
  const group = own === null ? {} : { group: grantOf(own) };
  frames.push(await seal(encodeControl({ t: "caught-up", through, complete, more: through < last, ...group })));
  return frames;
}

function problemOf(error: unknown): CloseCodeName {
  if (error instanceof TooMany) return "rate";
  if (error instanceof ProtocolError) return error.code;
  // Whoever sends what does not open is not who was let in, or is broken.
  if (error instanceof CryptoError) return "malformed";
  throw error;
}
