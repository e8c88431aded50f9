export const days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Day = (typeof days)[number];

export interface Hours {
  readonly days: readonly Day[];
  /** `HH:MM`, included. */
  readonly from: string;
  /** `HH:MM` or `24:00`, not included; not later than `from`: on the next day. */
  readonly to: string;
  /** IANA name. */
  readonly zone: string;
}

export function isZone(name: string): boolean {
  return formatOf(name) !== null;
}

/**
 * Whether the moment (epoch ms) lies in these hours, by the clocks of the zone: what they skip or say twice in spring and autumn is
 * skipped or holds twice. Hours over midnight belong to the day on which they begin.
 *
 * @returns null where this runtime does not know the zone
 */
export function liesWithin(now: number, { days: on, from, to, zone }: Hours): boolean | null {
  const local = localOf(now, zone);
  if (local === null) return null;
  const { day, clock } = local;
  const isOn = (index: number) => on.includes(days[(index + days.length) % days.length] ?? "mon");
  if (from < to) return isOn(day) && clock >= from && clock < to;
  return (isOn(day) && clock >= from) || (isOn(day - 1) && clock < to);
}

function localOf(now: number, zone: string): { readonly day: number; readonly clock: string } | null {
  const format = formatOf(zone);
  if (format === null || !Number.isFinite(now)) return null;
  const parts = new Map(format.formatToParts(now).map(({ type, value }) => [type, value]));
  const names: readonly string[] = days;
  const day = names.indexOf(parts.get("weekday")?.toLowerCase() ?? "");
  return day < 0 ? null : { day, clock: `${parts.get("hour")}:${parts.get("minute")}` };
}

function formatOf(zone: string): Intl.DateTimeFormat | null {
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
  } catch {
    return null;
  }
}
