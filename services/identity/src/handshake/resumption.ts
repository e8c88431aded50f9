import type { Caller } from "@portcullis/bus";
import type { Outcome } from "@portcullis/contracts";
import { staysOnItsWay } from "@portcullis/policy";
import { parseHandshakeId } from "@portcullis/protocol";
import type { Clock, Logger } from "@portcullis/runtime";
import { present } from "../audit/audit.ts";
import type { Decoys } from "../decoy/decoys.ts";
import { toText } from "../secrets.ts";
import { admittedOf } from "../sessions/admitted.ts";
import { displace } from "../sessions/displace.ts";
import type { EdgeWatch } from "../sessions/edges.ts";
import type { SessionRegistry } from "../sessions/registry.ts";
import type { Revocation } from "../sessions/revocation.ts";
import type { Session } from "../sessions/session.ts";
import type { SocketStore } from "../sockets/store.ts";
import { hasFailedStepUp } from "../step-ups/failed.ts";
import type { Arrival, Resumption, Turned } from "./arrival.ts";
import { circumstancesOf, type Whereabouts } from "./circumstances.ts";
import { bareDenial, denial } from "./refusal.ts";
import type { NetworkRisk } from "./risk.ts";
import { stands } from "./standing.ts";
import type { HandshakeStore } from "./store.ts";
import type { Verdicts } from "./verdicts.ts";

export interface ResumptionContext {
  readonly store: SocketStore;
  readonly sessions: SessionRegistry;
  readonly decoys: Pick<Decoys, "sessions" | "note">;
  readonly handshakes: Pick<HandshakeStore, "get">;
  readonly revocation: Revocation;
  readonly edges: EdgeWatch;
  readonly verdicts: Verdicts;
  readonly risk: Pick<NetworkRisk, "of">;
  readonly caller: Pick<Caller, "emit">;
  readonly clock: Clock;
  readonly log: Pick<Logger, "warn">;
}

/**
 * A session goes on over another connection, without passing the gates again, where everything that it stands on is as it was: socket, member,
 * authenticators, policy, and the branch of each `when`, by where it goes on and by the clock of now. (`keys` has looked at the app key.) Its end stays where it was. At most one connection goes on: the
 * one before is closed, if it is still there.
 */
export async function resume(
  context: ResumptionContext,
  hid: string,
  { sid, next }: Resumption,
  arrival: Arrival,
  here: Whereabouts,
): Promise<Outcome> {
  const { decoys, store, verdicts, clock } = context;
  const { socket, member, policy, policyHash } = arrival;
  const turned = (outcome: Outcome, cause: Turned = "not-resumable"): Outcome => {
    verdicts.turned(socket.id, cause);
    return outcome;
  };
  const real = await context.sessions.get(sid);
  const found = real ?? (await decoys.sessions.get(sid));
  // Kicked or expired. Who asks has shown that the session was theirs, and is told so that they can believe it.
  if (found === null) return turned(denial);
  if (found.socketId !== socket.id || found.memberId !== (member?.id ?? null)) return turned(bareDenial);
  if (found.policyHash !== toText(policyHash) || !(await stands(store, found))) return turned(denial);
  const circumstances = await circumstancesOf(context.risk, here, arrival, policy);
  // The owner, or a program of theirs, came in by other gates than the policy's.
  if (found.role === "member" && !staysOnItsWay(policy.gates, found.branches, circumstances, clock()))
    return turned(denial, "other-branch");
  if (await hasFailedStepUp(context.handshakes, found, clock())) {
    await context.revocation.revokeOne(found, "step-up");
    return turned(denial);
  }
  const presumedUntilMs = Math.max(found.heldSinceMs, await context.edges.presumedUntilMs(found.edge));

  const { edgeId } = parseHandshakeId(hid);
  const now = clock();
  const moved = await (real === null ? decoys.sessions : context.sessions).change(sid, (session) => {
    // The same once more: it was said, and not heard by whoever asks again.
    if (session.hid === hid) return null;
    if (now > endsAtMs(session, presumedUntilMs)) return null;
    return { ...session, hid, edge: edgeId, heldSinceMs: now, lostAtMs: null };
  });
  if (moved === null || (!moved.changed && moved.before.hid !== hid)) return turned(denial);
  if (moved.changed) displace(context, moved.before.hid);
  const { memberId, keyId } = found;
  const who = { socketId: socket.id, handshake: hid, session: sid, network: here.network };
  const { gates, assurance, terms, room } = found;
  await verdicts.resumed({ ...who, ...present({ member: memberId, key: keyId }) }, room);
  if (room !== null) decoys.note({ socketId: found.socketId, room }, "resumed");
  return {
    say: "accepted",
    admitted: admittedOf({ ...moved.before, heldSinceMs: now }, next),
    gates,
    assurance,
    policyHash,
    history: terms.history,
    ...(room === null ? {} : { decoy: { of: found.socketId } }),
    ...(room === null && policy.onFailure.then === "decoy" ? { imitated: true as const } : {}),
  };
}

/** Where nobody said that the connection was lost, the edge may have died with it, or hold it without knowing that nobody is there. */
function endsAtMs({ lostAtMs, terms: { resumeMs } }: Session, presumedUntilMs: number): number {
  if (resumeMs === 0) return 0;
  return (lostAtMs ?? presumedUntilMs) + resumeMs;
}
