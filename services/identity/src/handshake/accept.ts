import type { Admitted } from "@portcullis/contracts";
import { parseHandshakeId } from "@portcullis/protocol";
import type { Clock, Ids } from "@portcullis/runtime";
import { type Audit, present } from "../audit/audit.ts";
import { admittedOf } from "../sessions/admitted.ts";
import { consumersMax } from "../sessions/consumers.ts";
import type { SessionRegistry } from "../sessions/registry.ts";
import type { Session } from "../sessions/session.ts";
import type { SocketStore } from "../sockets/store.ts";
import { noStepUps } from "../step-ups/progress.ts";
import { stands } from "./standing.ts";
import type { Handshake } from "./store.ts";

export interface AcceptContext {
  readonly store: SocketStore;
  readonly sessions: SessionRegistry;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly ids: Ids;
}

export interface Admission {
  /** Of the connection. */
  readonly hid: string;
  readonly handshake: Handshake;
  readonly gates: readonly string[];
  readonly assurance: Session["assurance"];
  readonly expiresAtMs: number;
}

/**
 * Registers the session, then looks once more whether what it stands on is still there, and whether anything of it was locked out meanwhile. Removal deletes first and lists
 * sessions afterwards; so either the removal finds this session, or this look finds the removal. (`keys` does the same for
 * the app key before it seals `accepted`.)
 * Before anybody hears of it, it is in the book: where that cannot be, nobody is let in. Of two that are decided at once both are there, and that one of them came to nothing.
 *
 * @param isLockedOut a lockout is written before its answer is looked at, so that of the two the lockout wins
 * @throws {ServiceError} unavailable
 * @returns null when what the handshake was for went away meanwhile, and where too many of the owner's programs are there already.
 */
export async function admit(
  context: AcceptContext,
  { hid, handshake, gates, assurance, expiresAtMs }: Admission,
  isLockedOut: () => Promise<boolean>,
): Promise<Admitted | null> {
  const consumers = async () => (handshake.role === "consumer" ? context.sessions.consumers(handshake.socketId) : 0);
  if ((await consumers()) >= consumersMax) return null;
  const now = context.clock();
  const session: Session = {
    sid: context.ids.id(),
    hid,
    edge: parseHandshakeId(hid).edgeId,
    heldSinceMs: now,
    lostAtMs: null,
    socketId: handshake.socketId,
    room: handshake.room,
    memberId: handshake.memberId,
    member: handshake.member,
    keyId: handshake.keyId,
    role: handshake.role,
    context: handshake.context,
    parameters: handshake.parameters,
    gates: [...gates],
    assurance,
    enrolments: handshake.enrolments,
    policyHash: handshake.policyHash,
    branches: handshake.machine.branches,
    terms: handshake.terms,
    network: handshake.network,
    // From when the first session of this handshake began: one that takes its place is asked when that one would have been.
    stepUps: noStepUps(handshake.terms.during, expiresAtMs - handshake.sessionMs),
    acceptedAtMs: now,
    expiresAtMs,
  };
  await context.sessions.add(session);
  // Counted once more: of those who came at the same moment each may have been the last for whom there was room.
  if ((await consumers()) > consumersMax || !(await stands(context.store, handshake)) || (await isLockedOut())) {
    // Nobody ever hears of it, and so nobody asks why it went.
    await context.sessions.remove(session, null);
    return null;
  }
  await record(context, session).catch(async (error: unknown) => {
    await context.sessions.remove(session, null);
    throw error;
  });
  return admittedOf(session, 0);
}

function record({ audit }: AcceptContext, session: Session): Promise<void> {
  const { socketId, room, hid, sid, memberId, keyId, network, role, gates, policyHash, expiresAtMs } = session;
  return audit.require(socketId, {
    // Nobody was let into the socket: the book must not say so.
    ...(room === null ? { event: "accepted" } : { event: "decoy", cause: "accepted" }),
    handshake: hid,
    session: sid,
    ...present({ member: memberId, key: keyId }),
    network,
    about: { role, gates: gates.join(" "), policyHash, expiresAtMs },
  });
}
