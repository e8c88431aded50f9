import { type mintTicket, ServiceError, serverIdentity } from "@portcullis/contracts";
import type { z } from "zod";
import { requireMember, requireSocket } from "../sockets/context.ts";
import type { TicketContext } from "./context.ts";

type Request = z.output<(typeof mintTicket)["request"]>;
type Reply = z.output<(typeof mintTicket)["reply"]>;

/** For somebody whom the owner's backend has signed in itself, or for the owner and their programs. Who may ask for which role is for `api` to say. */
export async function mintTicketOf(context: TicketContext, request: Request): Promise<Reply> {
  const { role, member: name } = request;
  const socket = await requireSocket(context, request);
  if (role !== "member" && name !== null)
    throw new ServiceError("invalid", { issues: [{ path: "member", message: "only with the role member" }] });
  const member = name === null ? null : await requireMember(context, socket.id, name);
  if (member?.body.canary === true)
    throw new ServiceError("invalid", {
      issues: [{ path: "member", message: "is a canary: it is there to be found, and nobody is let in as it" }],
    });
  // First: a ticket that nobody is told of would lie there for a minute.
  const { fingerprint } = await context.caller.call(serverIdentity, {});
  const minted = await context.tickets.mint({
    socketId: socket.id,
    role,
    memberId: member?.id ?? null,
    memberVersion: member?.version ?? null,
    enrolment: null,
  });
  const { label, idParameter } = socket.body;
  return { ...minted, label, idParameter, fingerprint };
}
