import type { SessionFacts } from "@portcullis/contracts";
import type { Session } from "./session.ts";

/** What everybody is shown of a session who may know of it. */
export function factsOf(session: Session): SessionFacts {
  const { member, role, gates, assurance, context, parameters, acceptedAtMs, expiresAtMs, stepUps } = session;
  const steppedUpAtMs = stepUps.lastAtMs;
  return { member, role, gates, assurance, context, parameters, acceptedAtMs, expiresAtMs, steppedUpAtMs };
}
