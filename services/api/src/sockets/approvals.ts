import { decideApproval, listApprovals, type pendingApproval } from "@portcullis/contracts";
import { z } from "zod";
import { ownerOf } from "../callers/guard.ts";
import type { App } from "../http/app.ts";
import { id, time, timeOf } from "../http/fields.ts";
import type { RouteContext } from "../routes.ts";
import { ownedSocket } from "./owned-socket.ts";

const tags = ["sockets"];
const number = z
  .string()
  .regex(/^[0-9]{3}$/, { error: "must be the three digits that the waiting screen shows" })
  .meta({ example: "417" });
const decision = z.discriminatedUnion("decision", [
  z.strictObject({ decision: z.literal("approve"), number }),
  z.strictObject({ decision: z.literal("refuse") }),
]);
const counts = {
  given: z.int().describe("approvals that count"),
  needed: z.int().describe("how many it takes"),
};
const approval = z.object({
  id,
  member: z.string().nullable().describe("who they say they are"),
  memberProven: z.boolean().describe("and have shown it: a gate was passed that only this member passes"),
  gates: z.array(z.string()).describe("passed so far"),
  since: time,
  until: time,
  ...counts,
  mine: z.boolean().describe("you have approved it"),
});

function viewOfApproval({ sinceMs, untilMs, ...same }: z.infer<typeof pendingApproval>): z.infer<typeof approval> {
  return { ...same, since: timeOf(sinceMs), until: timeOf(untilMs) };
}

export function approvalRoutes(app: App, { caller }: RouteContext): void {
  app.get(
    "/v1/sockets/:id/approvals",
    {
      config: { access: "owner", errors: ["not_found"] },
      schema: {
        operationId: "listApprovals",
        summary: "Who waits to be let in; for the owner and approvers",
        tags,
        params: z.strictObject({ id }),
        response: { 200: z.object({ approvals: z.array(approval) }) },
      },
    },
    async (request) => {
      return { approvals: (await caller.call(listApprovals, ownedSocket(request))).approvals.map(viewOfApproval) };
    },
  );

  app.post(
    "/v1/sockets/:id/approvals/:approvalId",
    {
      // A program that approves whatever comes is no person who looks.
      config: { access: "session", errors: ["not_found"] },
      schema: {
        operationId: "decideApproval",
        summary: "Let somebody in, or not; by a person who is signed in",
        description:
          "Ask who waits for the number that their screen shows; three wrong ones in all end the wait. One refusal ends the handshake. `not_found`: they wait no more, or it was decided. `forbidden`: it is your own connection, or you come with an API token.",
        tags,
        params: z.strictObject({ id, approvalId: id }),
        body: decision,
        response: { 200: z.object({ state: z.enum(["waiting", "approved", "refused"]), ...counts }) },
      },
    },
    async (request) => {
      const { id: socketId, approvalId } = request.params;
      const { body } = request;
      return caller.call(decideApproval, {
        ownerId: ownerOf(request).ownerId,
        socketId,
        waitId: approvalId,
        decision: body.decision === "refuse" ? { say: "refuse" } : { say: "approve", number: body.number },
      });
    },
  );
}
