/** What a session owes: a reading of its rules over what it has passed. Pure; the entry is written by whoever changes it. */
import type { LiveSessionView, StepUpClock } from "@portcullis/contracts";
import type { During } from "@portcullis/policy";
import type { Session } from "../sessions/session.ts";
import type { StepUps } from "./record.ts";

/** For whoever has to ask, once it is due, and for whoever has to say that it came too late. */
const graceMs = 30_000;

export function noStepUps(during: During | null, now: number): StepUps {
  const atMs = (during?.rules ?? []).map((rule) => (rule.on === "every" ? now + rule.everyMs : null));
  return { begun: 0, atMs, current: null, lastAtMs: null };
}

type Owing = Pick<Session, "terms" | "stepUps" | "heldSinceMs" | "expiresAtMs">;

/** The rule that is due first, of those that are not for a class of messages. */
function nextOf({ terms, stepUps }: Pick<Session, "terms" | "stepUps">): { rule: number; atMs: number } | null {
  const due = (terms.during?.rules ?? []).flatMap(({ on }, rule) => {
    const atMs = stepUps.atMs[rule] ?? null;
    return on === "message" || atMs === null ? [] : [{ rule, atMs }];
  });
  return due.reduce<(typeof due)[number] | null>(
    (first, each) => (first === null || each.atMs < first.atMs ? each : first),
    null,
  );
}

/** Which rule has to be begun now; null: none. @param kind class of a message that waits */
export function dueRule(session: Owing, kind: string | null, now: number): number | null {
  const next = nextOf(session);
  if (next !== null && next.atMs <= now) return next.rule;
  const rule = classRule(session, kind);
  return rule === null || (session.stepUps.atMs[rule] ?? 0) > now ? null : rule;
}

export function classRule({ terms }: Pick<Session, "terms">, kind: string | null): number | null {
  const found = (terms.during?.rules ?? []).findIndex((rule) => rule.on === "message" && rule.class === kind);
  return found < 0 ? null : found;
}

/**
 * When the session is over unless somebody has asked, or answered, by then. Who was away has not been asked, so it counts from their
 * comeback; what was asked of them ends when it would have ended.
 */
export function endAtMs(session: Owing): number {
  const { stepUps, heldSinceMs, expiresAtMs } = session;
  const owedAtMs = stepUps.current?.isOpen === true ? stepUps.current.byMs : (nextOf(session)?.atMs ?? null);
  return owedAtMs === null ? expiresAtMs : Math.min(expiresAtMs, Math.max(owedAtMs, heldSinceMs) + graceMs);
}

/** @param saidUntilMs when what stands ends, where something does; it is to be said at once where that is not known. */
export function clockOf(session: Owing, saidUntilMs = 0): StepUpClock {
  const { stepUps, expiresAtMs } = session;
  const askAtMs = stepUps.current?.isOpen === true ? saidUntilMs : (nextOf(session)?.atMs ?? expiresAtMs);
  return { askAtMs, endAtMs: endAtMs(session) };
}

export function viewOf(session: Owing): LiveSessionView {
  const rules = session.terms.during?.rules ?? [];
  return {
    holdAtMs: session.stepUps.current?.isOpen === true ? 0 : (nextOf(session)?.atMs ?? null),
    classes: Object.fromEntries(
      rules.flatMap((rule, index) => (rule.on === "message" ? [[rule.class, session.stepUps.atMs[index] ?? 0]] : [])),
    ),
  };
}

export function withBegun(session: Session, current: Omit<NonNullable<StepUps["current"]>, "isOpen">): Session {
  const { stepUps } = session;
  return { ...session, stepUps: { ...stepUps, begun: stepUps.begun + 1, current: { ...current, isOpen: true } } };
}

export interface Passed {
  readonly rule: number;
  readonly atMs: number;
  readonly untilMs: number | null;
  readonly memberBound: boolean;
  /** Of the gates that only this member passes. */
  readonly gates: readonly string[];
  readonly enrolments: Session["enrolments"];
}

/** What was passed counts for what it was asked for, and for nothing else. */
export function withPassed(session: Session, { rule, atMs, untilMs, memberBound, gates, enrolments }: Passed): Session {
  const { assurance, stepUps, terms } = session;
  const passed = terms.during?.rules[rule];
  const nextAtMs = passed?.on === "every" ? atMs + passed.everyMs : untilMs;
  const isNew = (one: Session["enrolments"][number]) =>
    !session.enrolments.some(({ gate, of, id }) => gate === one.gate && of === one.of && id === one.id);
  return {
    ...session,
    assurance: {
      ...assurance,
      memberBound: assurance.memberBound || memberBound,
      gates: [...assurance.gates, ...gates.filter((gate) => !assurance.gates.includes(gate))],
    },
    // It ends with what it was kept alive by, too.
    enrolments: [...session.enrolments, ...enrolments.filter(isNew)],
    stepUps: {
      ...stepUps,
      atMs: stepUps.atMs.map((each, index) => (index === rule ? nextAtMs : each)),
      current: stepUps.current === null ? null : { ...stepUps.current, isOpen: false },
      lastAtMs: atMs,
    },
  };
}
