import type { Server } from "@portcullis/bus";
import { readStepUp } from "@portcullis/contracts";
import { closeCodes } from "@portcullis/protocol";
import type { MessageContext } from "../messages/context.ts";
import { createDesk } from "./desk.ts";

/** What a session is asked that has not said anything: its time has come, or somebody it waited for has answered. */
export async function serveStepUps(server: Server, context: MessageContext): Promise<void> {
  await server.serve(readStepUp, async ({ sid, hid }) => {
    const session = await context.live.get(sid);
    // The edge hears elsewhere what became of it, and ends it by its own clock where it does not.
    if (session === null || session.hid !== hid || !session.during) return { frames: [], close: null, stepUp: null };
    const desk = createDesk(context, { sid, session });
    await desk.ask();
    const isOver = !(await desk.settle());
    const close = desk.close ?? (isOver ? closeCodes.unavailable.code : null);
    return { frames: await desk.seal(), close, stepUp: desk.clock };
  });
}
