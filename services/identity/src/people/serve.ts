import type { Server } from "@portcullis/bus";
import * as contract from "@portcullis/contracts";
import { recorded } from "../sockets/recorded.ts";
import { acceptInvitationOf } from "./accept.ts";
import { decideApprovalOf, listApprovalsOf } from "./approvals.ts";
import type { PeopleContext } from "./context.ts";
import { changePersonOf, invitePersonTo, listPeopleOf, removePersonOf } from "./people.ts";

export async function servePeople(server: Server, context: PeopleContext): Promise<void> {
  const changed = (what: string, about: Readonly<Record<string, string>>) => ({
    event: "person-changed" as const,
    about: { what, ...about },
  });
  await server.serve(
    contract.invitePerson,
    recorded(
      context,
      (body) => invitePersonTo(context, body),
      ({ role }, invited) => changed("invited", { role, ...(invited === null ? {} : { person: invited.id }) }),
    ),
  );
  await server.serve(contract.listPeople, (body) => listPeopleOf(context, body));
  await server.serve(
    contract.changePerson,
    recorded(
      context,
      (body) => changePersonOf(context, body),
      ({ personId, role }) => changed("role", { person: personId, role }),
    ),
  );
  await server.serve(
    contract.removePerson,
    recorded(
      context,
      (body) => removePersonOf(context, body),
      ({ personId }) => (personId === null ? changed("left", {}) : changed("removed", { person: personId })),
    ),
  );
  await server.serve(contract.acceptInvitation, async (body) => {
    const accepted = await acceptInvitationOf(context, body);
    await context.audit.note(accepted.socketId, {
      ...changed("accepted", { role: accepted.role }),
      by: body.ownerId,
    });
    return accepted;
  });
  await server.serve(contract.listApprovals, (body) => listApprovalsOf(context, body));
  await server.serve(
    contract.decideApproval,
    recorded(
      context,
      (body) => decideApprovalOf(context, body),
      ({ waitId, decision }, decided) => ({
        event: "approval-decided",
        about: { wait: waitId, say: decision.say, ...(decided === null ? {} : { state: decided.state }) },
      }),
    ),
  );
}
