import type { Server } from "@portcullis/bus";
import { askStepUp, demandStepUp, demandStepUpOfSession, takeStepUp } from "@portcullis/contracts";
import { requireSocket, type SocketContext } from "../sockets/context.ts";
import type { StepUpEngine } from "./step-ups.ts";

export async function serveStepUps(server: Server, stepUps: StepUpEngine, sockets: Pick<SocketContext, "store">) {
  await server.serve(askStepUp, (body) => stepUps.ask(body));
  await server.serve(takeStepUp, (body) => stepUps.take(body));
  await server.serve(demandStepUp, async (body) => ({ asked: await stepUps.demand(body) }));
  await server.serve(demandStepUpOfSession, async ({ ownerId, socketId, sid, rule }) => {
    await requireSocket(sockets, { ownerId, socketId });
    return { asked: await stepUps.demand({ socketId, sid, rule }) };
  });
}
