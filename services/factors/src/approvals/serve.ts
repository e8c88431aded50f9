import type { Server } from "@portcullis/bus";
import { decideWait, listPending, withdrawGrant } from "@portcullis/contracts";
import type { Approvals } from "./approvals.ts";

/** Answers the `factors.approvals.*` contracts. */
export async function serveApprovals(server: Server, approvals: Approvals): Promise<void> {
  await server.serve(listPending, async ({ socketId, waitId }) => ({
    pending: await approvals.list(socketId, waitId),
  }));
  await server.serve(decideWait, (decision) => approvals.decide(decision));
  await server.serve(withdrawGrant, async ({ socketId, grant }) => {
    await approvals.withdraw(socketId, grant);
    return {};
  });
}
