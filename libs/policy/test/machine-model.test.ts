import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { handshakeStateSchema } from "../src/mod.ts";
import { facts, policyOf } from "./arbitraries.ts";
import { commands, World, waits } from "./world.ts";

describe("the handshake machine, against every sequence of events", () => {
  it("accepts only what was verified, counts every failure, consumes every answer once, and ends once", () => {
    const seen: Record<string, number> = { accept: 0, deny: 0, open: 0, challenge: 0, retry: 0, verify: 0, late: 0 };
    fc.assert(
      fc.property(facts, commands, (given, run) => {
        const world = new World(given);
        for (const command of run) world.run(command);
        const count = (name: string) => {
          seen[name] = (seen[name] ?? 0) + 1;
        };
        if (world.verdict === null) count("open");
        for (const effect of world.effects) {
          count(effect.do);
          if (effect.do === "challenge" && effect.retry) count("retry");
          if (effect.do === "deny" && effect.cause === "deadline") count("late");
          if (effect.do === "ignore" || effect.do === "deny") count(effect.cause);
        }
      }),
      { numRuns: 500 },
    );
    // Sequences that never get anywhere would prove nothing.
    for (const name of [
      "accept",
      "deny",
      "challenge",
      "retry",
      "verify",
      "start",
      "wait",
      "late",
      "stale",
      "unexpected",
      "not-pending",
      "ended",
      "no-ticket",
      "refused",
      "held",
    ])
      expect(seen[name], name).toBeGreaterThan(0);
    // By chance some sixty; by chance, too, it was 37.
    expect(seen.accept).toBeGreaterThan(15);
  }, 90_000);

  it("lets in whoever answers everything rightly, question by question or in one offer", () => {
    let accepts = 0;
    let begun = 0;
    fc.assert(
      fc.property(facts, fc.boolean(), fc.nat(), (given, atOnce, choice) => {
        const world = new World(given);
        // What waits has to be asked for.
        const mayOffer =
          !world.oracle.workOwed && !world.oracle.leaves.some(({ gate }) => waits(gate) || gate === "question");
        const offered = mayOffer && (atOnce || given.policy.mode === "offered");
        const answers: { ref: string; gate: string; at: string }[] = [];
        const ok = new Set<string>();
        for (let open = world.oracle.open(ok); offered && open.length > 0; open = world.oracle.open(ok)) {
          const at = open[choice % open.length] ?? "none";
          answers.push({ ref: `a${answers.length}`, gate: world.oracle.describe(at)?.gate ?? "otp", at });
          ok.add(at);
        }
        fc.pre(answers.length <= 16);
        let { effects } = world.apply({ type: "opened", answers, cid: "c", now: 1_000_000 });
        let batches = 0;
        for (let turn = 0; turn < 120 && world.verdict === null; turn += 1) {
          const [effect] = effects;
          const ids = { nextCid: `n${turn}`, now: 1_000_000 };
          if (effect?.do === "start") {
            ({ effects } = world.apply({ type: "begun", waitId: effect.waitId, ...ids }));
          } else if (
            effect?.do === "wait" &&
            (effect.config.by === "link" || ["external", "approval"].includes(effect.gate))
          ) {
            ({ effects } = world.apply({ type: "confirmed", waitId: effect.waitId, ...ids }));
          } else if (effect?.do === "wait") {
            const { cid, gate, at } = effect;
            ({ effects } = world.apply({ type: "answered", cid, gate, at, ref: `r${turn}`, ...ids }));
          } else if (effect?.do === "challenge" && waits(effect.options[choice % effect.options.length]?.gate)) {
            const { at, gate } = effect.options[choice % effect.options.length] ?? { at: "none", gate: "none" };
            ({ effects } = world.apply({ type: "started", cid: effect.cid, gate, at, waitId: `w${turn}`, ...ids }));
            begun += 1;
          } else if (effect?.do === "challenge") {
            const { at, gate } = effect.options[choice % effect.options.length] ?? { at: "none", gate: "none" };
            const event = {
              type: "answered",
              cid: effect.cid,
              gate,
              at,
              ref: `r${turn}`,
              nextCid: `n${turn}`,
              now: 1_000_000,
            } as const;
            ({ effects } = world.apply(event));
          } else if (effect?.do === "verify") {
            batches += 1;
            const results = effect.items.map(({ ref }) => ({ ref, ok: true }));
            ({ effects } = world.apply({ type: "verified", results, nextCid: `v${turn}`, now: 1_000_000 }));
          } else throw new Error("stuck");
        }
        expect(world.verdict).toBe(world.oracle.hopeless ? "deny" : "accept");
        if (world.verdict === "accept") accepts += 1;
        if (offered) expect(batches).toBeLessThanOrEqual(1);
      }),
      { numRuns: 300 },
    );
    expect(accepts).toBeGreaterThan(50);
    expect(begun).toBeGreaterThan(20);
  }, 90_000);

  it("takes no state for its own that it could not have made", () => {
    const state = new World({
      policy: policyOf({ gates: [{ gate: "key" }, { gate: "otp" }] }),
      keyId: "k1",
      member: null,
      socketEnrolled: [],
      circumstances: { name: null, address: null, risk: null },
      ticket: false,
      work: false,
      held: [],
    }).state;
    const restored = (change: object) =>
      handshakeStateSchema.safeParse(JSON.parse(JSON.stringify({ ...state, ...change }))).success;
    expect(restored({})).toBe(true);
    for (const change of [
      { extra: 1 },
      { failures: 11 },
      { failures: state.policy.onFailure.attempts + 1 },
      { passed: ["77"] },
      { passed: ["0", "0"] },
      { pending: [{ ref: "r", at: "77" }] },
      { verdict: { is: "accept", extra: 1 } },
      { verdict: { is: "maybe" } },
      { outstanding: { cid: "no spaces", byMs: 1 } },
      { outstanding: { cid: "c", byMs: 1 }, pending: [{ ref: "r", at: state.passed[0] ?? "0" }] },
      { policy: { ...state.policy, gates: [] } },
      { branches: [{ at: "0", take: "then" }] },
    ])
      expect(restored(change), JSON.stringify(change)).toBe(false);
  });
});
