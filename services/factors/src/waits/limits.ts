import { createHmac } from "node:crypto";
import type { State } from "@portcullis/state";
import type { Channel } from "./channel.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

/** Between two messages to one contact, and how many of them (Twilio Verify's rules) in any so many minutes. */
const spacingMs = minuteMs;
const perContactMax = 5;
const perContact = [
  { max: perContactMax, ms: 10 * minuteMs },
  { max: 20, ms: dayMs },
] as const;
/** Digits of a number that say its country and, roughly, its operator. */
const prefixLength = 7;
/** Below this share of answered codes, of so many at least, a range of numbers is one that only earns somebody money (SMS pumping). */
const pumpedAfter = 20;
const answeredShare = 0.1;

/** What a message is limited by: whose contact, at whose cost. */
export interface Occasion {
  readonly channel: Channel;
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
   * @param holder the request; repeated within the minute, on whichever replica, it gets the same answer, and what was granted is
   * counted once.
   */
  ask(occasion: Occasion, holder: string): Promise<Permission>;
  /** The code came back. */
  answered(occasion: Occasion): Promise<void>;
  readonly spacingMs: number;
  readonly perWaitMax: number;
}

/** Messages and calls that somebody along the way may earn by. */
function goesByPhone({ channel }: Occasion): boolean {
  return channel === "sms" || channel === "call";
}

export function createSendLimits(options: {
  readonly state: State;
  /** For HMACs: contacts are not stored, not even in the names of counters. */
  readonly key: Uint8Array;
  readonly clock: () => number;
  readonly perSocketDay: Readonly<Partial<Record<Occasion["channel"], number>>>;
}): SendLimits {
  const { state, key, clock, perSocketDay } = options;
  const tag = (text: string) => createHmac("sha256", key).update(text).digest("base64url").slice(0, 22);
  const contact = ({ channel, to }: Occasion) => tag(`${channel} ${to.toLowerCase()}`);
  // By the day: what was sent and what came back are counted over the same time, or an honest range would look silent for a while.
  const range = ({ to }: Occasion) => `factors.range.${tag(to.slice(0, prefixLength))}.${Math.floor(clock() / dayMs)}`;

  async function isPumped(occasion: Occasion): Promise<boolean> {
    if (!goesByPhone(occasion)) return false;
    const sent = await state.sum(`${range(occasion)}.sent`);
    return sent >= pumpedAfter && (await state.sum(`${range(occasion)}.answered`)) < sent * answeredShare;
  }

  /**
   * Who was sent a message of late is a set of requests and not a sum: a window that begins with its first message would let twice as
   * many through around its end, and a request that is repeated is in a set once.
   */
  async function isSpent(name: string, holder: string): Promise<boolean> {
    for (const { max, ms } of perContact) {
      const sends = `factors.sends.${ms}.${name}`;
      await state.join(sends, holder, clock() + ms);
      const holders = await state.members(sends);
      if (holders.length <= max && holders.includes(holder)) continue;
      // Nothing is sent, and so nothing is counted.
      for (const { ms: each } of perContact) await state.leave(`factors.sends.${each}.${name}`, holder);
      return true;
    }
    return false;
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
      const mark = (how: "asked" | "granted") => Buffer.from(`${nowMs} ${holder} ${how}`);
      const version = await state.create(spacing, mark("asked"), spacingMs);
      if (version === null) {
        const before = await state.get(spacing);
        const [atMs = "", by, how] = Buffer.from(before?.value ?? [])
          .toString()
          .split(" ");
        if (by !== holder) return refused("spacing", before === null ? nowMs : Number(atMs) + spacingMs);
        // One that was not granted is looked at again: it may have been refused, by who could not say so any more.
        if (how === "granted") return { ok: true };
      }
      if (await isSpent(name, holder)) return refused("contact");
      const spent = await state.add(`factors.spent.${channel}.${socketId}`, 1, dayMs);
      if (spent > (perSocketDay[channel] ?? 0)) return refused("socket");
      if (goesByPhone(occasion)) await state.add(`${range(occasion)}.sent`, 1, dayMs);
      if (version !== null) await state.replace(spacing, version, mark("granted"), spacingMs);
      return { ok: true };
    },
    async answered(occasion) {
      if (goesByPhone(occasion)) await state.add(`${range(occasion)}.answered`, 1, dayMs);
    },
  };
}
