import { waitsAt } from "../gates/registry.ts";
import { type PlacedGate, waitsMax } from "../items.ts";
import { deadlineMs, doomOf } from "./begin.ts";
import type { Answer, Effect, HandshakeEvent, IgnoreCause, Result, VerifyItem } from "./events.ts";
import { frontierOf, isComplete, passedOf } from "./progress.ts";
import { answersMax, type DenyCause, type HandshakeState } from "./state.ts";

export interface Transition {
  readonly state: HandshakeState;
  /** In order. Empty: nothing to do or say. */
  readonly effects: readonly Effect[];
}

/**
 * The handshake machine: alone decides the verdict and counts every failure. Pure: the same state and event give the same
 * step, and neither is changed. Every event is safe in every state.
 */
export function transition(state: HandshakeState, event: HandshakeEvent): Transition {
  if (state.verdict !== null) return ignore(state, "ended");
  const byMs = deadlineMs(state);
  if (byMs === null || !(event.now < byMs)) return deny(state, "deadline");
  switch (event.type) {
    case "opened":
      return opened(state, event.answers, event.cid, event.now);
    case "answered":
      return answered(state, event);
    case "offered":
      return offered(state, event.answers);
    case "verified":
      return verified(state, event.results, event.nextCid, event.now);
    case "started":
      return started(state, event);
    case "begun":
      return begun(state, event.waitId, event.nextCid, event.now);
    case "confirmed":
      return confirmed(state, event.waitId, event.nextCid, event.now);
    case "spent":
      return spent(state, event.waitId, event.nextCid, event.now);
    case "refused":
      return refused(state, event.waitId);
    case "expired":
      return ignore(state, "early");
    case "left":
      return deny(state, event.why ?? "left");
    case "revoked":
      return deny(state, "revoked");
    case "held":
      return deny(state, "held");
  }
}

function opened(before: HandshakeState, answers: readonly Answer[], cid: string, now: number): Transition {
  if (before.opened) return ignore(before, "duplicate");
  const state = { ...before, opened: true };
  const doom = doomOf(state);
  if (doom !== null) return deny(state, doom);
  // Whoever has to pay first could not know it. What they have said is not looked at, and they are asked for it behind that.
  const { items, unexpected } = match(state, state.work ? [] : answers);
  const counted = countIgnored(state, unexpected, "unexpected");
  if (counted.state.verdict !== null) return counted;
  return after(
    counted,
    items.length > 0 ? verify(counted.state, items) : proceed(counted.state, cid, now, unexpected > 0),
  );
}

function answered(before: HandshakeState, event: Extract<HandshakeEvent, { type: "answered" }>): Transition {
  if (before.outstanding === null || before.outstanding.cid !== event.cid) return countIgnored(before, 1, "stale");
  // Consumed whatever it says: one challenge, one answer.
  const state = { ...before, outstanding: null };
  const { items, unexpected } = match(state, [event]);
  if (unexpected === 0) return verify(state, items);
  const counted = countIgnored(state, unexpected, "unexpected");
  return counted.state.verdict !== null
    ? counted
    : after(counted, proceed(counted.state, event.nextCid, event.now, true));
}

/** Nothing is said to what was not enough: the next offer, or the deadline. */
function offered(state: HandshakeState, answers: readonly Answer[]): Transition {
  if (!state.opened || state.policy.mode !== "offered") return countIgnored(state, 1, "unexpected");
  if (state.pending.length > 0) return countIgnored(state, 1, "busy");
  const { items, unexpected } = match(state, answers);
  const counted = countIgnored(state, answers.length === 0 ? 1 : unexpected, "unexpected");
  if (counted.state.verdict !== null || items.length === 0) return counted;
  return after(counted, verify(counted.state, items));
}

function verified(before: HandshakeState, results: readonly Result[], nextCid: string, now: number): Transition {
  const byRef = new Map(results.map(({ ref, ok }) => [ref, ok]));
  const asked = before.pending;
  const exact = asked.length > 0 && asked.length === results.length && asked.every(({ ref }) => byRef.has(ref));
  if (!exact) return ignore(before, "not-pending");

  let state: HandshakeState = { ...before, pending: [] };
  for (const { ref, at } of asked) {
    if (byRef.get(ref) === true) {
      state = { ...state, passed: [...state.passed, at] };
      continue;
    }
    state = { ...state, failures: state.failures + 1 };
    // In order, and at once: what comes behind the last failure counts for nothing, so that a batch is no way to more guesses.
    if (state.failures >= state.policy.onFailure.attempts) return deny(state, "too-many-failures");
  }
  return proceed(state, nextCid, now, state.failures > before.failures);
}

/** Picking a way is no answer: it costs no attempt, but the number of waits is limited. */
function started(before: HandshakeState, event: Extract<HandshakeEvent, { type: "started" }>): Transition {
  const { cid, gate, at, waitId, nextCid, now } = event;
  if (before.outstanding === null || before.outstanding.cid !== cid) return countIgnored(before, 1, "stale");
  const state = { ...before, outstanding: null };
  const found = frontierOf(state, new Set(state.passed)).find((open) => open.gate === gate && isMeant(at, open));
  // A message that is on its way would be sent a second time under another id.
  const goesOn = found !== undefined && state.waiting?.at === found.at && state.waiting.byMs > now;
  if (found === undefined || !waitsAt(found) || goesOn || state.starts >= waitsMax) {
    const counted = countIgnored(state, 1, "unexpected");
    return counted.state.verdict !== null ? counted : after(counted, proceed(counted.state, nextCid, now, true));
  }
  const byMs = Math.min(now + state.policy.deadlines.waitMs, state.deadlineMs);
  return {
    state: { ...state, starting: { id: waitId, at: found.at, byMs }, starts: state.starts + 1 },
    effects: [{ do: "start", waitId, byMs, ...found }],
  };
}

function begun(before: HandshakeState, waitId: string, nextCid: string, now: number): Transition {
  if (before.starting?.id !== waitId) return ignore(before, "not-pending");
  return proceed({ ...before, starting: null, waiting: before.starting }, nextCid, now, false);
}

/** No answer of the client's: it uses up what is outstanding, because the question has been answered. */
function confirmed(before: HandshakeState, waitId: string, nextCid: string, now: number): Transition {
  if (before.waiting?.id !== waitId) return ignore(before, "not-pending");
  if (before.pending.length > 0 || before.starting !== null) return ignore(before, "later");
  const { at } = before.waiting;
  return proceed({ ...before, outstanding: null, passed: [...before.passed, at] }, nextCid, now, false);
}

/** A failure like any other: somebody did not know what only the waiting client shows. Whoever did may begin another wait. */
function spent(before: HandshakeState, waitId: string, nextCid: string, now: number): Transition {
  if (before.waiting?.id !== waitId) return ignore(before, "not-pending");
  if (before.pending.length > 0 || before.starting !== null) return ignore(before, "later");
  const state = { ...before, outstanding: null, waiting: null, failures: before.failures + 1 };
  if (state.failures >= state.policy.onFailure.attempts) return deny(state, "too-many-failures");
  return proceed(state, nextCid, now, true);
}

/** No guess that missed but a decision: there is no other way around somebody who was asked and said no. */
function refused(before: HandshakeState, waitId: string): Transition {
  if (before.waiting?.id !== waitId) return ignore(before, "not-pending");
  return deny(before, "refused");
}

function isMeant(at: string | null | undefined, open: PlacedGate): boolean {
  return at === undefined || at === null || open.at === at;
}

/**
 * Finds for each answer the gate that it can be for, taking for granted that those before it are right. Taking that for
 * granted is safe: only what is then verified is passed.
 */
function match(state: HandshakeState, answers: readonly Answer[]): { items: VerifyItem[]; unexpected: number } {
  const assumed = new Set(state.passed);
  const refs = new Set(state.refs);
  const items: VerifyItem[] = [];
  for (const { ref, gate, at } of answers.slice(0, answersMax)) {
    // Nothing can be known yet at a gate that waits, unless it is the one that is waited for.
    const fits = (open: PlacedGate) =>
      open.gate === gate && isMeant(at, open) && (!waitsAt(open) || state.waiting?.at === open.at);
    // A verifier repeats its result for a ref that it has seen, so that a ref used twice would be a code used twice.
    const found = refs.has(ref) ? undefined : frontierOf(state, assumed).find(fits);
    if (found === undefined) continue;
    refs.add(ref);
    assumed.add(found.at);
    items.push({ ref, ...found, waitId: waitsAt(found) ? (state.waiting?.id ?? null) : null });
  }
  return { items, unexpected: answers.length - items.length };
}

function verify(state: HandshakeState, items: readonly VerifyItem[]): Transition {
  return {
    state: {
      ...state,
      pending: items.map(({ ref, at }) => ({ ref, at })),
      refs: [...state.refs, ...items.map(({ ref }) => ref)],
    },
    effects: [{ do: "verify", items }],
  };
}

/** The verdict if the policy is complete, else the next question (prompted) or nothing (offered). */
function proceed(before: HandshakeState, cid: string, now: number, retry: boolean): Transition {
  const passed = new Set(before.passed);
  if (isComplete(before, passed)) return accept({ ...before, waiting: null });
  if (before.policy.mode === "offered") return { state: before, effects: [] };
  // An old id would bring old answers back to life.
  if (before.cids.includes(cid)) return deny(before, "reused-id");
  const goesOn = frontierOf(before, passed).some(({ at }) => at === before.waiting?.at);
  const waiting = goesOn ? before.waiting : null;
  const byMs = waiting?.byMs ?? Math.min(now + before.policy.deadlines.answerMs, before.deadlineMs);
  const outstanding = { cid, byMs };
  const state = { ...before, waiting, outstanding, cids: [...before.cids, cid] };
  return { state, effects: [ask({ ...state, outstanding }, retry)] };
}

/** What is outstanding, once more: for whoever could not ask it when it came to that. @param retry as it was */
export function askAgain(state: HandshakeState, retry: boolean): Effect | null {
  const { outstanding } = state;
  return outstanding === null ? null : ask({ ...state, outstanding }, retry);
}

function ask(
  state: HandshakeState & { readonly outstanding: NonNullable<HandshakeState["outstanding"]> },
  retry: boolean,
): Effect {
  const { waiting, outstanding, policy, failures } = state;
  const options = frontierOf(state, new Set(state.passed));
  const waited = options.find(({ at }) => at === waiting?.at);
  const attemptsLeft = policy.onFailure.attempts - failures;
  const asked = { cid: outstanding.cid, attemptsLeft, answerByMs: outstanding.byMs, retry };
  return waiting === null || waited === undefined
    ? { do: "challenge", options, ...asked }
    : { do: "wait", waitId: waiting.id, ...waited, ...asked };
}

function accept(state: HandshakeState): Transition {
  const { gates, bound } = passedOf(state);
  const assurance = { key: state.keyId !== null, memberBound: bound.length > 0, gates: bound };
  return { state: { ...state, verdict: { is: "accept" } }, effects: [{ do: "accept", passed: gates, assurance }] };
}

function deny(state: HandshakeState, cause: DenyCause): Transition {
  return {
    state: { ...state, outstanding: null, pending: [], starting: null, waiting: null, verdict: { is: "deny", cause } },
    effects: [{ do: "deny", cause }],
  };
}

function ignore(state: HandshakeState, cause: IgnoreCause): Transition {
  return { state, effects: [{ do: "ignore", cause }] };
}

/** Counts answers that are no answers, up to the last that is allowed. */
function countIgnored(state: HandshakeState, count: number, cause: IgnoreCause): Transition {
  if (count === 0) return { state, effects: [] };
  const failures = Math.min(state.failures + count, state.policy.onFailure.attempts);
  const ignored: Transition = { state: { ...state, failures }, effects: [{ do: "ignore", cause }] };
  return failures < state.policy.onFailure.attempts
    ? ignored
    : after(ignored, deny(ignored.state, "too-many-failures"));
}

function after(first: Transition, second: Transition): Transition {
  return { state: second.state, effects: [...first.effects, ...second.effects] };
}
