import type { Server } from "@portcullis/bus";
import { placedMessage, takeMessages } from "@portcullis/contracts";
import { encodeControl } from "@portcullis/protocol";
import type { Logger } from "@portcullis/runtime";
import { serveStepUps } from "../step-ups/serve.ts";
import type { MessageContext } from "./context.ts";
import { sealForGroup } from "./place.ts";
import { over, takeFrames } from "./take.ts";
import { createTicks, type Ticks } from "./ticks.ts";

export async function serveMessages(
  server: Server,
  { real, decoy }: { readonly real: MessageContext; readonly decoy: MessageContext },
): Promise<void> {
  await server.serve(takeMessages, async ({ sid, ...said }) => {
    for (const context of [real, decoy]) {
      const session = await context.live.get(sid);
      if (session !== null) return takeFrames(context, { sid, session }, said);
    }
    return over;
  });
  // In a decoy nothing is asked for again, and of a session that is not there the same is said.
  await serveStepUps(server, real);
}

/** How far the messages of each place have come, said to everybody there. */
export function ticksOf(
  { groups, order, writer, caller }: Omit<MessageContext, "ticks">,
  options: { readonly tickEveryMs: number; readonly log: Pick<Logger, "warn"> },
): Ticks {
  return createTicks({
    everyMs: options.tickEveryMs,
    log: options.log,
    async tick(socketId) {
      const plaintext = encodeControl({ t: "tick", place: await order.last(socketId) });
      const epoch = await groups.current(socketId);
      caller.emit(placedMessage, { epoch: epoch.epoch, frame: await sealForGroup(writer, epoch, plaintext) }, socketId);
    },
  });
}
