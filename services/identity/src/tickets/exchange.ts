import { type exchangePassphrase, ServiceError } from "@portcullis/contracts";
import { parsePolicy } from "@portcullis/policy";
import type { z } from "zod";
import { findByPath } from "../sockets/paths.ts";
import type { TicketContext } from "./context.ts";

type Request = z.output<(typeof exchangePassphrase)["request"]>;
type Reply = z.output<(typeof exchangePassphrase)["reply"]>;

/**
 * A member's passphrase for a ticket. Unknown label, path or member, a member without a passphrase and a wrong one are the same: the
 * same look-ups, the same counters, one slow hash.
 *
 * Attempts are counted for the network, for the member, and for both together (`attempts.ts`), named by the text alone: counters of a
 * socket that is there would end sooner than those of none, over all that lies behind its path, and so tell that it is there. The first
 * part of the path is among that text: a stranger who knows a label and a name alone cannot use them up.
 *
 * @throws {ServiceError} unauthenticated, too_many, busy
 */
export async function exchangePassphraseOf(context: TicketContext, request: Request): Promise<Reply> {
  const { store, paths, passphrases, attempts, tickets } = context;
  const { label, path, name, passphrase, address, returnOrigin } = request;
  const found = await findByPath(store, paths, label, path);
  const socket = found === null || found.socket.body.goneAtMs !== null ? null : found.socket;
  const member = await store.members.findOne({ socketId: socket?.id ?? "none", name });
  const isThere = socket !== null && member !== null && member.body.goneAtMs === null;
  const account = JSON.stringify([label, path.split("/", 1)[0], name]);

  const right = await attempts.judge(account, address, async () => {
    const hash = isThere ? member.body.passphraseHash : null;
    return (await passphrases.matches(hash, passphrase)) && isThere ? { socket, member } : null;
  });
  if (right === null) throw new ServiceError("unauthenticated");
  const minted = await tickets.mint({
    socketId: right.socket.id,
    role: "member",
    memberId: right.member.id,
    memberVersion: right.member.version,
    enrolment: right.member.body.enrolments.ticket ?? null,
  });
  const parsed = parsePolicy(right.socket.body.policy);
  const mayReturn = returnOrigin !== null && parsed.ok && parsed.policy.origins.includes(returnOrigin);
  return { ...minted, idParameter: right.socket.body.idParameter, mayReturn };
}
