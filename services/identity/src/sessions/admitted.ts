import type { Admitted } from "@portcullis/contracts";
import { clockOf } from "../step-ups/progress.ts";
import { placeOfSession, type Session } from "./session.ts";

/** @param next counter of the client's next message. */
export function admittedOf(session: Session, next: number): Admitted {
  const { sid, member, role, assurance, expiresAtMs, terms } = session;
  const { mode, maxBytes, sealed, endToEnd, resumeMs, placed, during } = terms;
  return {
    sid,
    socketId: placeOfSession(session),
    member,
    memberProven: assurance.memberBound,
    role,
    mode,
    expiresAtMs,
    maxBytes,
    perSecond: role === "consumer" ? terms.consumerPerSecond : terms.perSecond,
    sealed,
    endToEnd,
    placed,
    relayed: placed || role !== "member",
    epoch: null,
    next,
    resumeMs,
    stepUp: during === null ? null : clockOf(session),
  };
}
