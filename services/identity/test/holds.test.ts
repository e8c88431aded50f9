import { createSocket, listHolds, releaseHold } from "@portcullis/contracts";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { Ladder } from "../src/penalties/ladder.ts";
import type { Subject } from "../src/penalties/subjects.ts";
import { createTolls, heldMax, heldOn, windowMs } from "../src/penalties/tolls.ts";
import { codeOf, startWorld, type World } from "./support/world.ts";

/** Whatever fails waits at once, or is locked out at once. */
const delays: Ladder = {
  free: 0,
  open: 0,
  lockoutAfter: Number.POSITIVE_INFINITY,
  lockoutMs: 0,
  delay: { firstMs: 30_000, maxMs: 3_600_000 },
};
const locks: Ladder = { ...delays, lockoutAfter: 1, lockoutMs: 24 * 3_600_000 };

let world: World;
let mine: { readonly ownerId: string; readonly socketId: string };
beforeEach(async () => {
  world = await startWorld();
  onTestFinished(() => world.close());
  const { ownerId } = await world.owner();
  const policy = { gates: [{ gate: "key" }, { gate: "otp" }] };
  const socket = { ownerId, label: "one", path: "a-path-of-its-own", idParameter: null, policy };
  mine = { ownerId, socketId: (await world.api.call(createSocket, socket)).id };
});

const tolls = () => createTolls(world.platform.state, world.now);
const fail = (subject: Subject, ladder: Ladder) => tolls().count(subject, ladder, "a step");
function from(network: string): Subject {
  return { of: "holder", socketId: mine.socketId, keyId: "k", network, memberId: null };
}
function gateOf(memberId: string, network: string | null = null): Subject {
  return { of: "gate", socketId: mine.socketId, memberId, gate: "otp", network };
}
async function failMany(count: number, subjectOf: (n: number) => Subject, ladder: Ladder) {
  for (let n = 0; n < count; n += 1) await fail(subjectOf(n), ladder);
}

async function listed() {
  const found: { id: string; kind: string; gate: string | null; network: string | null }[] = [];
  let after: string | null = null;
  do {
    const page: { holds: typeof found; next: string | null } = await world.api.call(listHolds, {
      ...mine,
      after,
      limit: 200,
    });
    found.push(...page.holds);
    after = page.next;
  } while (after !== null);
  return found;
}
const kept = async () => {
  const sets = await Promise.all(heldOn(mine.socketId).map((set) => world.platform.state.members(set)));
  return sets.map((members) => members.length);
};

describe("whoever fails from thousands of addresses", { timeout: 60_000 }, () => {
  it("is listed up to a bound, and neither moves a member's gate off the list nor a lockout of before", async () => {
    await fail(gateOf("bob"), delays);
    await fail(from("locked out"), locks);
    // Delays that end later than bob's: by their end alone they would take its place.
    world.advance(20_000);
    await failMany(heldMax + 500, (n) => from(`network ${n}`), delays);
    // Also who is a member themselves, and comes from networks that are known of them.
    await failMany(500, (n) => gateOf("mallory", `known ${n}`), delays);
    expect(await kept()).toEqual([1, heldMax]);
    const holds = await listed();
    expect(holds).toHaveLength(heldMax + 1);
    expect(new Set(holds.map(({ id }) => id)).size).toBe(heldMax + 1);
    expect(holds.filter(({ kind }) => kind === "lockout")).toMatchObject([{ network: "locked out" }]);
    const [bobs, ...more] = holds.filter(({ gate, network }) => gate === "otp" && network === null);
    expect(more).toEqual([]);
    await world.api.call(releaseHold, { ...mine, holdId: bobs?.id ?? "" });
    expect(await tolls().hold(gateOf("bob"))).toBe(null);
    expect(await codeOf(world.api.call(releaseHold, { ...mine, holdId: bobs?.id ?? "" }))).toBe("not_found");
  });

  it("is held also where they are not listed any more", async () => {
    await failMany(heldMax + 1, (n) => from(`network ${n}`), delays);
    const holds = await listed();
    const names = new Set(holds.map(({ network }) => network));
    expect(holds).toHaveLength(heldMax);
    const unlisted = Array.from({ length: heldMax + 1 }, (_, n) => `network ${n}`).filter((each) => !names.has(each));
    expect(unlisted).toHaveLength(1);
    expect(await tolls().hold(from(unlisted[0] ?? ""))).toMatchObject({ isLockout: false });
  });

  it("makes room again when what held them is over, and is forgotten a day later", async () => {
    await failMany(heldMax, (n) => from(`network ${n}`), delays);
    world.advance(60_000);
    await fail(from("later"), delays);
    expect(await listed()).toMatchObject([{ network: "later" }]);
    world.advance(windowMs + 60_000);
    expect(await kept()).toEqual([0, 0]);
  });
});
