/** A hostile client, a verifier and a network around one machine, and what must hold after every single step. */
import fc from "fast-check";
import { expect } from "vitest";
import {
  type Answer,
  begin,
  deadlineMs,
  type Effect,
  type HandshakeEvent,
  type HandshakeState,
  handshakeStateSchema,
  type Transition,
  transition,
} from "../src/mod.ts";
import type { Facts } from "./arbitraries.ts";
import { Oracle } from "./oracle.ts";

interface AnswerPlan {
  readonly pick: number;
  readonly gate: "right" | "key" | "ticket" | "path" | "unknown";
  readonly at: "none" | "right" | "other" | "forged";
  readonly ref: "fresh" | "old";
}

type How = "exact" | "shuffled" | "missing" | "extra" | "twice" | "forged" | "replayed";

export type Command =
  /** What an honest client and verifier would do next, rightly or wrongly. */
  | { readonly run: "go"; readonly answer: AnswerPlan; readonly oks: readonly boolean[]; readonly waitMs: number }
  | { readonly run: "opened" | "offered"; readonly answers: readonly AnswerPlan[]; readonly waitMs: number }
  | {
      readonly run: "answered";
      readonly cid: "current" | "earlier" | "forged";
      readonly nextCid: "fresh" | "old";
      readonly answer: AnswerPlan;
      readonly waitMs: number;
    }
  | {
      readonly run: "verified";
      readonly how: How;
      readonly oks: readonly boolean[];
      readonly nextCid: "fresh" | "old";
      readonly waitMs: number;
    }
  /** Somebody picks a gate, a wait begins, somebody confirms: the one that is meant, or another. */
  | {
      readonly run: "started";
      readonly cid: "current" | "earlier" | "forged";
      readonly answer: AnswerPlan;
      readonly waitMs: number;
    }
  | {
      readonly run: "begun" | "confirmed" | "spent" | "refused";
      readonly wait: "current" | "earlier" | "forged";
      readonly waitMs: number;
    }
  | { readonly run: "expired" | "left" | "revoked" | "held"; readonly waitMs: number };

const usually = <T>(usual: T, ...rare: T[]) =>
  fc.oneof({ arbitrary: fc.constant(usual), weight: 12 }, { arbitrary: fc.constantFrom(...rare), weight: 1 });

const waitMs = fc.oneof(
  { arbitrary: fc.integer({ min: 0, max: 300 }), weight: 30 },
  { arbitrary: fc.constantFrom(4999, 5000, 9999, 10_000, 30_000, 120_000), weight: 1 },
);
const answerPlan: fc.Arbitrary<AnswerPlan> = fc.record({
  pick: fc.nat(40),
  gate: usually<AnswerPlan["gate"]>("right", "key", "ticket", "path", "unknown"),
  at: fc.oneof(
    { arbitrary: fc.constantFrom<AnswerPlan["at"]>("none", "right"), weight: 12 },
    { arbitrary: fc.constantFrom<AnswerPlan["at"]>("other", "forged"), weight: 1 },
  ),
  ref: usually<AnswerPlan["ref"]>("fresh", "old"),
});
const oks = fc.array(
  fc.oneof({ arbitrary: fc.constant(true), weight: 5 }, { arbitrary: fc.constant(false), weight: 1 }),
  {
    minLength: 16,
    maxLength: 16,
  },
);
const verified: fc.Arbitrary<Command> = fc.record({
  run: fc.constant("verified" as const),
  how: usually<How>("exact", "shuffled", "missing", "extra", "twice", "forged", "replayed"),
  oks,
  nextCid: usually<"fresh" | "old">("fresh", "old"),
  waitMs,
});
const answered: fc.Arbitrary<Command> = fc.record({
  run: fc.constant("answered" as const),
  cid: usually<"current" | "earlier" | "forged">("current", "earlier", "forged"),
  nextCid: usually<"fresh" | "old">("fresh", "old"),
  answer: answerPlan,
  waitMs,
});
const batch = (run: "opened" | "offered", minLength: number): fc.Arbitrary<Command> =>
  fc.record({ run: fc.constant(run), answers: fc.array(answerPlan, { minLength, maxLength: 5 }), waitMs });
const ending: fc.Arbitrary<Command> = fc.record({ run: fc.constantFrom("expired", "left", "revoked", "held"), waitMs });

const go: fc.Arbitrary<Command> = fc.record({ run: fc.constant("go" as const), answer: answerPlan, oks, waitMs });

const started: fc.Arbitrary<Command> = fc.record({
  run: fc.constant("started" as const),
  cid: usually<"current" | "earlier" | "forged">("current", "earlier", "forged"),
  answer: answerPlan,
  waitMs,
});
const ofWait: fc.Arbitrary<Command> = fc.record({
  run: fc.constantFrom("begun" as const, "confirmed" as const, "spent" as const, "refused" as const),
  wait: usually<"current" | "earlier" | "forged">("current", "earlier", "forged"),
  waitMs,
});

/** Mostly a client that goes on, with every kind of disorder mixed in. */
export const commands: fc.Arbitrary<Command[]> = fc
  .tuple(
    fc.option(batch("opened", 0), { freq: 12, nil: null }),
    fc.array(
      fc.oneof(
        { arbitrary: go, weight: 40 },
        { arbitrary: verified, weight: 5 },
        { arbitrary: answered, weight: 3 },
        { arbitrary: started, weight: 3 },
        { arbitrary: ofWait, weight: 6 },
        { arbitrary: batch("offered", 0), weight: 2 },
        { arbitrary: batch("opened", 0), weight: 1 },
        { arbitrary: ending, weight: 1 },
      ),
      { maxLength: 30 },
    ),
  )
  .map(([first, rest]) => (first === null ? rest : [first, ...rest]));

export class World {
  state: HandshakeState;
  readonly oracle: Oracle;
  readonly effects: Effect[] = [];
  verdict: "accept" | "deny" | null = null;
  #now = 1_000_000;
  #ids = 0;
  readonly #facts: Facts;
  readonly #deadlineMs: number;
  #opened = false;
  #ok = new Set<string>();
  #failures = 0;
  #challenge: { cid: string; byMs: number } | null = null;
  #pending: { ref: string; at: string }[] = [];
  #starting: { id: string; at: string; byMs: number } | null = null;
  #waiting: { id: string; at: string; byMs: number } | null = null;
  #starts = 0;
  readonly #waits: string[] = [];
  readonly #refsVerified = new Set<string>();
  readonly #refsSeen: string[] = [];
  readonly #cids: string[] = [];

  constructor(facts: Facts) {
    this.#facts = facts;
    this.oracle = new Oracle(facts);
    this.#deadlineMs = this.#now + facts.policy.deadlines.handshakeMs;
    this.state = begin(beginningOf(facts, this.#now));
  }

  run(command: Command): void {
    this.#now += command.waitMs;
    this.apply(this.#eventOf(command));
  }

  apply(event: HandshakeEvent): Transition {
    const before = freeze(handshakeStateSchema.parse(JSON.parse(JSON.stringify(this.state))));
    expect(before).toEqual(this.state);
    const after = transition(before, freeze(event));
    this.#check(before, event, after);
    this.state = after.state;
    this.effects.push(...after.effects);
    return after;
  }

  #eventOf(command: Command): HandshakeEvent {
    const now = this.#now;
    switch (command.run) {
      case "go":
        return this.#eventOf(this.#next(command));
      case "opened":
        return { type: "opened", answers: command.answers.map((plan) => this.#answer(plan)), cid: this.#id("c"), now };
      case "offered":
        return { type: "offered", answers: command.answers.map((plan) => this.#answer(plan)), now };
      case "answered": {
        const cid = this.#cid(command.cid);
        return { type: "answered", cid, ...this.#answer(command.answer), nextCid: this.#nextCid(command.nextCid), now };
      }
      case "started": {
        const { gate, at } = this.#answer(command.answer);
        const waitId = this.#id("w");
        this.#waits.push(waitId);
        return { type: "started", cid: this.#cid(command.cid), gate, at, waitId, nextCid: this.#id("c"), now };
      }
      case "begun":
      case "confirmed":
      case "spent": {
        const current = (command.run === "begun" ? this.#starting : this.#waiting)?.id;
        const waitId = { current, earlier: this.#waits.at(0), forged: "forged" }[command.wait] ?? "none";
        return { type: command.run, waitId, nextCid: this.#id("c"), now };
      }
      case "refused": {
        const waitId = { current: this.#waiting?.id, earlier: this.#waits.at(0), forged: "forged" }[command.wait];
        return { type: "refused", waitId: waitId ?? "none", now };
      }
      case "verified": {
        const exact = this.#pending.map(({ ref }, index) => ({ ref, ok: command.oks[index] ?? true }));
        const forged = { ref: this.#id("forged"), ok: true };
        const results = {
          exact,
          shuffled: exact.toReversed(),
          missing: exact.slice(1),
          extra: [...exact, forged],
          twice: [...exact.slice(0, -1), ...exact.slice(0, 1), ...exact.slice(0, 1)],
          forged: exact.map(() => forged),
          replayed: [...this.#refsVerified].slice(0, Math.max(1, exact.length)).map((ref) => ({ ref, ok: true })),
        }[command.how];
        return { type: "verified", results, nextCid: this.#nextCid(command.nextCid), now };
      }
      default:
        return { type: command.run, now };
    }
  }

  #cid(which: "current" | "earlier" | "forged"): string {
    const current = this.#challenge?.cid ?? this.#cids.at(-1) ?? "none";
    return { current, earlier: this.#cids.at(-2) ?? "earlier", forged: this.#id("forged") }[which];
  }

  #next({ answer, oks, waitMs }: Extract<Command, { run: "go" }>): Command {
    if (!this.#opened) return { run: "opened", answers: [], waitMs };
    if (this.#pending.length > 0) return { run: "verified", how: "exact", oks, nextCid: "fresh", waitMs };
    if (this.#starting !== null) return { run: "begun", wait: "current", waitMs };
    if (this.#waiting !== null && answer.pick % 2 === 0)
      return { run: answer.pick % 10 === 4 ? "refused" : "confirmed", wait: "current", waitMs };
    const open = this.oracle.open(this.#ok);
    const target = open[answer.pick % Math.max(1, open.length)];
    const isWaitGate = target !== undefined && waits(this.oracle.describe(target)?.gate);
    if (isWaitGate && this.#waiting?.at !== target) return { run: "started", cid: "current", answer, waitMs };
    if (this.#facts.policy.mode === "offered") return { run: "offered", answers: [answer], waitMs };
    return { run: "answered", cid: "current", nextCid: "fresh", answer, waitMs };
  }

  #answer({ pick, gate, at, ref }: AnswerPlan): Answer {
    const every = [...this.oracle.leaves.map((leaf) => leaf.at), "enrolled.otp"];
    const open = this.oracle.open(this.#ok);
    const target = open[pick % Math.max(1, open.length)] ?? every[pick % every.length] ?? "0";
    const position = { none: null, right: target, other: every[pick % every.length], forged: "9.9" }[at];
    const fresh =
      ref === "fresh" ? this.#id("r") : (this.#refsSeen[pick % Math.max(1, this.#refsSeen.length)] ?? this.#id("r"));
    this.#refsSeen.push(fresh);
    const right = this.oracle.describe(target)?.gate ?? "otp";
    return { ref: fresh, gate: gate === "right" ? right : gate, at: position };
  }

  #nextCid(kind: "fresh" | "old"): string {
    return kind === "old" ? (this.#cids[0] ?? this.#id("c")) : this.#id("c");
  }

  #id(prefix: string): string {
    this.#ids += 1;
    return `${prefix}${this.#ids}`;
  }

  #check(before: HandshakeState, event: HandshakeEvent, { state, effects }: Transition): void {
    if (this.verdict !== null) {
      expect(effects, "nothing happens after a verdict").toEqual([{ do: "ignore", cause: "ended" }]);
      expect(state).toEqual(before);
      return;
    }
    const verdicts = effects.filter((effect) => effect.do === "accept" || effect.do === "deny");
    expect(verdicts.length, "one verdict at most").toBeLessThanOrEqual(1);
    const late = event.now >= Math.min(this.#deadlineMs, this.#challenge?.byMs ?? Number.POSITIVE_INFINITY);
    if (late) expect(effects, "whatever is late is denied").toEqual([{ do: "deny", cause: "deadline" }]);
    else this.#account(event, effects);

    const { attempts } = this.#facts.policy.onFailure;
    if (!late) expect(state.failures, "every failure is counted").toBe(Math.min(this.#failures, attempts));
    expect(state.failures, "attempts are never exceeded").toBeLessThanOrEqual(attempts);
    if (this.#failures >= attempts) expect(verdicts).toEqual([expect.objectContaining({ do: "deny" })]);

    for (const effect of effects) this.#checkEffect(event, effect);
    const accepted = verdicts.some((effect) => effect.do === "accept");
    const enough = this.#opened && this.#pending.length === 0 && this.oracle.accepts(this.#ok);
    if (accepted) expect(enough, "accept only if every required gate was verified").toBe(true);
    else if (enough && verdicts.length === 0) {
      const moved = event.type === "opened" || event.type === "verified" || event.type === "confirmed";
      expect(moved && effects.every(({ do: what }) => what !== "ignore"), "who passed every gate is in").toBe(false);
    }
    this.verdict = verdicts[0]?.do ?? null;
    if (this.verdict === null) {
      const byMs = Math.min(this.#deadlineMs, this.#challenge?.byMs ?? Number.POSITIVE_INFINITY);
      expect(deadlineMs(state)).toBe(byMs);
    } else expect(deadlineMs(state)).toBe(null);
  }

  /** The model's own book of what counts as a failure and what as passed. */
  #account(event: HandshakeEvent, effects: readonly Effect[]): void {
    const verify = effects.find((effect) => effect.do === "verify");
    switch (event.type) {
      case "opened":
        if (this.#opened) return;
        this.#opened = true;
        if (this.oracle.hopeless) {
          expect(effects).toEqual([expect.objectContaining({ do: "deny" })]);
          return;
        }
        // Whoever has to pay first could not know it: what came with it is neither looked at nor counted.
        if (this.oracle.workOwed) {
          expect(effects).toEqual([expect.objectContaining({ do: "challenge" })]);
          return;
        }
        this.#failures += event.answers.length - this.#fitting(event.answers);
        if (verify) expect(verify.items.length).toBe(this.#fitting(event.answers));
        return;
      case "offered":
        if (
          !this.#opened ||
          this.#facts.policy.mode === "prompted" ||
          this.#pending.length > 0 ||
          event.answers.length === 0
        )
          this.#failures += 1;
        else this.#failures += event.answers.length - this.#fitting(event.answers);
        return;
      case "answered": {
        const current = this.#challenge?.cid === event.cid;
        if (!current || this.#fitting([event]) === 0) this.#failures += 1;
        if (current) this.#challenge = null;
        if (!current) expect(verify, "an answer to no challenge is not looked at").toBe(undefined);
        return;
      }
      case "started": {
        const current = this.#challenge?.cid === event.cid;
        const found = this.oracle
          .open(this.#ok)
          .find((open) => this.oracle.describe(open)?.gate === event.gate && (event.at == null || event.at === open));
        const start = effects.find((effect) => effect.do === "start");
        const goesOn = found !== undefined && this.#waiting?.at === found && event.now < this.#waiting.byMs;
        const fits = current && found !== undefined && waits(event.gate) && !goesOn && this.#starts < 8;
        if (current) this.#challenge = null;
        if (!fits) this.#failures += 1;
        expect(start !== undefined, "a wait begins where it fits, and only there").toBe(fits);
        return;
      }
      case "begun":
        if (this.#starting?.id !== event.waitId) return;
        this.#waiting = this.#starting;
        this.#starting = null;
        return;
      case "confirmed":
        if (this.#waiting?.id !== event.waitId || this.#pending.length > 0 || this.#starting !== null) return;
        this.#ok.add(this.#waiting.at);
        this.#waiting = null;
        this.#challenge = null;
        return;
      case "spent":
        if (this.#waiting?.id !== event.waitId || this.#pending.length > 0 || this.#starting !== null) return;
        this.#failures += 1;
        this.#waiting = null;
        this.#challenge = null;
        return;
      case "held":
        expect(effects, "nothing is looked at any more").toEqual([{ do: "deny", cause: "held" }]);
        return;
      case "refused": {
        const isMeant = this.#waiting?.id === event.waitId;
        const expected = isMeant ? { do: "deny", cause: "refused" } : { do: "ignore", cause: "not-pending" };
        expect(effects, "who was asked and said no ends it, whatever else could be tried").toEqual([expected]);
        return;
      }
      case "verified": {
        const asked = this.#pending.map(({ ref }) => ref).sort();
        const told = event.results.map(({ ref }) => ref).sort();
        if (asked.length === 0 || JSON.stringify(asked) !== JSON.stringify(told)) return;
        for (const { ref, at } of this.#pending) {
          if (event.results.find((result) => result.ref === ref)?.ok === true) this.#ok.add(at);
          else this.#failures += 1;
          if (this.#failures >= this.#facts.policy.onFailure.attempts) break;
        }
        this.#pending = [];
        return;
      }
      default:
        return;
    }
  }

  /** How many of the answers can be for a gate that is open, if those before them are right. */
  #fitting(answers: readonly Answer[]): number {
    const supposed = new Set(this.#ok);
    const used = new Set(this.#refsVerified);
    let count = 0;
    for (const { ref, gate, at } of answers) {
      const found = this.oracle
        .open(supposed)
        .filter((open) => !waits(this.oracle.describe(open)?.gate) || this.#waiting?.at === open)
        .find((open) => this.oracle.describe(open)?.gate === gate && (at === null || at === undefined || at === open));
      if (found === undefined || used.has(ref)) continue;
      used.add(ref);
      supposed.add(found);
      count += 1;
    }
    return count;
  }

  #checkEffect(event: HandshakeEvent, effect: Effect): void {
    if (effect.do === "verify") {
      expect(this.#pending, "one batch at a time").toEqual([]);
      const given = "answers" in event ? event.answers : event.type === "answered" ? [event] : [];
      for (const { ref, at, gate, config, waitId } of effect.items) {
        expect(this.#refsVerified.has(ref), "an answer is consumed once").toBe(false);
        this.#refsVerified.add(ref);
        expect(given.some((answer) => answer.ref === ref && answer.gate === gate && (answer.at ?? at) === at)).toBe(
          true,
        );
        expect(this.#ok.has(at), "what is passed is not asked again").toBe(false);
        expect({ gate, of: config.of ?? this.oracle.describe(at)?.of }).toEqual({
          gate: this.oracle.describe(at)?.gate,
          of: this.oracle.describe(at)?.of,
        });
        expect(waitId, "an answer to a wait is to the one that goes on").toBe(waits(gate) ? this.#waiting?.id : null);
        this.#pending.push({ ref, at });
      }
    }
    if (effect.do === "start") {
      expect(this.#starting, "one wait begins at a time").toBe(null);
      expect(this.oracle.open(this.#ok)).toContain(effect.at);
      const byMs = Math.min(event.now + this.#facts.policy.deadlines.waitMs, this.#deadlineMs);
      expect(effect.byMs).toBe(byMs);
      this.#starts += 1;
      this.#starting = { id: effect.waitId, at: effect.at, byMs };
    }
    if (effect.do === "wait" || effect.do === "challenge") {
      if (!this.oracle.open(this.#ok).includes(this.#waiting?.at ?? "")) this.#waiting = null;
      expect(effect.do === "wait", "waits exactly while a gate that is open is waited for").toBe(
        this.#waiting !== null,
      );
    }
    if (effect.do === "wait") {
      expect(this.#challenge, "one question at a time").toBe(null);
      expect(this.#cids).not.toContain(effect.cid);
      expect({ id: effect.waitId, at: effect.at }).toEqual({ id: this.#waiting?.id, at: this.#waiting?.at });
      expect(effect.answerByMs, "nothing extends a wait").toBe(this.#waiting?.byMs);
      this.#challenge = { cid: effect.cid, byMs: effect.answerByMs };
      this.#cids.push(effect.cid);
    }
    if (effect.do === "challenge") {
      expect(this.#facts.policy.mode, "offered mode asks nothing").toBe("prompted");
      expect(this.#challenge, "one challenge at a time").toBe(null);
      expect(this.#pending).toEqual([]);
      expect(this.#cids, "a challenge is asked once").not.toContain(effect.cid);
      expect(effect.options.map(({ at }) => at)).toEqual(this.oracle.open(this.#ok));
      expect(effect.attemptsLeft).toBe(this.#facts.policy.onFailure.attempts - this.#failures);
      this.#challenge = { cid: effect.cid, byMs: effect.answerByMs };
      expect(effect.answerByMs).toBe(Math.min(event.now + this.#facts.policy.deadlines.answerMs, this.#deadlineMs));
      this.#cids.push(effect.cid);
    }
    if (effect.do === "accept") {
      const answered = [...this.#ok].filter((at) => this.oracle.describe(at)?.of === "member");
      const tickets = Array.from({ length: this.oracle.ticketGates }, () => "ticket");
      // A ticket for nobody in particular binds nobody.
      const bound = [
        ...(this.#facts.member === null ? [] : tickets),
        ...answered.map((at) => this.oracle.describe(at)?.gate),
      ];
      expect(effect.assurance).toEqual({
        key: this.#facts.keyId !== null,
        memberBound: bound.length > 0,
        gates: bound,
      });
      expect(effect.passed.filter((gate) => gate === "ticket")).toEqual(tickets);
      // What trying cost is no gate of the policy.
      const ofPolicy = [...this.#ok].filter((at) => at !== "before.work").length;
      expect(effect.passed.filter((gate) => gate !== "key" && gate !== "ticket").length).toBe(ofPolicy);
    }
  }
}

/** What the machine begins with, from what the tests generate. */
export function beginningOf({ circumstances: { name, address, risk }, ...facts }: Facts, now: number) {
  const circumstances = { member: name, address: address ?? undefined, risk: risk ?? undefined };
  return { ...facts, work: facts.work && facts.policy.mode === "prompted", circumstances, now };
}

/** Whether a handshake is parked at such a gate. */
export function waits(gate: string | undefined): boolean {
  return ["email", "sms", "call", "external", "approval"].includes(gate ?? "");
}

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) freeze(child);
  }
  return value;
}
