import type { Server } from "@portcullis/bus";
import * as contract from "@portcullis/contracts";
import { acceptInvitationOf } from "./accept.ts";
import { decideApprovalOf, listApprovalsOf } from "./approvals.ts";
import type { PeopleContext } from "./context.ts";
import { changePersonOf, invitePersonTo, listPeopleOf, removePersonOf } from "./people.ts";

export async function servePeople(server: Server, context: PeopleContext): Promise<void> {
  await server.serve(contract.invitePerson, (body) => invitePersonTo(context, body));
  await server.serve(contract.listPeople, (body) => listPeopleOf(context, body));
  await server.serve(contract.changePerson, (body) => changePersonOf(context, body));
  await server.serve(contract.removePerson, (body) => removePersonOf(context, body));
  await server.serve(contract.acceptInvitation, (body) => acceptInvitationOf(context, body));
  await server.serve(contract.listApprovals, (body) => listApprovalsOf(context, body));
  await server.serve(contract.decideApproval, (body) => decideApprovalOf(context, body));
}
