import { createHmac } from "node:crypto";
import type { State } from "@portcullis/state";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

/** Between two messages to one contact, and how many of them (Twilio Verify's rules). */
const spacingMs = minuteMs;
const perContactMax = 5;
const perContactMs = 10 * minuteMs;
const perContactDayMax = 20;
/** Digits of a number that say its country and, roughly, its operator. */
const prefixLength = 7;
/** Below this share of answered codes, of so many at least, a range of numbers is one that only earns somebody money (SMS pumping). */
const pumpedAfter = 20;
const answeredShare = 0.1;

/** What a message is limited by: whose contact, at whose cost. */
export interface Occasion {
  readonly channel: "email" | "sms";
  readonly to: string;
  readonly socketId: string;
}

export type Permission =
  | { readonly ok: true }
  /** `againAtMs`: when it may be asked for again; null: not within this wait. */
  | {
      readonly ok: false;
      readonly cause: "spacing" | "contact" | "socket" | "pumping";
      readonly againAtMs: number | null;
    };

export interface SendLimits {
  /**
   * Counts a message before it is sent. The counters are of contacts, not of handshakes: another handshake is no way around them.
   *
   * @param holder the request; repeated within the minute, on whichever replica, it is permitted again and counted once.
   */
  ask(occasion: Occasion, holder: string): Promise<Permission>;
  /** The code came back. */
  answered(occasion: Occasion): Promise<void>;
  readonly spacingMs: number;
  readonly perWaitMax: number;
}

export function createSendLimits(options: {
  readonly state: State;
  /** For HMACs: contacts are not stored, not even in the names of counters. */
  readonly key: Uint8Array;
  readonly clock: () => number;
  readonly perSocketDay: Readonly<Record<Occasion["channel"], number>>;
}): SendLimits {
  const { state, key, clock, perSocketDay } = options;
  const tag = (text: string) => createHmac("sha256", key).update(text).digest("base64url").slice(0, 22);
  const contact = ({ channel, to }: Occasion) => tag(`${channel} ${to.toLowerCase()}`);
  const range = ({ to }: Occasion) => `factors.range.${tag(to.slice(0, prefixLength))}`;

  async function isPumped(occasion: Occasion): Promise<boolean> {
    if (occasion.channel !== "sms") return false;
    const sent = await state.sum(`${range(occasion)}.sent`);
    return sent >= pumpedAfter && (await state.sum(`${range(occasion)}.answered`)) < sent * answeredShare;
  }

  return {
    spacingMs,
    perWaitMax: perContactMax,
    async ask(occasion, holder) {
      const refused = (cause: Exclude<Permission, { ok: true }>["cause"], againAtMs: number | null = null) =>
        ({ ok: false, cause, againAtMs }) as const;
      const { channel, socketId } = occasion;
      const name = contact(occasion);
      if (await isPumped(occasion)) return refused("pumping");
      const spacing = `factors.sent.${name}`;
      const nowMs = clock();
      if ((await state.create(spacing, Buffer.from(`${nowMs} ${holder}`), spacingMs)) === null) {
        const [before = nowMs, by] = Buffer.from((await state.get(spacing))?.value ?? [])
          .toString()
          .split(" ");
        return by === holder ? { ok: true } : refused("spacing", Number(before) + spacingMs);
      }
      if ((await state.add(`factors.sends.${name}`, 1, perContactMs)) > perContactMax) return refused("contact");
      if ((await state.add(`factors.sends-day.${name}`, 1, dayMs)) > perContactDayMax) return refused("contact");
      const spent = await state.add(`factors.spent.${channel}.${socketId}`, 1, dayMs);
      if (spent > perSocketDay[channel]) return refused("socket");
      if (channel === "sms") await state.add(`${range(occasion)}.sent`, 1, dayMs);
      return { ok: true };
    },
    async answered(occasion) {
      if (occasion.channel === "sms") await state.add(`${range(occasion)}.answered`, 1, dayMs);
    },
  };
}
