import { killAppKey, type Outcome, pushOutcome, pushStep, type Step } from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gate } from "../../../libs/platform/test/support/hooks.ts";
import type { Client } from "./support/client.ts";
import { accepted, bareText, challenge, denied, startWorld, textOf, type World } from "./support/world.ts";

let world: World;
let key: string;
let keyId: string;
let client: Client;
let cid: string;
/** What the edge was given. */
let steps: Step[] = [];
/** Whether it has the connection. */
let taken = true;
beforeEach(async () => {
  world = await startWorld();
  [steps, taken] = [[], true];
  const { server } = world.embedded.platformFor("edge", "edge-1");
  await server.serve(
    pushStep,
    ({ step }) => {
      steps.push(step);
      return { taken };
    },
    { route: "edge-1" },
  );
  const minted = await world.mint();
  ({
    key,
    appKey: { keyId },
  } = minted);
  ({ client, cid } = await begun());
});
afterEach(() => world.close());

async function begun(options: Parameters<World["client"]>[0] = { appKey: key }) {
  const made = await world.client(options);
  const plaintext = await made.hear(await world.open(made.route, made.open));
  if (plaintext.t !== "challenge" && plaintext.t !== "wait") throw new Error(`no question: ${plaintext.t}`);
  return { client: made, cid: plaintext.cid };
}
async function push(seq: number, outcome: Outcome, { hid = client.hid, n = 0 } = {}) {
  await world.register(outcome);
  return world.asIdentity.call(pushOutcome, { hid, seq, n, outcome });
}
const wait = (status: "queued" | "sent" | "delayed" = "sent"): Outcome => ({
  say: "wait",
  cid,
  at: "1",
  gate: "email",
  prompt: { by: "link", to: "g•••@e•••.com", number: "417" },
  status,
  resendAtMs: world.now() + 60_000,
  attemptsLeft: 3,
  answerByMs: world.now() + 600_000,
  retry: false,
  deadlineMs: world.now() + 600_000,
});
const record = async (plaintext: Parameters<Client["say"]>[0]) => world.record(client.hid, await client.say(plaintext));
const frame = (step: Step | undefined, index = 0) => ({ frames: step?.frames.slice(index, index + 1) ?? [] });

describe("what is said without being asked", () => {
  it("reaches the edge sealed, in the one order of what the server says", async () => {
    expect(await push(1, wait())).toEqual({ taken: true });
    expect(steps[0]).toMatchObject({ admitted: null, close: null, deadlineMs: world.now() + 600_000 });
    expect(await client.hear(frame(steps[0]))).toEqual({
      n: 2,
      t: "wait",
      cid,
      at: "1",
      gate: "email",
      prompt: { by: "link", to: "g•••@e•••.com", number: "417" },
      status: "sent",
      resendMs: 60_000,
      attemptsLeft: 3,
      answerMs: 600_000,
      retry: false,
    });
    await push(2, denied);
    expect(steps[1]).toMatchObject({ close: 4503 });
    expect(await client.hear(frame(steps[1], 1))).toMatchObject({ t: "denied", n: 3 });
  });

  it("is the same bytes when it is said again, and never goes back", async () => {
    await push(1, wait("queued"));
    await push(1, wait("queued"));
    await push(2, wait("sent"));
    await push(1, wait("queued"));
    expect(steps).toHaveLength(3);
    expect(steps[1]).toEqual(steps[0]);
    // The edge may not have had the first one: the second brings it along.
    expect(steps[2]?.frames.map(({ n }) => n)).toEqual([2, 3]);
    expect(steps[2]?.frames[0]).toEqual(steps[0]?.frames[0]);
  });

  it("comes along with the next answer, in case the edge did not have it", async () => {
    taken = false;
    expect(await push(1, wait())).toEqual({ taken: false });
    world.identity.onStep = () => wait("delayed");
    const step = await record({ t: "resend", cid });
    expect(step.frames.map(({ n }) => n)).toEqual([2, 3]);
    expect(step.frames[0]).toEqual(steps[0]?.frames[0]);
    expect(await client.hear(frame(step))).toMatchObject({ n: 2, status: "sent" });
    expect(await client.hear(frame(step, 1))).toMatchObject({ n: 3, status: "delayed" });
    const next = await record({ t: "resend", cid });
    expect(next.frames.map(({ n }) => n)).toEqual([4]);
  });

  it("and an answer at the same time never have one number", async () => {
    const held = gate();
    world.identity.onStep = async () => {
      await held.wait();
      return challenge(world.now() + 1_000);
    };
    const answering = record({ t: "answer", cid, gate: "otp", value: "1" });
    await held.reached;
    await push(1, wait());
    held.open();
    const step = await answering;
    expect(step.frames.map(({ n }) => n)).toEqual([2, 3]);
    expect(await client.hear(frame(step))).toMatchObject({ t: "wait", n: 2 });
    expect(await client.hear(frame(step, 1))).toMatchObject({ t: "challenge", n: 3 });
    // Asked again, and answered once.
    expect(new Set(world.identity.taken.map(({ n }) => n))).toEqual(new Set([1]));
  });

  it("is refused behind a record that was taken since, and before one that is being taken", async () => {
    world.identity.onStep = () => challenge(world.now() + 1_000);
    await record({ t: "answer", cid, gate: "otp", value: "1" });
    for (const n of [0, 2]) await expect(push(1, wait(), { n })).rejects.toMatchObject({ code: "busy" });
    expect(steps).toEqual([]);
    expect(await push(1, wait(), { n: 1 })).toEqual({ taken: true });
    // What was said once is said again wherever the client is by now.
    await record({ t: "resend", cid });
    expect(await push(1, wait(), { n: 1 })).toEqual({ taken: true });
  });

  it("of many replicas at once is sealed once", async () => {
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => push(1, wait())));
    expect(outcomes.every(({ taken: one }) => one)).toBe(true);
    expect(new Set(steps.map(({ frames }) => Buffer.from(frames[0]?.data ?? []).toString("hex"))).size).toBe(1);
  });

  it("goes nowhere for a handshake that is not there, or is over", async () => {
    expect(await push(1, wait(), { hid: `edge-1.${"A".repeat(22)}` })).toEqual({ taken: false });
    world.identity.onStep = () => denied;
    await record({ t: "cancel" });
    expect(await push(1, wait())).toEqual({ taken: false });
    expect(steps).toEqual([]);
  });
});

describe("an accept that is pushed", () => {
  it("is the client's: finish value, keys, and a record that crossed it gets it too", async () => {
    const outcome = accepted(world.now() + 60_000);
    await push(1, outcome);
    const crossed = await record({ t: "resend", cid });
    expect(crossed).toEqual(steps[0]);
    const plaintext = await client.hear(frame(steps[0]));
    // What crossed it was not taken in.
    expect(plaintext).toMatchObject({ t: "accepted", nC: 0, sid: outcome.admitted.sid });
    const { state, vault } = world.platform;
    const { sid } = outcome.admitted;
    const stored = await state.get(`keys:session:${sid}`);
    const secrets = JSON.parse(
      Buffer.from(vault.unwrap(stored?.value ?? new Uint8Array(), `session:${sid}`)).toString(),
    );
    expect(secrets).toMatchObject({ hid: client.hid, member: "bob", sealed: false });
  });

  it("keeps the keys of that accept that was stored, of two that differ", async () => {
    const held = gate();
    const outcome = accepted(world.now() + 60_000);
    world.identity.onStep = async () => {
      await held.wait();
      return { say: "nothing", deadlineMs: world.now() + 1_000 };
    };
    // The record is taken in while the accept is being made: with and without it, the finish values differ.
    const crossing = record({ t: "resend", cid });
    await held.reached;
    const pausing = gate();
    let first = true;
    const stop = world.before("state.replace", async () => {
      if (!first) return;
      first = false;
      await pausing.wait();
    });
    const pushing = push(1, outcome);
    await pausing.reached;
    held.open();
    await crossing;
    pausing.open();
    await expect(pushing).rejects.toMatchObject({ code: "busy" });
    stop();
    await push(1, outcome, { n: 1 });
    const plaintext = await client.hear(frame(steps[0]));
    expect(plaintext).toMatchObject({ t: "accepted", nC: 1 });
    const { F, secrets } = await client.finish();
    expect(plaintext).toMatchObject({ F });
    const { sid } = outcome.admitted;
    const { state, vault } = world.platform;
    const stored = await state.get(`keys:session:${sid}`);
    const kept = JSON.parse(Buffer.from(vault.unwrap(stored?.value ?? new Uint8Array(), `session:${sid}`)).toString());
    expect(kept.server).toBe(Buffer.from(secrets.server).toString("base64url"));
  });

  it("to nobody leaves no session on the list", async () => {
    taken = false;
    const outcome = accepted(world.now() + 60_000);
    expect(await push(1, outcome)).toEqual({ taken: false });
    await expect.poll(() => world.identity.abandoned).toEqual([outcome.admitted.sid]);
  });
});

describe("a client that comes back", () => {
  it("is known by the secret of its handshake, and goes on with it however often", async () => {
    const parked = await client.park();
    world.identity.onOpen = () => wait();
    const again = await begun({ appKey: key, parked });
    expect(world.identity.opened.at(-1)).toMatchObject({
      hid: again.client.hid,
      opened: true,
      key: null,
      parked: client.hid,
      transcript: again.client.th,
    });
    world.identity.onStep = () => wait("delayed");
    const step = await world.record(again.client.hid, await again.client.say({ t: "resend", cid }));
    expect(await again.client.hear(step)).toMatchObject({ t: "wait", n: 2, status: "delayed" });
    expect(world.identity.taken.at(-1)).toMatchObject({ handshake: client.hid, hid: again.client.hid, n: 1 });

    const third = await begun({ appKey: key, parked: await again.client.park() });
    expect(world.identity.opened.at(-1)).toMatchObject({ hid: third.client.hid, parked: client.hid });
    // The secret of an earlier connection is as good: the answer to a comeback may have been lost.
    await begun({ appKey: key, parked });
  });

  it("may do so behind a verdict that it did not hear", async () => {
    const parked = await client.park();
    await push(1, accepted(world.now() + 60_000));
    world.identity.onOpen = () => accepted(world.now() + 60_000);
    const made = await world.client({ appKey: key, parked });
    expect(await made.hear(await world.open(made.route, made.open))).toMatchObject({ t: "accepted" });
  });

  it.each([
    ["with another secret", async () => ({ ...(await client.park()), secret: new Uint8Array(32).fill(1) })],
    ["with an app key's secret", async () => ({ hid: client.hid, secret: client.psk ?? new Uint8Array(32) })],
    ["to a handshake that is not there", async () => ({ ...(await client.park()), hid: `edge-1.${"A".repeat(22)}` })],
  ])("%s is nobody: the one refusal, after identity was asked", async (_how, parkedOf) => {
    const made = await world.client({ appKey: key, parked: await parkedOf() });
    const step = await world.open(made.route, made.open);
    expect([textOf(step), step.close]).toEqual([bareText, 4503]);
    expect(world.identity.opened.at(-1)).toMatchObject({ opened: false, parked: null, key: null });
  });

  it("by a key that was revoked is nobody either", async () => {
    const parked = await client.park();
    await world.asIdentity.call(killAppKey, { socketId: "socket-1", keyId });
    const made = await world.client({ appKey: key, parked });
    expect(textOf(await world.open(made.route, made.open))).toBe(bareText);
  });

  it("to another place than the box says is nobody", async () => {
    const parked = await client.park();
    const made = await world.client({
      appKey: key,
      parked,
      payload: { dst: { label: "one", path: "x", query: "", id: null } },
    });
    expect(textOf(await world.open(made.route, made.open))).toBe(bareText);
  });
});
