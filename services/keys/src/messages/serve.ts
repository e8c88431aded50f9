import type { Server } from "@portcullis/bus";
import { placedMessage, takeMessages } from "@portcullis/contracts";
import { encodeControl } from "@portcullis/protocol";
import type { Logger } from "@portcullis/runtime";
import { serveStepUps } from "../step-ups/serve.ts";
import type { MessageContext } from "./context.ts";
import { sealForGroup } from "./place.ts";
import { takeFrames } from "./take.ts";
import { createTicks } from "./ticks.ts";

export async function serveMessages(
  server: Server,
  context: Omit<MessageContext, "ticks">,
  options: { readonly tickEveryMs: number; readonly log: Pick<Logger, "warn"> },
): Promise<{ close(): void }> {
  const { groups, order, writer, caller } = context;
  const ticks = createTicks({
    everyMs: options.tickEveryMs,
    log: options.log,
    async tick(socketId) {
      const plaintext = encodeControl({ t: "tick", place: await order.last(socketId) });
      const epoch = await groups.current(socketId);
      caller.emit(placedMessage, { epoch: epoch.epoch, frame: await sealForGroup(writer, epoch, plaintext) }, socketId);
    },
  });
  await server.serve(takeMessages, (body) => takeFrames({ ...context, ticks }, body));
  await serveStepUps(server, { ...context, ticks });
  return ticks;
}
