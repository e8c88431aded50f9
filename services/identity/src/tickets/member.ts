import type { Stored } from "@portcullis/documents";
import { parsePolicy } from "@portcullis/policy";
import { sound } from "../handshake/canaries.ts";
import { readNobodysMember } from "../sockets/nobody.ts";
import { findByPath } from "../sockets/paths.ts";
import type { Member, Socket } from "../sockets/store.ts";
import type { TicketContext } from "./context.ts";
import type { Ticket } from "./store.ts";

export interface FoundMember {
  readonly socket: Stored<Socket>;
  readonly member: Stored<Member>;
}

/**
 * Whom somebody says they are, and under which name their attempts are counted. The same look-ups, and as much to read, whoever is there.
 *
 * Attempts are counted for the network, for the member, and for both together (`attempts.ts`), named by the text alone: counters of a
 * socket that is there would end sooner than those of none, over all that lies behind its path, and so tell that it is there. The first
 * part of the path is among that text: a stranger who knows a label and a name alone cannot use them up.
 */
export async function claimedOf(
  { store, pathTag }: Pick<TicketContext, "store" | "pathTag">,
  { label, path, name }: { readonly label: string; readonly path: string; readonly name: string },
): Promise<{ readonly account: string; readonly found: FoundMember | null }> {
  const place = await findByPath(store, pathTag, label, path);
  const socket = place === null || place.socket.body.goneAtMs !== null ? null : place.socket;
  const member = await store.members.findOne({ socketId: socket?.id ?? "none", name });
  if (member === null) readNobodysMember();
  const isThere = socket !== null && member !== null && member.body.goneAtMs === null;
  return {
    account: JSON.stringify([label, path.split("/", 1)[0], name]),
    found: isThere ? { socket, member } : null,
  };
}

/**
 * A member who was planted is found to be wrong, and is counted as wrong, however right what was shown for them is; and its owner hears of it: nobody who
 * merely guesses names gets that far.
 */
export function admissible(
  { alerts, networkTag }: Pick<TicketContext, "alerts" | "networkTag">,
  shown: FoundMember | null,
  address: string,
): FoundMember | null {
  if (shown?.member.body.canary !== true) return shown;
  const about = { member: shown.member.id, network: networkTag(address) };
  sound(alerts, { kind: "canary-member", socketId: shown.socket.id, about });
  return null;
}

/** @param gate whose enrolment was shown: the ticket, and who comes in by it, stand on that */
export async function mintFor(
  { tickets }: Pick<TicketContext, "tickets">,
  { socket, member }: FoundMember,
  gate: NonNullable<Ticket["enrolment"]>["gate"],
  returnOrigin: string | null,
) {
  const id = member.body.enrolments[gate];
  const minted = await tickets.mint({
    socketId: socket.id,
    role: "member",
    memberId: member.id,
    memberVersion: member.version,
    enrolment: id === undefined ? null : { gate, id },
  });
  const parsed = parsePolicy(socket.body.policy);
  const mayReturn = returnOrigin !== null && parsed.ok && parsed.policy.origins.includes(returnOrigin);
  return { ...minted, idParameter: socket.body.idParameter, mayReturn };
}
