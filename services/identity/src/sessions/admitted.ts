import type { Admitted } from "@portcullis/contracts";
import { clockOf } from "../step-ups/progress.ts";
import type { Session } from "./registry.ts";

/** @param next counter of the client's next message. */
export function admittedOf(session: Session, next: number): Admitted {
  const { sid, socketId, member, role, assurance, expiresAtMs, terms } = session;
  const { maxBytes, perSecond, sealed, resumeMs, placed, during } = terms;
  return {
    sid,
    socketId,
    member,
    role,
    memberProven: assurance.memberBound,
    expiresAtMs,
    maxBytes,
    perSecond,
    sealed,
    placed,
    epoch: null,
    next,
    resumeMs,
    stepUp: during === null ? null : clockOf(session),
  };
}
