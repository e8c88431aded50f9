import type { SocketContext } from "./context.ts";
import type { Enrolments } from "./store.ts";

/** @param id null: there is none any more. */
export function withEnrolment(enrolments: Enrolments, gate: string, id: string | null): Enrolments {
  const { [gate]: _, ...others } = enrolments;
  return id === null ? others : { ...others, [gate]: id };
}

/**
 * Whoever came in with an enrolment that is not the current one goes: what it was may have been lost. A handshake that is accepted
 * meanwhile is on the list, or finds its enrolment gone when it looks again.
 *
 * @param which.memberId null: the socket's own.
 */
export async function endSessionsOnOthers(
  context: SocketContext,
  which: { readonly gate: string; readonly socketId: string; readonly memberId: string | null },
  current: string | null,
): Promise<void> {
  const { gate, socketId, memberId } = which;
  const whose = memberId === null ? "socket" : "member";
  await context.revocation.revoke(
    socketId,
    (session) =>
      (memberId === null || session.memberId === memberId) &&
      session.enrolments.some((stood) => stood.gate === gate && stood.of === whose && stood.id !== current),
    "kicked",
  );
}
