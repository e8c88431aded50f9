import { setTimeout as sleep } from "node:timers/promises";
import type { Step } from "@portcullis/contracts";
import { limits } from "@portcullis/protocol";
import { describe, expect, it } from "vitest";
import { admittedClient, clientFrame, connect, enter, message, open, rawUpgrade, record } from "./support/client.ts";
import { accept, createWorld, keepGoing } from "./support/world.ts";

describe("before open", () => {
  it.each([
    ["no JSON", "{", 4500, "malformed"],
    ["another type", '{"t":"hello"}', 4500, "malformed"],
    ["an unknown field", open().replace('{"t"', '{"x":1,"t"'), 4500, "malformed"],
    ["an unknown suite", open().replace('"0020"', '"ffff"'), 4505, "unsupported"],
    ["a PSK id of no kind", open().replace('"k:', '"x:'), 4500, "malformed"],
    ["a binary frame", record(), 4501, "out-of-order"],
    ["an empty binary frame", Buffer.alloc(0), 4501, "out-of-order"],
    ["an oversize open", " ".repeat(limits.openBytes + 1), 4502, "too-large"],
  ])("%s is refused and asks nobody", async (_what, frame, code, reason) => {
    const world = await createWorld();
    const { port } = await world.edge();
    const client = await connect(port);
    await client.hello();
    client.send(frame);
    expect(await client.closed).toEqual({ code, reason });
    expect(world.opens).toEqual([]);
    expect(world.left).toEqual([]);
    expect(client.waiting).toEqual([]);
  });

  it("a frame that never ends is cut off long before it is whole", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    const raw = await rawUpgrade(port);
    await raw.status();
    raw.socket.write(clientFrame(0x81, new Uint8Array(100 * 1024).fill(0x61), 900 * 1024));
    expect(await raw.closeFrame()).toEqual({ code: 4502, reason: "too-large" });
  });

  it("so is a message of endless small fragments", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    const raw = await rawUpgrade(port);
    await raw.status();
    raw.socket.write(clientFrame(0x01, new Uint8Array(1)));
    const fragment = clientFrame(0x00, new Uint8Array(100));
    for (let n = 0; n < 800; n += 1) raw.socket.write(fragment);
    expect(await raw.closeFrame()).toEqual({ code: 4502, reason: "too-large" });
  });

  it.each([
    ["a frame longer than any message", clientFrame(0x82, new Uint8Array(8), 2 ** 31), 4502, "too-large"],
    ["an unmasked frame", Buffer.from([0x81, 0x01, 0x61]), 4500, "malformed"],
    ["a reserved opcode", clientFrame(0x83, new Uint8Array(1)), 4500, "malformed"],
    ["text that is no UTF-8", clientFrame(0x81, new Uint8Array([0xff, 0xfe])), 4500, "malformed"],
    ["a compressed frame that nobody agreed on", clientFrame(0xc1, new Uint8Array(1)), 4500, "malformed"],
  ])("%s gets the documented close code", async (_what, bytes, code, reason) => {
    const world = await createWorld();
    const { port } = await world.edge();
    const raw = await rawUpgrade(port);
    await raw.status();
    raw.socket.write(bytes);
    expect(await raw.closeFrame()).toEqual({ code, reason });
  });

  it("frames in the same packet as the upgrade count too", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    const raw = await rawUpgrade(port);
    raw.socket.write(clientFrame(0x82, record()));
    expect(await raw.closeFrame()).toEqual({ code: 4501, reason: "out-of-order" });
  });

  it("pings of a stranger are bounded like everything that they send; a burst is cut off", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    const ping = clientFrame(0x89, new Uint8Array(120));
    const patient = await rawUpgrade(port);
    await patient.status();
    for (let n = 0; n < 30 && !patient.socket.closed; n += 1) {
      patient.socket.write(Buffer.concat(Array.from({ length: 20 }, () => ping)));
      await sleep(3);
    }
    expect(await patient.closeFrame()).toEqual({ code: 4502, reason: "too-large" });

    const burst = await rawUpgrade(port);
    await burst.status();
    for (let n = 0; n < 1_000; n += 1) burst.socket.write(ping);
    await expect.poll(() => burst.socket.closed).toBe(true);
  });
});

describe("in a handshake", () => {
  it.each([
    ["a text frame after open", open(), 4501, "out-of-order", "malformed"],
    ["an application record", record(0, 0x20), 4501, "out-of-order", "malformed"],
    ["a message", message(0, "let me in"), 4501, "out-of-order", "malformed"],
    ["a record of no length that padding yields", record().subarray(0, 200), 4500, "malformed", "malformed"],
    ["an oversize record", Buffer.alloc(limits.handshakeRecordBytes + 1, 0x10), 4502, "too-large", "limits"],
  ])("%s ends it, and identity hears of it once", async (_what, frame, code, reason, why) => {
    const world = await createWorld();
    const { port } = await world.edge();
    const client = await enter(port);
    await client.next();
    client.send(frame);
    expect(await client.closed).toEqual({ code, reason });
    await expect.poll(() => world.left.map((each) => each.why)).toEqual([why]);
    await sleep(10);
    expect(world.left).toHaveLength(1);
    expect(world.records).toEqual([]);
  });

  it("two frames at once are taken one after the other", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    let running = 0;
    let most = 0;
    world.onRecord = async () => {
      most = Math.max(most, ++running);
      await sleep(20);
      running -= 1;
      return keepGoing(Date.now() + 10_000, `answer ${world.records.length}`);
    };
    const client = await connect(port);
    await client.hello();
    client.send(open());
    client.send(record(0));
    client.send(record(1));
    expect([await client.next(), await client.next(), await client.next()].map(String)).toEqual([
      "challenge",
      "answer 1",
      "answer 2",
    ]);
    expect(most).toBe(1);
  });

  it("a flood while a question is under way is refused, by number and by size", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    const held = Promise.withResolvers<Step>();
    world.onOpen = () => held.promise;
    const many = await enter(port);
    for (let n = 0; n < 20; n += 1) many.send(record(n));
    expect(await many.closed).toEqual({ code: 4501, reason: "out-of-order" });
    const big = await enter(port);
    for (let n = 0; n < 3; n += 1) big.send(record(n, 0x10, 8_192));
    expect(await big.closed).toEqual({ code: 4502, reason: "too-large" });
    held.resolve(keepGoing());
    await expect.poll(() => world.left).toHaveLength(2);
    expect(world.records).toEqual([]);
  });

  it.each([
    ["a message", message(0, "too early"), 4501, "out-of-order"],
    ["a second open", open(2), 4501, "out-of-order"],
    ["an application record", record(0, 0x20), 4501, "out-of-order"],
    ["a record of no length that padding yields", record().subarray(0, 200), 4500, "malformed"],
    ["an empty frame", Buffer.alloc(0), 4500, "malformed"],
  ])(
    "%s while an open is looked at ends it at once, and the accept that follows lets nobody in",
    async (_what, frame, code, reason) => {
      const world = await createWorld();
      const { port } = await world.edge();
      world.onOpen = async () => accept({ sid: "member" });
      const member = await admittedClient(port);
      const held = Promise.withResolvers<Step>();
      world.onOpen = () => held.promise;
      const client = await enter(port);
      client.send(frame);
      expect(await client.closed).toEqual({ code, reason });
      held.resolve(accept({ sid: "early" }));
      await expect.poll(() => world.ended).toMatchObject([{ sid: "early", socketId: "sock" }]);
      expect(client.waiting).toEqual([]);
      member.send(message(0, "the only one"));
      expect((await member.message()).head.sid).toBe("member");
    },
  );

  it("a message while a record is looked at, or behind one that waits, ends it too", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    const held = Promise.withResolvers<Step>();
    world.onRecord = () => held.promise;
    for (const before of [[record(0)], [record(0), record(1)]]) {
      const client = await enter(port);
      await client.next();
      for (const frame of before) client.send(frame);
      client.send(message(0, "too early"));
      expect(await client.closed).toEqual({ code: 4501, reason: "out-of-order" });
    }
    held.resolve(accept({ sid: "early" }));
    await expect.poll(() => world.ended).toHaveLength(2);
    expect(world.records).toHaveLength(2);
  });

  it("frames and bytes without a verdict are bounded over the whole handshake", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    const client = await enter(port);
    await client.next();
    for (let n = 0; n < limits.handshakeFrames - 1; n += 1) {
      client.send(record(n));
      await client.next();
    }
    client.send(record(99));
    expect(await client.closed).toEqual({ code: 4501, reason: "out-of-order" });

    const heavy = await enter(port);
    await heavy.next();
    for (let n = 0; n < 20; n += 1) {
      heavy.send(record(n, 0x10, 4_096));
      if ((await heavy.next().catch(() => null)) === null) break;
    }
    expect(await heavy.closed).toEqual({ code: 4502, reason: "too-large" });
  });
});

describe("after a verdict", () => {
  it("nothing that follows a denial is looked at", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => ({ ...keepGoing(null), close: 4503 });
    const client = await enter(port);
    client.send(record());
    client.send(record());
    expect((await client.closed).code).toBe(4503);
    await sleep(20);
    expect(world.records).toEqual([]);
    expect(world.left).toEqual([]);
  });

  it.each([
    ["a sealed application record", record(0, 0x20), 4501, "out-of-order"],
    ["a text frame", "hello", 4501, "out-of-order"],
    ["a message without a header", Buffer.from([0x40, 0]), 4500, "malformed"],
    ["a counter that does not begin with 0", message(1, "x"), 4501, "out-of-order"],
    ["a message above the socket's limit", message(0, new Uint8Array(1_001)), 4502, "too-large"],
    ["a message above the protocol's limit", Buffer.alloc(limits.messageBytes + 10, 0x40), 4502, "too-large"],
  ])("%s ends the session", async (_what, frame, code, reason) => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => accept({ sid: "s1", maxBytes: 1_000 });
    const client = await admittedClient(port);
    client.send(frame);
    expect(await client.closed).toEqual({ code, reason });
    await expect.poll(() => world.ended).toMatchObject([{ sid: "s1", socketId: "sock" }]);
    expect(world.left).toEqual([]);
  });

  it("an offer that was still on its way is passed over, counts against the rate, and disturbs nothing", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => accept({ sid: "s1", perSecond: 5 });
    const client = await admittedClient(port);
    client.send(record(1));
    client.send(message(0, "after it"));
    expect((await client.message()).body.toString()).toBe("after it");
    expect(world.records).toEqual([]);
    for (let index = 0; index < 10; index += 1) client.send(record(index + 2));
    expect(await client.closed).toEqual({ code: 4029, reason: "rate" });
  });

  it("a replayed counter ends the session", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => accept({ sid: "s1" });
    const client = await admittedClient(port);
    client.send(message(0, "once"));
    await client.message();
    client.send(message(0, "twice"));
    expect(await client.closed).toEqual({ code: 4501, reason: "out-of-order" });
    expect(client.waiting).toEqual([]);
  });

  it("too many messages in a second end it with 4029, and so do pings", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => accept({ sid: `s${world.opens.length}`, perSecond: 5 });
    const client = await admittedClient(port);
    for (let n = 0; n < 7; n += 1) client.send(message(n, "x"));
    expect(await client.closed).toEqual({ code: 4029, reason: "rate" });
    const pinging = await admittedClient(port);
    for (let n = 0; n < 50; n += 1) pinging.websocket.ping();
    expect(await pinging.closed).toEqual({ code: 4029, reason: "rate" });
  });

  it("one attacker disturbs nobody else", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => accept({ sid: `s${world.opens.length}` });
    const honest = await admittedClient(port);
    const attacker = await admittedClient(port);
    attacker.send("garbage");
    await attacker.closed;
    honest.send(message(0, "still here"));
    expect((await honest.message()).sequence).toBe(0);
    expect(world.handlerErrors).toEqual([]);
  });
});
