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
import {
  type Channel,
  type ChannelStore,
  channelTtlMs,
  frameHash,
  framesOf,
  restoreStep,
  storeStep,
} from "./channel.ts";
import { closed } from "./open.ts";
import { putSession, type SpeakerContext, say } from "./speaker.ts";

export interface RecordContext extends SpeakerContext {
  readonly channels: ChannelStore;
  readonly caller: Caller;
}

const triesMax = 5;

/**
 * Takes one sealed record of a handshake, on whichever replica it reaches. Counter, number and chain move together by
 * compare-and-set: a record counts once. The last one repeated gets the stored bytes again; nothing is ever sealed anew under
 * an old state.
 */
export async function takeRecord(
  context: RecordContext,
  { hid, record }: { hid: string; record: Uint8Array },
): Promise<Step> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const step = await tryRecord(context, hid, record);
    if (step !== null) return step;
  }
  throw new ServiceError("busy");
}

/** @returns null where something was pushed meanwhile, so that what is said has to come behind it. */
async function tryRecord(context: RecordContext, hid: string, record: Uint8Array): Promise<Step | null> {
  const found = await context.channels.get(hid);
  if (found === null) return closed(closeCodes["out-of-order"].code);
  const { channel, version } = found;
  const lastFrameHash = frameHash(record);
  if (lastFrameHash === channel.lastFrameHash) {
    await putSession(context, channel);
    return restoreStep(channel.lastStep);
  }
  if (channel.done) {
    // The verdict was pushed, and this record crossed it.
    return channel.lastPush === "" ? closed(closeCodes["out-of-order"].code) : restoreStep(channel.lastPush);
  }

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
    handshake: channel.handshake,
    hid,
    transcript: channel.th,
    n: taken.plaintext.n,
    keyLive: await context.isKeyLive(channel.keyId),
    action: actionOf(taken.plaintext),
  });
  const heard = {
    ...channel,
    clientCount: taken.plaintext.n,
    clientChain: await advanceChain(channel.clientChain, taken.bytes),
  };
  const said = await say(context, hid, heard, outcome);
  // What was pushed since the last step comes along: the edge may not have had it.
  const step = { ...said.step, frames: [...framesOf(channel), ...said.step.frames] };
  const stored = { ...said.channel, pushed: [], lastFrameHash, lastStep: storeStep(step) };
  if (await context.channels.replace(hid, version, stored, channelTtlMs(step, context.clock()))) {
    await putSession(context, stored);
    return step;
  }
  const winner = await context.channels.get(hid);
  if (winner !== null && winner.channel.clientCount === channel.clientCount) return null;
  if (winner?.channel.lastFrameHash === lastFrameHash) {
    await putSession(context, winner.channel);
    return restoreStep(winner.channel.lastStep);
  }
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
        parameters: plaintext.parameters ?? {},
      };
    case "start":
      return { do: "start" as const, cid: plaintext.cid, gate: plaintext.gate, at: plaintext.at ?? null };
    case "resend":
      return { do: "resend" as const, cid: plaintext.cid };
    case "cancel":
      return { do: "cancel" as const, ...(plaintext.why === undefined ? {} : { why: plaintext.why }) };
  }
}
