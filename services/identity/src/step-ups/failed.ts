import { deadlineMs } from "@portcullis/policy";
import type { HandshakeStore } from "../handshake/store.ts";
import type { Session } from "../sessions/session.ts";

/**
 * Whether what was asked of a session has not been passed and cannot be any more, while nobody has put it out for that: it was away, or whoever
 * was to do it is gone. Over another connection it would hear what was said since, and be given the group's key, before it is asked again.
 */
export async function hasFailedStepUp(
  handshakes: Pick<HandshakeStore, "get">,
  { stepUps: { current } }: Pick<Session, "stepUps">,
  now: number,
): Promise<boolean> {
  if (current === null || !current.isOpen) return false;
  const found = await handshakes.get(current.id);
  // Gone by its deadline.
  if (found === null) return true;
  const { machine } = found.value;
  if (machine.verdict !== null) return machine.verdict.is === "deny";
  return now >= (deadlineMs(machine) ?? 0);
}
