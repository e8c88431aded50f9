import type { Server } from "@portcullis/bus";
import { listHolds, releaseHold } from "@portcullis/contracts";
import { type HoldsContext, listHoldsOf, releaseHoldOf } from "./holds.ts";

export async function serveHolds(server: Server, context: HoldsContext): Promise<void> {
  await server.serve(listHolds, (body) => listHoldsOf(context, body));
  await server.serve(releaseHold, (body) => releaseHoldOf(context, body));
}
