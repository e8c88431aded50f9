import type { Caller } from "@portcullis/bus";
import { identityStep, ServiceError, type Step } from "@portcullis/contracts";
import { advanceChain, CryptoError, handshakeKeys, openRecord } from "@portcullis/crypto";
import {
  type ClientPlaintext,
  closeCodes,
  ProtocolError,
  parseClientPlaintext,
  parseRecord,
  recordTypes,
} from "@portcullis/protocol";
import type { Clock } from "@portcullis/runtime";
import { type Channel, type ChannelStore, frameHash, restoreStep, storeStep } from "./channel.ts";
import { afterlifeMs, closed } from "./open.ts";
import { type SpeakerContext, say } from "./speaker.ts";

export interface RecordContext extends SpeakerContext {
  readonly channels: ChannelStore;
  readonly caller: Caller;
  readonly clock: Clock;
}

/**
 * Takes one sealed record of a handshake, on whichever replica it reaches. Counter, number and chain move together by
 * compare-and-set: a record counts once. The last one repeated gets the stored bytes again; nothing is ever sealed anew under
 * an old state.
 */
export async function takeRecord(
  context: RecordContext,
  { hid, record }: { hid: string; record: Uint8Array },
): Promise<Step> {
  const found = await context.channels.get(hid);
  if (found === null) return closed(closeCodes["out-of-order"].code);
  const { channel, version } = found;
  const lastFrameHash = frameHash(record);
  if (lastFrameHash === channel.lastFrameHash) return restoreStep(channel.lastStep);
  if (channel.done) return closed(closeCodes["out-of-order"].code);

  let taken: { plaintext: ClientPlaintext; bytes: Uint8Array };
  try {
    taken = await open(channel, record);
  } catch (error) {
    if (!(error instanceof ProtocolError) && !(error instanceof CryptoError)) throw error;
    // Whoever can send a wrong record on this connection is not who opened it, or is broken: the handshake is over.
    await context.channels.delete(hid);
    return closed(error instanceof ProtocolError ? error.closeCode : closeCodes.malformed.code);
  }

  const outcome = await context.caller.call(identityStep, {
    hid,
    n: taken.plaintext.n,
    keyLive: await context.isKeyLive(channel.keyId),
    action: actionOf(taken.plaintext),
  });
  const heard = {
    ...channel,
    clientCount: taken.plaintext.n,
    clientChain: await advanceChain(channel.clientChain, taken.bytes),
  };
  const { step, channel: next } = await say(context, heard, outcome);
  const ttlMs = Math.max(0, (step.deadlineMs ?? context.clock()) - context.clock()) + afterlifeMs;
  const stored = { ...next, lastFrameHash, lastStep: storeStep(step) };
  if (await context.channels.replace(hid, version, stored, ttlMs)) return step;
  const winner = await context.channels.get(hid);
  if (winner?.channel.lastFrameHash === lastFrameHash) return restoreStep(winner.channel.lastStep);
  // The handshake was ended meanwhile: a session that nobody will ever speak on must not stay on the owner's list.
  if (step.admitted !== null) context.abandon(step.admitted.sid, step.admitted.socketId);
  throw new ServiceError("conflict");
}

async function open(channel: Channel, record: Uint8Array): Promise<{ plaintext: ClientPlaintext; bytes: Uint8Array }> {
  const parsed = parseRecord(record);
  if (parsed.type !== recordTypes.handshakeUp || parsed.generation !== 0 || parsed.counter !== channel.clientCount) {
    throw new ProtocolError("out-of-order", "record");
  }
  const { client } = await handshakeKeys(channel.prk);
  const bytes = await openRecord({ secret: client, record: parsed });
  const plaintext = parseClientPlaintext(bytes);
  if (plaintext.n !== channel.clientCount + 1) throw new ProtocolError("out-of-order", "n");
  return { plaintext, bytes };
}

function actionOf(plaintext: ClientPlaintext) {
  switch (plaintext.t) {
    case "answer": {
      const { cid, gate, value, at } = plaintext;
      return { do: "answer" as const, cid, answer: { gate, value, at: at ?? null } };
    }
    case "offer":
      return {
        do: "offer" as const,
        answers: plaintext.answers.map(({ gate, value, at }) => ({ gate, value, at: at ?? null })),
      };
    case "cancel":
      return { do: "cancel" as const };
  }
}
