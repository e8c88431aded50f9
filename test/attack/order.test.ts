import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import { keyAndOtp, keyOnly, makeMember, makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { dial } from "./support/attacker.ts";
import { type Bystanders, startBystanders } from "./support/bystander.ts";
import { closeOf } from "./support/closes.ts";
import { destinationIn, type Knock, knock, makeOpen, message } from "./support/knock.ts";
import { clientFrame, rawUpgrade } from "./support/raw.ts";
import { acceptsIn, liveSessions } from "./support/sessions.ts";

vi.setConfig({ testTimeout: 8_000 });

let world: World;
let bystanders: Bystanders;
let socket: OwnedSocket;
let phone: Authenticator;
let url: string;
beforeAll(async () => {
  world = await startWorld({ env: { CONNECTIONS_PER_ADDRESS_MAX: "1000" } });
  bystanders = await startBystanders(world);
  // Time passes in here, so that there are codes that were not used yet.
  const deadlines = { answer: "10m", handshake: "60m" };
  socket = await makeSocket(world.owner, { ...keyAndOtp, onFailure: { attempts: 5 }, deadlines });
  phone = await makeMember(world.owner, socket, "bob");
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

const asked = async (): Promise<{ attacker: Knock; cid: string }> => {
  const attacker = await knock(url, { appKey: socket.appKey });
  return { attacker, cid: (await attacker.challenge()).cid };
};

/** A code that was not used yet. */
const freshCode = async (): Promise<string> => {
  world.advance(30_000);
  await world.fresh();
  return phone.code(world.now());
};

const inside = async (): Promise<Knock> => {
  const attacker = await knock(url, { appKey: socket.appKey, answers: [{ gate: "otp", value: await freshCode() }] });
  expect((await attacker.hear())?.t).toBe("accepted");
  return attacker;
};

describe("frames in the wrong order end the connection", () => {
  test("a record before open", async () => {
    const attacker = await dial(url);
    await attacker.hello();
    attacker.send(Buffer.concat([Uint8Array.of(0x10), Buffer.alloc(12 + 272)]));
    expect(await attacker.closed).toEqual(closeOf("out-of-order"));
  });

  test("a message before open", async () => {
    const attacker = await dial(url);
    attacker.send(message(0, "let me in"));
    expect(await attacker.closed).toEqual(closeOf("out-of-order"));
  });

  test("a second open, the same bytes or others", async () => {
    const { attacker: same } = await asked();
    same.send(same.openFrame);
    expect(await same.closed).toEqual(closeOf("out-of-order"));
    const { attacker: other } = await asked();
    other.send(same.openFrame);
    expect(await other.closed).toEqual(closeOf("out-of-order"));
  });

  test("two opens in one packet: the second ends it, and the first is not even answered", async () => {
    const attacker = await dial(url);
    const hello = await attacker.hello();
    const frames = await Promise.all(
      [1, 2].map(() => makeOpen(hello, { appKey: socket.appKey, dst: destinationIn(url) })),
    );
    for (const { frame } of frames) attacker.send(frame);
    expect(await attacker.closed).toEqual(closeOf("out-of-order"));
    expect(attacker.heard).toHaveLength(1);
  });

  test("an open after accept", async () => {
    const attacker = await inside();
    attacker.send(attacker.openFrame);
    expect(await attacker.closed).toEqual(closeOf("out-of-order"));
  });

  test("a message between challenge and accept is delivered to nobody", async () => {
    const member = await inside();
    const { attacker } = await asked();
    attacker.send(message(0, "let me in"));
    expect(await attacker.closed).toEqual(closeOf("out-of-order"));
    member.send(message(0, "only this"));
    expect(String(await member.next())).toContain("only this");
    member.leave();
  });

  test("a message right behind an open that is accepted: nobody is let in, and nobody hears it", async () => {
    const member = await inside();
    const accepts = acceptsIn(world);
    const attacker = await knock(url, {
      appKey: socket.appKey,
      answers: [{ gate: "otp", value: await freshCode() }],
    });
    attacker.send(message(0, "too early"));
    expect(await attacker.closed).toEqual(closeOf("out-of-order"));
    expect(attacker.heard).toHaveLength(1);
    // Everything else about it was right; what it would have become is gone again.
    await expect.poll(() => acceptsIn(world)).toBe(accepts + 1);
    await expect.poll(() => liveSessions(world, socket.id)).toHaveLength(1);
    member.send(message(0, "only this"));
    expect(String(await member.next())).toContain("only this");
    member.leave();
  });

  test("a message right behind an answer that is accepted, likewise", async () => {
    const member = await inside();
    const { attacker, cid } = await asked();
    const right = await attacker.seal({ n: 1, t: "answer", cid, gate: "otp", value: await freshCode() });
    const accepts = acceptsIn(world);
    attacker.send(right);
    attacker.send(message(0, "too early"));
    expect(await attacker.closed).toEqual(closeOf("out-of-order"));
    expect(attacker.heard).toHaveLength(2);
    await expect.poll(() => acceptsIn(world)).toBe(accepts + 1);
    await expect.poll(() => liveSessions(world, socket.id)).toHaveLength(1);
    member.send(message(0, "only this"));
    expect(String(await member.next())).toContain("only this");
    member.leave();
  });

  test("open and message in one TCP segment, without any WebSocket library", async () => {
    const quick = await makeSocket(world.owner, keyOnly);
    const raw = await rawUpgrade(Number(new URL(world.url).port), new URL(quick.url).pathname);
    const hello = await raw.hello();
    const { frame } = await makeOpen(hello, { appKey: quick.appKey, dst: destinationIn(quick.url) });
    const accepts = acceptsIn(world);
    raw.write(Buffer.concat([clientFrame(0x81, frame), clientFrame(0x82, message(0, "too early"))]));
    expect(await raw.close()).toEqual(closeOf("out-of-order"));
    await expect.poll(() => acceptsIn(world)).toBe(accepts + 1);
    await expect.poll(() => liveSessions(world, quick.id)).toEqual([]);
  });

  test("what is sent as soon as accepted has come is in time", async () => {
    const attacker = await inside();
    attacker.send(message(0, "in time"));
    expect(String(await attacker.next())).toContain("in time");
    attacker.leave();
  });
});

describe("numbers that are not the next ones end the connection", () => {
  const wrong = (n: number, cid: string) => ({ n, t: "answer", cid, gate: "otp", value: "000000" });

  test.each([0, 2, 3, 2 ** 32 - 1])("n %i where 1 is due", async (n) => {
    const { attacker, cid } = await asked();
    await attacker.say(wrong(n, cid));
    expect(await attacker.hear()).toBeNull();
    expect(await attacker.closed).toEqual(closeOf(n === 0 ? "malformed" : "out-of-order"));
  });

  test.each([1, 2, 2 ** 23 - 1])("counter %i where 0 is due", async (counter) => {
    const { attacker, cid } = await asked();
    await attacker.say(wrong(1, cid), { counter });
    expect(await attacker.closed).toEqual(closeOf("out-of-order"));
  });

  test("a generation that is not 0", async () => {
    const { attacker, cid } = await asked();
    await attacker.say(wrong(1, cid), { generation: 1 });
    expect(await attacker.closed).toEqual(closeOf("out-of-order"));
  });

  test("a counter or an n that was used already, with other bytes", async () => {
    for (const again of [
      { n: 1, counter: 1 },
      { n: 2, counter: 0 },
    ]) {
      const { attacker, cid } = await asked();
      await attacker.say(wrong(1, cid));
      const { cid: second } = await attacker.challenge();
      await attacker.say(wrong(again.n, second), { counter: again.counter });
      expect(await attacker.hear()).toBeNull();
      expect(await attacker.closed).toEqual(closeOf("out-of-order"));
    }
  });

  test("a message counter that is skipped or repeated", async () => {
    const skipping = await inside();
    skipping.send(message(1, "x"));
    expect(await skipping.closed).toEqual(closeOf("out-of-order"));
    const repeating = await inside();
    repeating.send(message(0, "once"));
    expect(String(await repeating.next())).toContain("once");
    repeating.send(message(0, "twice"));
    expect(await repeating.next()).toBeNull();
    expect(await repeating.closed).toEqual(closeOf("out-of-order"));
  });
});

describe("an answer counts once, for the challenge that it answers", () => {
  const wrongTo = (cid: string, n: number, value = "000000") => ({ n, t: "answer", cid, gate: "otp", value });

  test("the same record again gets the same bytes again, and is not a second attempt", async () => {
    const { attacker, cid } = await asked();
    const record = await attacker.seal(wrongTo(cid, 1));
    attacker.send(record);
    const first = await attacker.next();
    attacker.send(record);
    attacker.send(record);
    expect(await attacker.next()).toEqual(first);
    expect(await attacker.next()).toEqual(first);
    attacker.leave();
  });

  test("an answer to a challenge that never was gets no reply and is a failed attempt", async () => {
    const { attacker } = await asked();
    for (let n = 1; n < 5; n += 1) await attacker.say(wrongTo("nobody-asked", n, phone.code(world.now())));
    await sleep(50);
    expect(attacker.heard).toHaveLength(2);
    await attacker.say(wrongTo("nobody-asked", 5));
    expect(await attacker.hear()).toMatchObject({ t: "denied", code: "denied" });
    expect(await attacker.closed).toEqual(closeOf("denied"));
  });

  test("the right code for a challenge that was answered before opens nothing", async () => {
    const { attacker, cid } = await asked();
    await attacker.say(wrongTo(cid, 1));
    await attacker.challenge();
    const accepts = acceptsIn(world);
    await attacker.say(wrongTo(cid, 2, await freshCode()));
    await sleep(50);
    expect(attacker.heard).toHaveLength(3);
    expect(acceptsIn(world)).toBe(accepts);
    attacker.leave();
  });

  test("of two answers to one challenge at once the first counts, the second is a failed attempt", async () => {
    const { attacker, cid } = await asked();
    await Promise.all([
      attacker.say(wrongTo(cid, 1)),
      attacker.say(wrongTo(cid, 2, await freshCode()), { counter: 1 }),
    ]);
    const second = await attacker.challenge();
    expect(second).toMatchObject({ retry: true });
    // The second answer was right, but for a challenge that the first one had used up.
    await attacker.say(wrongTo(second.cid, 3), { counter: 2 });
    expect(await attacker.challenge()).toMatchObject({ attemptsLeft: 2 });
    attacker.leave();
  });

  test("answers after the verdict change nothing", async () => {
    const { attacker, cid } = await asked();
    let last = cid;
    for (let n = 1; n < 5; n += 1) {
      await attacker.say(wrongTo(last, n));
      last = (await attacker.challenge()).cid;
    }
    const code = await freshCode();
    await attacker.say(wrongTo(last, 5));
    await attacker.say(wrongTo(last, 6, code));
    expect(await attacker.hear()).toMatchObject({ t: "denied" });
    expect(await attacker.hear()).toBeNull();
    expect(await attacker.closed).toEqual(closeOf("denied"));
    // The code was not even looked at: it still opens.
    const next = await knock(url, { appKey: socket.appKey, answers: [{ gate: "otp", value: code }] });
    expect((await next.hear())?.t).toBe("accepted");
    next.leave();
  });

  test("a cancel is the end, whatever comes behind it", async () => {
    const { attacker, cid } = await asked();
    await attacker.say({ n: 1, t: "cancel" });
    await attacker.say(wrongTo(cid, 2, await freshCode()));
    expect(await attacker.hear()).toMatchObject({ t: "denied" });
    expect(await attacker.closed).toEqual(closeOf("denied"));
  });

  test("an offer on a socket that prompts is a failed attempt, even with the right code", async () => {
    const { attacker } = await asked();
    await attacker.say({ n: 1, t: "offer", answers: [{ gate: "otp", value: await freshCode() }] });
    await sleep(50);
    expect(attacker.heard).toHaveLength(2);
    attacker.leave();
  });
});
