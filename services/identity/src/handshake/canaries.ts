import { afterwards } from "../afterwards.ts";
import type { Alert, Alerts } from "../alerts/alerts.ts";
import type { Claims, TurnedAway } from "./arrival.ts";

/**
 * Whether somebody came with what the owner planted. A key opens a box for nobody but who has it: that counts wherever they came with it,
 * also at a path that leads nowhere, or at another socket. A name can be guessed: it counts for those only who have shown all that is asked for
 * before names count.
 */
export function alarmOf(
  { opened, key }: Pick<Claims, "opened" | "key">,
  { turned, socketId, memberId }: Omit<TurnedAway, "counts">,
  network: string,
): Alert | null {
  const isHere = key === null || key.socketId === socketId;
  const member = isHere && memberId !== null ? { member: memberId } : {};
  if (opened && key?.canary === true)
    return { kind: "canary-key", socketId: key.socketId, about: { key: key.keyId, network, ...member } };
  if (turned !== "canary-member" || socketId === null) return null;
  return {
    kind: "canary-member",
    socketId,
    about: { network, ...member, ...(key === null ? {} : { key: key.keyId }) },
  };
}

/** The refusal waits for none of it, and stands whatever becomes of it. */
export function sound(alerts: Alerts, alarm: Alert | null): void {
  if (alarm !== null) afterwards(() => alerts.raise(alarm));
}
