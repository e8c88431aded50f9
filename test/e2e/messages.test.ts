import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Message, Session } from "@portcullis/client";
import { encodeMessageUp } from "@portcullis/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { rawClient } from "./support/raw-client.ts";
import { at, read, sessionKeeper } from "./support/sessions.ts";
import { keyOnly, makeMember, makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

let world: World;
const keeper = sessionKeeper();
beforeAll(async () => {
  world = await startWorld({ replicas: true, env: { SLOW_READER_BYTES: "64KiB" } });
});
afterEach(() => keeper.closeAll());
afterAll(() => world.close());

const join = (socket: OwnedSocket, edge: 0 | 1, options: { readonly echo?: boolean } = {}) =>
  keeper.connect(at(world.edges[edge], socket.url), { appKey: socket.appKey, ...options });

/** An accepted client that then says what it likes. */
async function rawSession(socket: OwnedSocket, edge: 0 | 1) {
  const client = await rawClient(at(world.edges[edge], socket.url), socket);
  await client.open();
  expect(await client.next()).toMatchObject({ is: "sealed", plaintext: { t: "accepted" } });
  return client;
}

describe("a message on a socket", () => {
  test("reaches everybody who was accepted, at every edge, once, and nobody on another socket", async () => {
    const [socket, other] = [await makeSocket(world.owner, keyOnly), await makeSocket(world.owner, keyOnly)];
    const sender = await join(socket, 0, { echo: true });
    const receivers = await Promise.all([join(socket, 0), join(socket, 1), join(socket, 1)]);
    const strangers = await Promise.all([join(other, 0), join(other, 1)]);
    await sender.send("to all");
    await sender.send(Uint8Array.of(0, 255, 128));
    for (const receiver of [sender, ...receivers]) {
      const [first, second] = await take(receiver, 2);
      expect(first?.text()).toBe("to all");
      expect(first?.from).toEqual({ sid: sender.sid, member: null });
      expect(second?.bytes).toEqual(Uint8Array.of(0, 255, 128));
      expect([first?.seq, second?.seq]).toEqual([0, 1]);
    }
    // What was meant for the others would have come first.
    const [near, far] = strangers;
    await near.send("elsewhere");
    expect(await read(far, 1)).toEqual(["elsewhere"]);
  });

  test("keeps its place: per sender nothing overtakes, nothing is lost, nothing comes twice", async () => {
    const socket = await makeSocket(world.owner, { ...keyOnly, messaging: { perSecond: 1000 } });
    const count = 150;
    const senders = await Promise.all([join(socket, 0), join(socket, 1), join(socket, 1)]);
    const receivers = await Promise.all([join(socket, 0), join(socket, 1)]);
    const sending = senders.map(async (sender) => {
      for (let n = 0; n < count; n += 1) await sender.send(`${n}`);
    });
    for (const receiver of receivers) {
      const bySender = Map.groupBy(await take(receiver, count * senders.length), ({ from }) => from.sid);
      expect(bySender.size).toBe(senders.length);
      for (const messages of bySender.values()) {
        expect(messages.map((message) => message.text())).toEqual(Array.from({ length: count }, (_, n) => `${n}`));
        expect(messages.every(({ missed }) => missed === 0)).toBe(true);
      }
    }
    await Promise.all(sending);
  });

  test("names its sender only where a gate has proven the name", async () => {
    const socket = await makeSocket(world.owner, keyOnly);
    await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "carl" });
    const app = await makeMember(world.owner, socket, "bob");
    const receiver = await join(socket, 1);
    const proven = await keeper.connect(`${socket.url}?id=bob`, {
      appKey: socket.appKey,
      answers: { otp: () => app.code(world.now()) },
    });
    const claimed = await keeper.connect(`${socket.url}?id=carl`, { appKey: socket.appKey });
    for (const { session, member } of [
      { session: proven, member: "bob" },
      { session: claimed, member: null },
    ]) {
      await session.send("hi");
      expect((await take(receiver, 1))[0]?.from).toEqual({ sid: session.sid, member });
    }
  });

  test("is not for whoever has not been accepted", async () => {
    const socket = await makeSocket(world.owner);
    await makeMember(world.owner, socket, "bob");
    const app = await makeMember(world.owner, socket, "ann");
    const waiting = await rawClient(at(world.edges[0], `${socket.url}?id=bob`), socket);
    await waiting.open();
    expect(await waiting.next()).toMatchObject({ plaintext: { t: "challenge" } });
    const ann = await keeper.connect(at(world.edges[0], `${socket.url}?id=ann`), {
      appKey: socket.appKey,
      answers: { otp: () => app.code(world.now()) },
      echo: true,
    });
    await ann.send("not for bob yet");
    expect(await read(ann, 1)).toEqual(["not for bob yet"]);
    expect(await waiting.silent(50)).toBe(true);
    // Nor may they speak.
    waiting.send(encodeMessageUp({ counter: 0, body: new Uint8Array(1) }));
    expect(await waiting.closed).toBe(4501);
  });
});

describe("limits", () => {
  test("a message of the greatest size goes through, one byte more ends the session", async () => {
    const socket = await makeSocket(world.owner, { ...keyOnly, messaging: { maxBytes: 1000 } });
    const receiver = await join(socket, 1);
    const honest = await join(socket, 0);
    expect(honest.limits.maxBytes).toBe(1000);
    await expect(honest.send(randomBytes(1001))).rejects.toMatchObject({ code: "too-large" });
    const largest = randomBytes(1000);
    await honest.send(new Uint8Array(largest));
    expect((await take(receiver, 1))[0]?.bytes).toEqual(new Uint8Array(largest));

    const client = await rawSession(socket, 0);
    client.send(encodeMessageUp({ counter: 0, body: randomBytes(1001) }));
    expect(await client.next()).toEqual({ is: "closed", code: 4502 });
    await honest.send("others go on");
    expect(await read(receiver, 1)).toEqual(["others go on"]);
  });

  test("whoever sends too much in too short a time is closed and may come back", async () => {
    const socket = await makeSocket(world.owner, { ...keyOnly, messaging: { perSecond: 5 } });
    const receiver = await join(socket, 1);
    const client = await rawSession(socket, 0);
    for (let counter = 0; counter < 8; counter += 1)
      client.send(encodeMessageUp({ counter, body: new TextEncoder().encode(`${counter}`) }));
    expect(await client.closed).toBe(4029);
    expect(await read(receiver, 5)).toEqual(["0", "1", "2", "3", "4"]);
    const again = await rawSession(socket, 0);
    again.send(encodeMessageUp({ counter: 0, body: new Uint8Array() }));
    expect((await take(receiver, 1))[0]?.bytes).toHaveLength(0);
    again.close();
  });

  test("the SDK keeps to the rate by itself", async () => {
    const socket = await makeSocket(world.owner, { ...keyOnly, messaging: { perSecond: 20 } });
    const [sender, receiver] = [await join(socket, 0), await join(socket, 1)];
    const startedAt = performance.now();
    for (let n = 0; n < 30; n += 1) void sender.send(`${n}`);
    expect(await read(receiver, 30)).toHaveLength(30);
    expect(performance.now() - startedAt).toBeGreaterThan(400);
  });

  test("numbers that skip or repeat end the session", async () => {
    const socket = await makeSocket(world.owner, keyOnly);
    for (const counters of [
      [0, 2],
      [0, 0],
      [1, 2],
    ]) {
      const client = await rawSession(socket, 0);
      for (const counter of counters) client.send(encodeMessageUp({ counter, body: new Uint8Array(1) }));
      expect(await client.closed).toBe(4501);
    }
  });
});

test("a slow reader is cut off with the code that lets it come back, while the others get everything", async () => {
  const socket = await makeSocket(world.owner, { ...keyOnly, messaging: { maxBytes: 1_048_576, perSecond: 1000 } });
  const opened: WebSocket[] = [];
  class Watched extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      opened.push(this);
    }
  }
  const [sender, quick] = [await join(socket, 0), await join(socket, 1)];
  const slow = await keeper.connect(at(world.edges[1], socket.url), { appKey: socket.appKey, webSocket: Watched });
  const received = take(quick, 24);
  opened[0]?.pause();
  // It reads on as soon as it was cut off: the close code waits for it no longer than a second.
  const cut = expect
    .poll(() => world.logs.some((line) => line.includes('"close_code":4000')), { timeout: 10_000, interval: 5 })
    .toBe(true)
    .then(() => opened[0]?.resume());
  const body = new Uint8Array(1_000_000);
  for (let n = 0; n < 24; n += 1) {
    body[0] = n;
    await sender.send(body);
    // So that a machine with much to do makes no slow reader of the quick one.
    await sleep(15);
  }
  expect((await received).map(({ bytes }) => bytes[0])).toEqual(Array.from({ length: 24 }, (_, n) => n));
  await cut;
  expect(await slow.closed).toMatchObject({ code: 4000, name: "slow-consumer", retry: true });
  const back = await join(socket, 1);
  await sender.send("welcome back");
  expect(await read(back, 1)).toEqual(["welcome back"]);
});

async function take(session: Session, count: number): Promise<Message[]> {
  const messages: Message[] = [];
  for await (const message of session) if (messages.push(message) === count) break;
  return messages;
}
