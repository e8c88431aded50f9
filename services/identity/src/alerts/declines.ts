import type { DenyCause } from "@portcullis/policy";
import type { Clock } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import type { Alerts } from "./alerts.ts";

export interface Counted {
  readonly accepted: number;
  readonly denied: number;
}

/** Fewer say nothing: on a quiet socket two people who mistype are most of who came. */
export const declinesMin = 20;
/** As much of what was refused in the day before is what this socket is like. */
const timesUsual = 3;

/**
 * Whether refusals have become unusual: enough of them, more than half of all verdicts, and three times the share that they had in the day before. Where the day
 * before has nothing, any share is more than usual; where more than a third is always refused, none is.
 */
export function isUnusual(window: Counted, day: Counted): boolean {
  if (window.denied < declinesMin || window.denied <= window.accepted) return false;
  return shareOf(window) >= timesUsual * shareOf(day);
}

function shareOf({ accepted, denied }: Counted): number {
  return denied === 0 ? 0 : denied / (accepted + denied);
}

/** Counts the verdicts of each socket, of those who got as far as a policy: what is turned away before costs strangers nothing, and would say nothing. */
export interface Declines {
  accepted(socketId: string): void;
  denied(socketId: string, cause: DenyCause): void;
}

/** Nobody was refused: the client went, or the owner took away what it stood on. */
const nobodysRefusal: readonly DenyCause[] = ["left", "not-recognised", "revoked"];
const windowMs = 10 * 60_000;
const hourMs = 3_600_000;
const dayHours = 24;
type Verdict = "accepted" | "denied";

export function createDeclines({
  state,
  alerts,
  clock,
  onFailure,
}: {
  readonly state: Pick<State, "add" | "sum">;
  readonly alerts: Alerts;
  readonly clock: Clock;
  /** Nothing was counted: nobody waits for it. */
  readonly onFailure: (error: unknown) => void;
}): Declines {
  const inWindow = (socketId: string, slot: number, verdict: Verdict) =>
    `identity:declines:${socketId}:${slot}:${verdict}`;
  const inHour = (socketId: string, hour: number, verdict: Verdict) =>
    `identity:verdicts:${socketId}:${hour}:${verdict}`;

  /** Two writes for each verdict; the day is read once for each twenty refusals. */
  async function count(socketId: string, verdict: Verdict): Promise<void> {
    const now = clock();
    const [slot, hour] = [Math.floor(now / windowMs), Math.floor(now / hourMs)];
    const [sum] = await Promise.all([
      state.add(inWindow(socketId, slot, verdict), 1, 2 * windowMs),
      state.add(inHour(socketId, hour, verdict), 1, (dayHours + 1) * hourMs),
    ]);
    if (verdict === "accepted" || sum % declinesMin !== 0) return;
    const window = { accepted: await state.sum(inWindow(socketId, slot, "accepted")), denied: sum };
    const all = { accepted: await sumOf(socketId, hour, "accepted"), denied: await sumOf(socketId, hour, "denied") };
    const day = {
      accepted: Math.max(0, all.accepted - window.accepted),
      denied: Math.max(0, all.denied - window.denied),
    };
    if (isUnusual(window, day)) await alerts.raise({ kind: "declines", socketId, about: { ...window } });
  }

  async function sumOf(socketId: string, hour: number, verdict: Verdict): Promise<number> {
    const hours = Array.from({ length: dayHours }, (_, before) => inHour(socketId, hour - before, verdict));
    const sums = await Promise.all(hours.map((key) => state.sum(key)));
    return sums.reduce((sum, each) => sum + each, 0);
  }

  return {
    accepted: (socketId) => void count(socketId, "accepted").catch(onFailure),
    denied(socketId, cause) {
      if (!nobodysRefusal.includes(cause)) void count(socketId, "denied").catch(onFailure);
    },
  };
}
