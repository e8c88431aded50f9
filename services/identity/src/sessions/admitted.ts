import type { Admitted } from "@portcullis/contracts";
import type { Session } from "./registry.ts";

/** @param next counter of the client's next message. */
export function admittedOf(
  { sid, socketId, member, role, assurance, expiresAtMs, terms }: Session,
  next: number,
): Admitted {
  const { maxBytes, perSecond, sealed, history, resumeMs } = terms;
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
    placed: sealed || history !== null,
    epoch: null,
    next,
    resumeMs,
  };
}
