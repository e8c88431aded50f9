import { limits } from "@portcullis/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import { keyAndOtp, makeMember, makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { type Attacker, dial } from "./support/attacker.ts";
import { type Bystanders, startBystanders } from "./support/bystander.ts";
import { bareDenied, closeOf } from "./support/closes.ts";
import { destinationIn, knock, makeOpen } from "./support/knock.ts";
import { passOn, startRelay } from "./support/relay.ts";
import { liveSessions } from "./support/sessions.ts";

vi.setConfig({ testTimeout: 10_000 });

let world: World;
let bystanders: Bystanders;
let socket: OwnedSocket;
let phone: Authenticator;
let url: string;
beforeAll(async () => {
  world = await startWorld({ env: { CONNECTIONS_PER_ADDRESS_MAX: "1000" } });
  bystanders = await startBystanders(world);
  // Time passes in here, so that there are codes that were not used yet.
  socket = await makeSocket(world.owner, { ...keyAndOtp, deadlines: { answer: "10m", handshake: "60m" } });
  phone = await makeMember(world.owner, socket, "bob");
  await makeMember(world.owner, socket, "ann");
  url = `${socket.url}?id=bob`;
});
afterEach(async () => {
  await bystanders.undisturbed();
  await expect.poll(() => liveSessions(world, socket.id)).toEqual([]);
});
afterAll(async () => {
  await bystanders.leave();
  await world.close();
});

/** A code that was not used yet. */
const freshCode = async (): Promise<string> => {
  world.advance(30_000);
  await world.fresh();
  return phone.code(world.now());
};

async function refused(attacker: Attacker): Promise<void> {
  expect(await attacker.next()).toBe(bareDenied);
  expect(await attacker.closed).toEqual(closeOf("denied"));
}

describe("what was recorded opens nothing", () => {
  test.each(["before", "after"])("the open of one connection on another, %s it was used on its own", async (moment) => {
    const answers = [{ gate: "otp", value: await freshCode() }];
    const honest = await dial(url);
    const { frame } = await makeOpen(await honest.hello(), { appKey: socket.appKey, dst: destinationIn(url), answers });
    const thief = await dial(url);
    await thief.hello();
    if (moment === "before") {
      thief.send(frame);
      await refused(thief);
      // Whoever can take a frame away can also spoil it: that key was opened once, and is refused wherever it comes again.
      honest.send(frame);
      await refused(honest);
      expect(await liveSessions(world, socket.id)).toEqual([]);
    } else {
      honest.send(frame);
      expect(await honest.next()).toBeInstanceOf(Buffer);
      thief.send(frame);
      await refused(thief);
      expect(await liveSessions(world, socket.id)).toHaveLength(1);
      honest.leave();
    }
  });

  test("an encapsulated key that was opened before, in a frame that is new otherwise", async () => {
    const first = await knock(url, { appKey: socket.appKey });
    await first.challenge();
    const { enc } = JSON.parse(first.openFrame) as { enc: string };
    const second = await dial(url);
    const { frame } = await makeOpen(await second.hello(), { appKey: socket.appKey, dst: destinationIn(url) });
    second.send(JSON.stringify({ ...JSON.parse(frame), enc }));
    await refused(second);
    first.leave();
  });

  test("the records of one connection on another, whose keys are different ones", async () => {
    const honest = await knock(url, { appKey: socket.appKey });
    const { cid } = await honest.challenge();
    const record = await honest.seal({ n: 1, t: "answer", cid, gate: "otp", value: await freshCode() });
    const thief = await knock(url, { appKey: socket.appKey });
    await thief.challenge();
    thief.send(record);
    expect(await thief.hear()).toBeNull();
    expect(await thief.closed).toEqual(closeOf("malformed"));
    honest.send(record);
    expect((await honest.hear())?.t).toBe("accepted");
    honest.leave();
  });

  test("records of the server sent back to it", async () => {
    const attacker = await knock(url, { appKey: socket.appKey });
    const challenge = await attacker.next();
    attacker.send(challenge ?? "");
    expect(await attacker.closed).toEqual(closeOf("out-of-order"));
    // Under the type of the other direction.
    const other = await knock(url, { appKey: socket.appKey });
    const bytes = Buffer.from((await other.next()) ?? "");
    other.send(Buffer.concat([Uint8Array.of(0x10), bytes.subarray(1, 5), bytes.subarray(21)]));
    expect(await other.closed).toEqual(closeOf("out-of-order"));
  });

  test("a whole recorded conversation, frame by frame", async () => {
    const relay = await startRelay(world.url.replace("http", "ws"));
    relay.tamper = passOn;
    const honest = await knock(relay.through(url), { appKey: socket.appKey, dst: destinationIn(url) });
    const { cid } = await honest.challenge();
    await honest.say({ n: 1, t: "answer", cid, gate: "otp", value: await freshCode() });
    expect((await honest.hear())?.t).toBe("accepted");
    const said = relay.seen.filter(({ from }) => from === "client");
    expect(said).toHaveLength(2);
    honest.leave();
    const thief = await dial(url);
    await thief.hello();
    for (const { data, binary } of said) thief.websocket.send(data, { binary });
    await refused(thief);
    await relay.close();
  });

  test("a used code, in its own time step, the one before and the one after", async () => {
    const code = await freshCode();
    const honest = await knock(url, { appKey: socket.appKey, answers: [{ gate: "otp", value: code }] });
    expect((await honest.hear())?.t).toBe("accepted");
    honest.leave();
    for (const step of [0, 1]) {
      world.advance(step * 30_000);
      await world.fresh();
      const thief = await knock(url, { appKey: socket.appKey, answers: [{ gate: "otp", value: code }] });
      expect(await thief.hear()).toMatchObject({ t: "challenge", retry: true });
      thief.leave();
    }
    // The code of the step before the used one would still be within the drift.
    const before = phone.code(world.now() - 60_000);
    const thief = await knock(url, { appKey: socket.appKey, answers: [{ gate: "otp", value: before }] });
    expect(await thief.hear()).toMatchObject({ t: "challenge", retry: true });
    thief.leave();
  });

  test("a code of one member for another", async () => {
    const as = socket.url;
    const thief = await knock(`${as}?id=ann`, {
      appKey: socket.appKey,
      answers: [{ gate: "otp", value: await freshCode() }],
    });
    expect(await thief.hear()).toMatchObject({ t: "challenge", retry: true });
    thief.leave();
  });
});

describe("one code opens one connection", () => {
  async function race(connections: number): Promise<number> {
    const code = await freshCode();
    const knocks = await Promise.all(
      Array.from({ length: connections }, async () => {
        const attacker = await knock(url, { appKey: socket.appKey });
        const { cid } = await attacker.challenge();
        return { attacker, record: await attacker.seal({ n: 1, t: "answer", cid, gate: "otp", value: code }) };
      }),
    );
    for (const { attacker, record } of knocks) attacker.send(record);
    const verdicts = await Promise.all(knocks.map(({ attacker }) => attacker.hear()));
    const accepted = verdicts.filter((plaintext) => plaintext?.t === "accepted").length;
    expect(verdicts.filter((plaintext) => plaintext?.t === "challenge")).toHaveLength(connections - accepted);
    expect(await liveSessions(world, socket.id)).toHaveLength(accepted);
    for (const { attacker } of knocks) attacker.leave();
    return accepted;
  }

  test.each([2, 50])("of %i connections that answer with it at once exactly one is accepted", async (connections) => {
    expect(await race(connections)).toBe(1);
  });

  test("of 50 connections that offer it along with open exactly one is accepted", async () => {
    const code = await freshCode();
    const knocks = await Promise.all(
      Array.from({ length: 50 }, () => knock(url, { appKey: socket.appKey, answers: [{ gate: "otp", value: code }] })),
    );
    const verdicts = await Promise.all(knocks.map((attacker) => attacker.hear()));
    expect(verdicts.filter((plaintext) => plaintext?.t === "accepted")).toHaveLength(1);
    expect(await liveSessions(world, socket.id)).toHaveLength(1);
    for (const attacker of knocks) attacker.leave();
  });

  test("on an offered socket the others are told nothing at all", async () => {
    const offered = await makeSocket(world.owner, { ...keyAndOtp, mode: "offered" });
    const member = await makeMember(world.owner, offered, "bob");
    const code = member.code(world.now());
    const knocks = await Promise.all(
      Array.from({ length: 20 }, () => knock(`${offered.url}?id=bob`, { appKey: offered.appKey })),
    );
    for (const attacker of knocks) await attacker.say({ n: 1, t: "offer", answers: [{ gate: "otp", value: code }] });
    await expect.poll(() => liveSessions(world, offered.id)).toHaveLength(1);
    const heard = knocks.map((attacker) => attacker.heard.length - 1);
    expect(heard.filter((frames) => frames === 1)).toHaveLength(1);
    expect(heard.filter((frames) => frames === 0)).toHaveLength(19);
    for (const attacker of knocks) attacker.leave();
  });

  test("offered sixteen times in one box, it is one attempt and too many", async () => {
    const value = await freshCode();
    const answers = Array.from({ length: limits.answers }, () => ({ gate: "otp", value }));
    const attacker = await knock(url, { appKey: socket.appKey, answers });
    expect(await attacker.hear()).toMatchObject({ t: "denied" });
    expect(await attacker.closed).toEqual(closeOf("denied"));
  });
});
