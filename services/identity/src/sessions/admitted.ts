import type { Admitted } from "@portcullis/contracts";
import type { Session } from "./registry.ts";

/** @param next counter of the client's next message. */
export function admittedOf(
  { sid, socketId, member, role, assurance, expiresAtMs, terms }: Session,
  next: number,
): Admitted {
  const { mode, maxBytes, sealed, history, resumeMs } = terms;
  const placed = sealed || history !== null || mode === "consumer";
  return {
    sid,
    socketId,
    member,
    memberProven: assurance.memberBound,
    role,
    mode,
    expiresAtMs,
    maxBytes,
    perSecond: role === "consumer" ? terms.consumerPerSecond : terms.perSecond,
    sealed,
    placed,
    relayed: placed || role !== "member",
    epoch: null,
    next,
    resumeMs,
  };
}
