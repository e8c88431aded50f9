import { setTimeout as sleep } from "node:timers/promises";
import { createSocket, keepAudit, verifyAudit } from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { gate } from "../../../libs/platform/test/support/hooks.ts";
import { openAuditStore } from "../src/audit/store.ts";
import { startWorld, type World } from "./support/world.ts";

const hourMs = 3_600_000;
let world: World;
/** Replicas that went through the books, and the blocks that they removed. */
let rounds: number[];
let removed: string[];

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  world = await startWorld({ replicas: 2 });
  rounds = [];
  removed = [];
  world.before("identity_sockets.find", (replica) => void rounds.push(replica));
  world.before("identity_audit_blocks.delete", (_replica, id) => void removed.push(String(id)));
});
afterEach(async () => {
  await world.close();
  vi.useRealTimers();
});

/** A socket with a book whose first blocks are older than it keeps them. */
async function oldBook(label: string) {
  const { ownerId } = await world.owner();
  const policy = { gates: [{ gate: "path" }], anonymous: true };
  const path = `a-path-of-${label}`;
  const { id: socketId } = await world.api.call(createSocket, { ownerId, label, path, idParameter: null, policy });
  await world.api.call(keepAudit, { ownerId, socketId, days: 7 });
  return { ownerId, socketId };
}
async function grownOld(...labels: string[]) {
  const mine = await Promise.all(labels.map(oldBook));
  world.advance(10 * 24 * hourMs);
  for (const each of mine) await world.api.call(keepAudit, { ...each, days: 8 });
  return mine;
}
/** On all replicas at once. */
function anHourPasses() {
  world.advance(hourMs);
  vi.advanceTimersByTime(hourMs);
}

describe("blocks that are older than their socket keeps them", () => {
  it("go within the hour, by one replica, and what is left verifies", async () => {
    const [mine] = await grownOld("one");
    if (mine === undefined) throw new Error("no socket");
    vi.advanceTimersByTime(hourMs - 1);
    expect(rounds).toEqual([]);
    vi.advanceTimersByTime(1);
    const { blocks } = await openAuditStore(world.platform.documents);
    const left = async () => (await blocks.find({ socketId: mine.socketId })).map(({ body }) => body.n);
    await expect.poll(left, { timeout: 10_000 }).toEqual([3]);
    expect(await world.api.call(verifyAudit, { ...mine, after: null })).toMatchObject({
      problem: null,
      from: 3,
      end: "known",
    });
    // Once the last page was asked for, nobody else has begun.
    await expect.poll(() => world.logged.join("")).toContain('"removed":2');
    expect(new Set(rounds).size).toBe(1);

    world.advance(10 * 24 * hourMs);
    await world.api.call(keepAudit, { ...mine, days: 9 });
    anHourPasses();
    await expect.poll(left, { timeout: 10_000 }).toEqual([4]);
  });

  it("go also where another book cannot be read", async () => {
    await grownOld("one", "two");
    let unreadable: unknown = null;
    world.before("identity_audit_blocks.find", (_replica, filter) => {
      unreadable ??= JSON.stringify(filter);
      if (JSON.stringify(filter) === unreadable) throw new Error("not shaped like a block");
    });
    vi.advanceTimersByTime(hourMs);
    await expect.poll(() => removed.length, { timeout: 10_000 }).toBe(2);
    expect(world.logged.join("")).toContain("old blocks of a socket could not be removed");
  });

  it("are looked for no more once the process is to end", async () => {
    await grownOld("one");
    await world.close();
    const asked: unknown[] = [];
    world.before("state.create", (_replica, key) => void asked.push(key));
    anHourPasses();
    await sleep(0);
    expect(asked).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    expect(removed).toEqual([]);
  });

  it("are not removed from a store that is closed: the process waits for the book in hand, and begins no other", async () => {
    await grownOld("one", "two");
    const removing = gate();
    world.before("identity_audit_blocks.delete", async (_replica, id) => {
      removed.push(String(id));
      await removing.wait();
    });
    vi.advanceTimersByTime(hourMs);
    await removing.reached;
    let isClosed = false;
    const closing = world.close().then(() => {
      isClosed = true;
    });
    // As long as it would take if nobody waited.
    await sleep(300);
    expect(isClosed).toBe(false);
    removing.open();
    await closing;
    expect(new Set(removed.map((id) => id.split(".")[0])).size).toBe(1);
    expect(world.logged.join("")).not.toContain("could not be removed");
  });
});
