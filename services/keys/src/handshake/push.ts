import type { Caller } from "@portcullis/bus";
import { type Outcome, pushStep, ServiceError, type Step } from "@portcullis/contracts";
import { parseHandshakeId } from "@portcullis/protocol";
import {
  type Channel,
  type ChannelStore,
  channelTtlMs,
  framesOf,
  pushedMax,
  restoreStep,
  storeStep,
} from "./channel.ts";
import { putSession, type SpeakerContext, say } from "./speaker.ts";

export interface PushContext extends SpeakerContext {
  readonly channels: ChannelStore;
  readonly caller: Caller;
}

export interface Push {
  readonly hid: string;
  readonly seq: number;
  /** Of the client's record behind which it belongs. */
  readonly n: number;
  readonly outcome: Outcome;
}

const triesMax = 5;
const nobody = { taken: false };

/**
 * Says something that the client did not ask for. It is sealed once, into the one order of what the server says on this connection,
 * and kept, so that the same push again sends the same bytes; the edge writes what it has not written.
 *
 * @throws {ServiceError} busy: a record of the client's was taken since this was decided, or is being taken. Sealed behind what that led to,
 * news of a wait would ask again for a code that was right.
 */
export async function push(context: PushContext, { hid, seq, n, outcome }: Push): Promise<{ taken: boolean }> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const found = await context.channels.get(hid);
    if (found === null) return nobody;
    const { channel, version } = found;
    if (channel.pushes > seq) return { taken: true };
    if (channel.pushes === seq) return deliver(context, hid, channel, restoreStep(channel.lastPush));
    if (channel.done) return nobody;
    if (channel.clientCount !== n) throw new ServiceError("busy");

    const said = await say(context, hid, channel, outcome);
    const frames = [...framesOf(channel), ...said.step.frames].slice(-pushedMax);
    const step = { ...said.step, frames };
    const pushed = frames.map(({ data, n }) => ({ data, n }));
    const stored = { ...said.channel, pushes: seq, lastPush: storeStep(step), pushed };
    if (await context.channels.replace(hid, version, stored, channelTtlMs(step, context.clock())))
      return deliver(context, hid, stored, step);
  }
  throw new ServiceError("busy");
}

async function deliver(context: PushContext, hid: string, channel: Channel, step: Step): Promise<{ taken: boolean }> {
  await putSession(context, channel);
  const { edgeId } = parseHandshakeId(hid);
  const { taken } = await context.caller.call(pushStep, { hid, step }, { route: edgeId });
  // Let in while nobody was there: who comes back gets a session of their own, and this one is not to be listed meanwhile.
  if (!taken && step.admitted !== null) context.abandon(step.admitted.sid, step.admitted.socketId);
  return { taken };
}
