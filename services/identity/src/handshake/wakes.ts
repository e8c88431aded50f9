import { setTimeout as pause } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { type Outcome, pushOutcome, readWait, ServiceError } from "@portcullis/contracts";
import { waitingGate } from "@portcullis/policy";
import type { Subject } from "../penalties/subjects.ts";
import type { EngineContext } from "./context.ts";
import { advance, type Moved, settled } from "./moves.ts";
import { denial } from "./refusal.ts";
import { stands } from "./standing.ts";
import { type Handshake, whereOf } from "./store.ts";
import type { Tolling } from "./tolling.ts";
import { concerns, type Turns, withWait } from "./turns.ts";

const triesMax = 5;
const pushAgainMs = 200;

/**
 * Something happened to a wait. What that leads to is written first and then pushed, so that it is not lost with this replica: whoever
 * wakes again, or the client when it comes back, finds it.
 */
export function createWakes(
  context: EngineContext,
  turns: Turns,
  tolls: Tolling,
  stepUpChanged: (value: Handshake) => Promise<void>,
) {
  const { handshakes, caller, clock, ids } = context;

  async function wake(id: string, waitId: string): Promise<void> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const found = await handshakes.get(id);
      if (found === null) return;
      const { value, version } = found;
      // The client's own step is under way, and what it leads to comes first: it may be the one that begins this wait.
      if (value.outcome === null) throw new ServiceError("busy");
      if (value.machine.waiting?.id !== waitId) return repeat(value);
      const { wait, fate } = await caller.call(readWait, { waitId });
      if (wait === null) return;
      const told =
        fate === "open" ? report(id, value, version, wait) : goOn(id, value, version, { type: fate, waitId });
      if (await told) return;
    }
    throw new ServiceError("busy");
  }

  async function goOn(
    id: string,
    value: Handshake,
    version: string,
    happened: { readonly type: "confirmed" | "spent" | "refused"; readonly waitId: string },
  ): Promise<boolean> {
    const now = clock();
    const gate = waitingGate(value.machine);
    const isRevoked = !(await stands(context.store, value));
    const hold = gate === null ? null : await tolls.holdOf(value, [gate], true);
    const event = isRevoked ? ({ type: "revoked", now } as const) : { ...happened, nextCid: ids.id(), now };
    const moved = hold === null ? advance(value, event) : advance({ ...value, hold }, { type: "held", now });
    if (moved.effects.some((effect) => effect.do === "ignore")) throw new ServiceError("busy");
    if (!(await conclude(id, version, value, moved))) return false;
    const { type, waitId } = happened;
    if (type !== "confirmed" && hold === null && gate !== null) await tolls.countWait(value, gate, waitId);
    return true;
  }

  /** Something has locked out whom these are of. Those that could still go on without what is locked do. */
  async function lockedOut(concerned: readonly string[], by: Subject): Promise<void> {
    for (const id of concerned) {
      try {
        await end(id, by);
      } catch (error) {
        // Written or not, it is stopped at its next step; and the others are to be told all the same.
        context.log.warn("a handshake could not be told of a lockout", { handshake: id }, error);
      }
    }
  }

  async function end(id: string, by: Subject): Promise<void> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const found = await handshakes.get(id);
      if (found === null) return;
      const { value, version } = found;
      // A step that is under way looks for itself, at the latest behind an accept.
      if (value.outcome === null || value.machine.verdict !== null) return;
      if (!concerns(value, by)) return;
      const hold = await tolls.holdOf(value, by.of === "gate" ? [by.gate] : [], true);
      if (hold === null) return;
      const moved = advance(settled({ ...value, hold }), { type: "held", now: clock() });
      if (await conclude(id, version, value, moved, insist)) return;
    }
  }

  async function conclude(id: string, version: string, value: Handshake, moved: Moved, say = push): Promise<boolean> {
    const { outcome, record } = await turns.decide(whereOf(value), moved);
    const next = { ...moved.next, standing: outcome, pushes: value.pushes + 1 };
    if ((await turns.write(id, version, next)) === null) {
      await turns.discard(outcome);
      return false;
    }
    record();
    await tolls.conclude(next, moved);
    await say(next, outcome);
    return true;
  }

  /** Nobody says it again for them. A record of the client's may be on its way through `keys`: that is over in a moment. */
  async function insist(value: Handshake, outcome: Outcome): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await push(value, outcome);
        return;
      } catch (error) {
        if (!(error instanceof ServiceError) || error.code !== "busy" || tries === triesMax) throw error;
        await pause(pushAgainMs);
      }
    }
  }

  async function report(
    id: string,
    value: Handshake,
    version: string,
    wait: NonNullable<Handshake["wait"]>,
  ): Promise<boolean> {
    if (value.standing?.say !== "wait") return true;
    const known = value.wait;
    if (known !== null && isDeepStrictEqual(known, wait)) {
      await repeat(value);
      return true;
    }
    const outcome = withWait(value.standing, wait);
    const next = { ...value, wait, standing: outcome, pushes: value.pushes + 1 };
    if ((await turns.write(id, version, next)) === null) return false;
    await push(next, outcome);
    return true;
  }

  /** Pushed before, and perhaps not heard. */
  async function repeat(value: Handshake): Promise<void> {
    if (value.pushes > 0) await push(value, value.standing ?? denial);
  }

  /** @throws {ServiceError} busy where the client's next record is being taken: what stands then is said. */
  async function push(value: Handshake, outcome: Outcome): Promise<void> {
    const { connection, pushes, n, stepUp } = value;
    if (stepUp !== null) return stepUpChanged(value);
    await caller.call(pushOutcome, { hid: connection, seq: pushes, n, outcome });
  }

  return { wake, lockedOut };
}
