import type { State } from "@portcullis/state";

export interface WebhookLimits {
  /** Counts a request before it is made, by its socket. @param holder repeated, it is counted once within the minute */
  admits(socketId: string, holder: string): Promise<boolean>;
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

/**
 * Requests that connections cause at an owner's program, and through it at others': whoever finds a socket without a key may begin
 * handshakes, and must not have somebody else flooded by it.
 */
export function createWebhookLimits({
  state,
  clock,
  perMinute,
  perDay,
}: {
  readonly state: State;
  readonly clock: () => number;
  readonly perMinute: number;
  readonly perDay: number;
}): WebhookLimits {
  return {
    async admits(socketId, holder) {
      const recent = `factors.hooks.${socketId}`;
      if ((await state.members(recent)).includes(holder)) return true;
      await state.join(recent, holder, clock() + minuteMs);
      const isOver =
        (await state.members(recent)).length > perMinute ||
        (await state.add(`factors.hooks-day.${socketId}`, 1, dayMs)) > perDay;
      if (isOver) await state.leave(recent, holder);
      return !isOver;
    },
  };
}
