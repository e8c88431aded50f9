import type { Session } from "@portcullis/client";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createIntruder } from "../attack/support/intruder.ts";
import { type DistributedWorld, startDistributedWorld } from "./support/distributed-world.ts";
import { at } from "./support/sessions.ts";
import { keyAndOtp, makeMember, makeSocket, plantKey } from "./support/socket.ts";

const full = process.env.PORTCULLIS_FULL === "1";
let world: DistributedWorld;
let missing: string | null = null;

describe.runIf(full)("a decoy on real engines", () => {
  beforeAll(async () => {
    const started = await startDistributedWorld();
    if ("missing" in started) missing = started.missing;
    else world = started;
  }, 180_000);
  beforeEach(({ skip }) => {
    if (missing !== null) skip(`missing: ${missing}`);
  });
  afterAll(async () => {
    if (missing === null) await world?.close();
  }, 60_000);

  test("goes on being heard in when the replica of `keys` that plays is killed, each line once", async () => {
    const policy = { ...keyAndOtp, onFailure: { then: "decoy", attempts: 10 }, encryption: { session: "required" } };
    const socket = await makeSocket(world.owner, policy);
    await makeMember(world.owner, socket, "bob");
    const { appKey } = await plantKey(world.owner, socket.id);
    const texts = Array.from({ length: 40 }, (_, n) => `line ${n}`);
    const lines = texts.map((text) => ({ after: "500ms", from: "ann", text }));
    await world.owner.put(`/v1/sockets/${socket.id}/decoy`, { lines, repeat: false });
    const intruder = createIntruder(`${at(world.edges[0], socket.url)}?id=bob`, appKey);
    const session: Session = await intruder.land({ timeoutMs: 30_000 });
    const heard: string[] = [];
    void (async () => {
      for await (const message of session) heard.push(message.text());
    })().catch(() => {});

    for (const name of ["keys-1", "keys-2"]) {
      const before = heard.length;
      await expect.poll(() => heard.length, { timeout: 20_000 }).toBeGreaterThan(before + 2);
      const atDeath = heard.length;
      world.replica(name).kill("SIGKILL");
      // Whichever of them was to say the next one, the other one does.
      await expect.poll(() => heard.length, { timeout: 20_000 }).toBeGreaterThan(atDeath + 2);
      await world.allReady();
    }
    // One that dies costs a line at most, and none is said twice.
    expect(new Set(heard).size).toBe(heard.length);
    const numbers = heard.map((text) => texts.indexOf(text));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect((numbers.at(-1) ?? 0) - (numbers[0] ?? 0) + 1 - numbers.length).toBeLessThanOrEqual(2);
    const { sessions } = await world.owner.get<{ sessions: unknown[] }>(`/v1/sockets/${socket.id}/sessions`);
    expect(sessions).toEqual([]);
    await session.close();
  }, 120_000);
});
