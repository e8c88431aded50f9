import { type GateItem, gateOf, waitsAt } from "../gates/registry.ts";
import { type PlacedGate, visitGates } from "../items.ts";
import { begin, deadlineMs } from "../machine/begin.ts";
import type { Answer, Assurance, Effect, HandshakeEvent } from "../machine/events.ts";
import { frontierOf } from "../machine/progress.ts";
import { answersMax, type HandshakeState } from "../machine/state.ts";
import { transition } from "../machine/transition.ts";
import type { Policy } from "../policy.ts";
import type { Entry, Heard, Simulation } from "./result.ts";
import { type PlayFacts, type Script, stepsMax } from "./script.ts";

type Step = Script[number];
type Meant = Extract<Step, { readonly offer: unknown }>["offer"][number];

/**
 * Plays a policy against a scripted client, with the machine that decides real handshakes. Pure: the same arguments give the same
 * result. What a real client cannot hear, the true causes, is said as well: it is for the owner.
 *
 * @param script null: a client that takes the first way that is open and is always right
 * @param now epoch ms, where the facts say no time
 */
export function simulate(policy: Policy, script: Script | null, facts: PlayFacts, now: number): Simulation {
  const play = createPlay(policy, facts, facts.at === undefined ? now : Date.parse(facts.at));
  const [first] = script ?? play.honestStep();
  const offersAtOnce = first !== undefined && "offer" in first;
  play.open(offersAtOnce ? first.offer : []);
  let played = offersAtOnce ? 1 : 0;
  if (script === null) {
    for (let steps = played; steps < stepsMax && play.isOpen(); ) {
      const next = play.honestStep();
      if (next.length === 0) break;
      for (const step of next) {
        if (play.isOpen()) play.take(step, steps);
        steps += 1;
      }
    }
    return play.result(0);
  }
  for (const step of script.slice(played)) {
    if (!play.isOpen()) break;
    play.take(step, played);
    played += 1;
  }
  return play.result(script.length - played);
}

function createPlay(policy: Policy, facts: PlayFacts, start: number) {
  const needs = needsOf(policy);
  const member = facts.member === undefined ? { name: "somebody", enrolled: undefined } : facts.member;
  let state: HandshakeState = begin({
    policy,
    keyId: facts.key === false ? null : "key",
    ticket: facts.ticket !== false,
    member: member === null ? null : { id: member.name, enrolled: member.enrolled ?? needs.member },
    socketEnrolled: facts.socketEnrolled ?? needs.socket,
    circumstances: { member: member?.name ?? null, address: facts.address, risk: facts.risk },
    now: start,
  });
  let nowMs = start;
  let ids = 0;
  let failuresBefore = 0;
  let options: readonly PlacedGate[] = [];
  let accepted: { readonly gates: readonly string[]; readonly assurance: Assurance } | null = null;
  const truths = new Map<string, boolean>();
  const transcript: Entry[] = [];

  const id = (prefix: string) => {
    ids += 1;
    return `${prefix}${ids}`;
  };

  /** One event, and everything that the parts around the machine do because of it. */
  function send(event: HandshakeEvent): Effect[] {
    const { state: next, effects } = transition(state, event);
    state = next;
    const said = [...effects];
    for (const effect of effects) {
      const follow = { nextCid: id("c"), now: nowMs };
      if (effect.do === "verify") {
        const results = effect.items.map(({ ref }) => ({ ref, ok: truths.get(ref) === true }));
        said.push(...send({ type: "verified", results, ...follow }));
      }
      if (effect.do === "start") said.push(...send({ type: "begun", waitId: effect.waitId, ...follow }));
      if (effect.do === "challenge") options = effect.options;
      if (effect.do === "accept") accepted = { gates: effect.passed, assurance: effect.assurance };
    }
    return said;
  }

  function answersOf(meant: readonly Meant[]): Answer[] {
    return meant.map(({ gate, at, right }) => {
      const ref = id("r");
      truths.set(ref, right);
      return { ref, gate, at };
    });
  }

  function note(step: number | null, did: string, effects: readonly Effect[]): void {
    const ignored = effects.flatMap((effect) => (effect.do === "ignore" ? [effect.cause] : []));
    const wrong = effects
      .flatMap((effect) => (effect.do === "verify" ? effect.items : []))
      .filter(({ ref }) => truths.get(ref) !== true);
    transcript.push({
      step,
      atMs: nowMs - start,
      did,
      heard: heardOf(effects, start),
      noted: [...ignored, ...wrong.map(() => "wrong")],
      failures: state.failures - failuresBefore,
    });
    failuresBefore = state.failures;
  }

  function wait({ wait: gate, at, then }: Extract<Step, { readonly wait: unknown }>): Effect[] {
    const effects: Effect[] = [];
    const goesOn = options.some(
      (one) => one.gate === gate && one.at === state.waiting?.at && (at ?? one.at) === one.at,
    );
    if (!goesOn) {
      const cid = state.outstanding?.cid ?? "none";
      effects.push(...send({ type: "started", cid, gate, at, waitId: id("w"), nextCid: id("c"), now: nowMs }));
      if (!effects.some((effect) => effect.do === "wait")) return effects;
    }
    if (then === "nothing" || state.waiting === null) return effects;
    effects.push(...send({ type: then, waitId: state.waiting.id, nextCid: id("c"), now: nowMs }));
    return effects;
  }

  return {
    isOpen: () => state.verdict === null,

    open(offer: readonly Meant[]): void {
      const effects = send({ type: "opened", answers: answersOf(offer), cid: id("c"), now: nowMs });
      note(null, offer.length === 0 ? "connects" : `connects and offers ${namesOf(offer)}`, effects);
    },

    take(step: Step, index: number): void {
      if ("answer" in step) {
        const [answer] = answersOf([{ gate: step.answer, at: step.at, right: step.right }]);
        const cid = state.outstanding?.cid ?? "none";
        if (answer === undefined) return;
        const event: HandshakeEvent = { type: "answered", ...answer, cid, nextCid: id("c"), now: nowMs };
        note(index, `answers ${namesOf([{ gate: step.answer, at: step.at, right: step.right }])}`, send(event));
      } else if ("wait" in step) {
        const became = step.then === "nothing" ? "" : `, which is ${step.then}`;
        note(index, `waits for ${placeOf(step.wait, step.at)}${became}`, wait(step));
      } else if ("offer" in step) {
        note(
          index,
          `offers ${namesOf(step.offer)}`,
          send({ type: "offered", answers: answersOf(step.offer), now: nowMs }),
        );
      } else if ("pass" in step) {
        const byMs = deadlineMs(state) ?? nowMs;
        const isLate = nowMs + step.pass >= byMs;
        nowMs = isLate ? byMs : nowMs + step.pass;
        note(index, `lets ${step.pass / 1000} s pass`, isLate ? send({ type: "expired", now: nowMs }) : []);
      } else if ("leave" in step) note(index, "leaves", send({ type: "left", now: nowMs }));
      else note(index, "is removed by the owner", send({ type: "revoked", now: nowMs }));
    },

    /** What somebody does next who is always right; nothing where there is nothing left to do. */
    honestStep(): Script {
      if (policy.mode === "offered") {
        const offer = everythingOpen(state);
        return offer.length === 0 ? [] : [{ offer }];
      }
      const [next] = state.opened ? options : [];
      if (next === undefined) return [];
      const { gate, at, config } = next;
      const answer = { answer: gate, at, right: true };
      if (!waitsAt(next)) return [answer];
      if (config.by === "code") return [{ wait: gate, at, then: "nothing" }, answer];
      return [{ wait: gate, at, then: "confirmed" }];
    },

    result(unplayed: number): Simulation {
      return {
        branches: state.branches,
        transcript,
        verdict: state.verdict?.is ?? null,
        cause: state.verdict?.is === "deny" ? state.verdict.cause : null,
        gates: accepted === null ? [] : [...accepted.gates],
        assurance: accepted === null ? null : { ...accepted.assurance, gates: [...accepted.assurance.gates] },
        unplayed,
      };
    },
  };
}

/** Everything that is enough, each taken for right. */
function everythingOpen(state: HandshakeState): Meant[] {
  const assumed = new Set(state.passed);
  const offer: Meant[] = [];
  while (offer.length < answersMax) {
    const [next] = frontierOf(state, assumed);
    if (next === undefined) break;
    assumed.add(next.at);
    offer.push({ gate: next.gate, at: next.at, right: true });
  }
  return offer;
}

function heardOf(effects: readonly Effect[], start: number): Heard {
  const last = effects.findLast((effect) => effect.do !== "ignore" && effect.do !== "verify" && effect.do !== "start");
  switch (last?.do) {
    case "challenge": {
      const { attemptsLeft, retry, answerByMs } = last;
      const options = last.options.map(({ at, gate }) => ({ at, gate }));
      return { is: "challenge", options, attemptsLeft, retry, answerByMs: answerByMs - start };
    }
    case "wait": {
      const { at, gate, attemptsLeft, retry, answerByMs } = last;
      return { is: "wait", at, gate, attemptsLeft, retry, answerByMs: answerByMs - start };
    }
    case "accept":
      return { is: "accepted" };
    case "deny":
      return { is: "denied" };
    default:
      return { is: "nothing" };
  }
}

function needsOf(policy: Policy): { readonly member: string[]; readonly socket: string[] } {
  const found = { member: new Set<string>(), socket: new Set<string>() };
  visitGates(policy.gates, (_at, item: GateItem) => {
    const need = gateOf(item).needs(item);
    if (need !== null) found[need.of].add(need.gate);
  });
  return { member: [...found.member], socket: [...found.socket] };
}

function placeOf(gate: string, at: string | undefined): string {
  return at === undefined ? gate : `${gate} (${at})`;
}

function namesOf(meant: readonly Meant[]): string {
  const names = meant.map(({ gate, at, right }) => `${placeOf(gate, at)}${right ? "" : " wrongly"}`);
  return names.length === 0 ? "nothing" : names.join(", ");
}
