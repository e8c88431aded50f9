import { setTimeout as sleep } from "node:timers/promises";
import { socketMessage } from "@portcullis/contracts";
import { parseMessageDown } from "@portcullis/protocol";
import { describe, expect, it } from "vitest";
import { admittedClient, type Client, message, textOf } from "./support/client.ts";
import { accept, createWorld, type Edge, later, messageSubject, type World } from "./support/world.ts";

/** Sessions s1, s2, ... in the order in which they enter. */
async function worldOfSessions(settings: Record<string, string> = {}) {
  const world = await createWorld();
  world.onOpen = async () =>
    accept({ sid: `s${world.opens.length}`, maxBytes: 1_048_576, member: world.opens.length === 1 ? "bob" : null });
  return { world, edge: await world.edge(settings) };
}

async function read(client: Client, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) texts.push(textOf(await client.message()));
  return texts;
}

function publishedOn(world: World, subject: string): () => number {
  let count = 0;
  later(async () => void stop());
  const stop = world.network.tap((seen) => void (seen.kind === "publish" && seen.subject === subject && count++));
  return () => count;
}

describe("messages", () => {
  it("reach everybody on the socket, on every edge, the sender included, as the same bytes", async () => {
    const { world, edge } = await worldOfSessions();
    const other = await world.edge();
    const bob = await admittedClient(edge.port);
    const here = await admittedClient(edge.port);
    const there = await admittedClient(other.port);
    const published = publishedOn(world, messageSubject("sock"));
    bob.send(message(0, "hello all"));
    const frames = await Promise.all([bob.next(), here.next(), there.next()]);
    expect(frames[1]).toEqual(frames[0]);
    expect(frames[2]).toEqual(frames[0]);
    const parsed = parseMessageDown(Buffer.from(frames[0] ?? ""));
    expect(parsed).toMatchObject({ sequence: 0, head: { sid: "s1", member: "bob" } });
    expect(textOf(parsed)).toBe("hello all");
    expect(published()).toBe(1);
    there.send(message(0, "from afar"));
    expect((await bob.message()).head).toEqual({ sid: "s3", msgid: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/) });
  });

  it("do not reach another socket", async () => {
    const { world, edge } = await worldOfSessions();
    const inside = await admittedClient(edge.port);
    world.onOpen = async () => accept({ sid: "elsewhere", socketId: "sock2" });
    const outside = await admittedClient(edge.port);
    inside.send(message(0, "ours"));
    await inside.message();
    outside.send(message(0, "theirs"));
    expect(textOf(await outside.message())).toBe("theirs");
    expect([...inside.waiting, ...outside.waiting]).toEqual([]);
  });

  it("keep the order of each sender, under load and across edges", async () => {
    const { world, edge } = await worldOfSessions();
    const other = await world.edge();
    const senders = [await admittedClient(edge.port), await admittedClient(other.port)];
    const reader = await admittedClient(other.port);
    const count = 400;
    for (let n = 0; n < count; n += 1) for (const sender of senders) sender.send(message(n, `${n}`));
    const seen = new Map<string, number[]>();
    for (let n = 0; n < 2 * count; n += 1) {
      const { head, sequence } = await reader.message();
      seen.set(head.sid, [...(seen.get(head.sid) ?? []), sequence]);
    }
    const rising = Array.from({ length: count }, (_, n) => n);
    expect([...seen.values()]).toEqual([rising, rising]);
  });

  it.each([0, 1, 125, 126, 127, 65_400, 65_536, 200_000, 1_048_576])("of %i bytes arrive whole", async (size) => {
    const { edge } = await worldOfSessions();
    const client = await admittedClient(edge.port);
    const body = Buffer.alloc(size, "portcullis");
    client.send(message(0, body));
    expect(Buffer.from((await client.message()).body).equals(body)).toBe(true);
  });

  it("that are said as soon as somebody was let in are not missed by them", async () => {
    const { world, edge } = await worldOfSessions();
    const speaker = await admittedClient(edge.port);
    const other = await world.edge();
    const subscribe = other.bus.subscribe.bind(other.bus);
    other.bus.subscribe = async (...all) => {
      await sleep(50);
      return subscribe(...all);
    };
    const newcomer = await admittedClient(other.port);
    speaker.send(message(0, "welcome"));
    await speaker.message();
    expect(textOf(await newcomer.message())).toBe("welcome");
  });

  it("that come twice are written once", async () => {
    const { edge } = await worldOfSessions();
    const client = await admittedClient(edge.port);
    const say = (seq: number) =>
      edge.caller.emit(
        socketMessage,
        { sid: "far", member: null, seq, msgid: `m${seq}`, body: new TextEncoder().encode(`${seq}`) },
        "sock",
      );
    for (const seq of [0, 1, 1, 0, 2, 2, 3]) say(seq);
    expect(await read(client, 4)).toEqual(["0", "1", "2", "3"]);
    await sleep(20);
    expect(client.waiting).toEqual([]);
  });

  it("are listened to only while there is somebody here to hear them", async () => {
    const { edge } = await worldOfSessions();
    const listening = watchSubscriptions(edge);
    const first = await admittedClient(edge.port);
    const second = await admittedClient(edge.port);
    expect(listening()).toEqual(1);
    first.websocket.terminate();
    second.websocket.terminate();
    await expect.poll(listening).toBe(0);
    const third = await admittedClient(edge.port);
    third.send(message(0, "again"));
    expect(textOf(await third.message())).toBe("again");
    expect(listening()).toBe(1);
  });

  it("that cannot be published end the session in a way that lets it come back", async () => {
    const { world, edge } = await worldOfSessions();
    const client = await admittedClient(edge.port);
    world.network.interrupt();
    client.send(message(0, "lost"));
    expect(await client.closed).toEqual({ code: 4001, reason: "unavailable" });
    world.network.restore();
  });
});

describe("a slow reader", () => {
  it("is cut off, while the others get every message in order", async () => {
    const { edge } = await worldOfSessions({ SLOW_READER_BYTES: "256KiB" });
    const sender = await admittedClient(edge.port);
    const quick = await admittedClient(edge.port);
    const slow = await admittedClient(edge.port);
    slow.websocket.pause();
    await sleep(20);
    expect(edge.connections()).toBe(3);
    const count = 300;
    const body = Buffer.alloc(64 * 1024);
    const echoed = (async () => {
      for (let n = 0; n < count; n += 1) {
        body.writeUInt32BE(n);
        sender.send(message(n, body));
        expect((await sender.message()).sequence).toBe(n);
      }
    })();
    for (let n = 0; n < count; n += 1) {
      const { sequence, body: got } = await quick.message();
      expect(sequence).toBe(n);
      expect(Buffer.from(got).readUInt32BE()).toBe(n);
    }
    await echoed;
    await expect.poll(edge.connections, { timeout: 3_000 }).toBe(2);
    slow.websocket.resume();
    expect([4000, 1006]).toContain((await slow.closed).code);
    expect(slow.waiting.length).toBeLessThan(count);
  });

  it("that reads on after all finds the close code that says it may come back", async () => {
    const { edge } = await worldOfSessions({ SLOW_READER_BYTES: "64KiB" });
    const sender = await admittedClient(edge.port);
    const slow = await admittedClient(edge.port);
    slow.websocket.pause();
    await sleep(20);
    const body = Buffer.alloc(512 * 1024);
    for (let n = 0; n < 20; n += 1) {
      sender.send(message(n, body));
      await sender.message();
    }
    slow.websocket.resume();
    expect(await slow.closed).toEqual({ code: 4000, reason: "slow-consumer" });
  });

  it("is not whoever gets much at once and reads it", async () => {
    const { edge } = await worldOfSessions({ SLOW_READER_BYTES: "4MiB" });
    const sender = await admittedClient(edge.port);
    const reader = await admittedClient(edge.port);
    const body = Buffer.alloc(100 * 1024);
    for (let n = 0; n < 100; n += 1) {
      sender.send(message(n, body));
      if (n % 20 === 19) while ((await reader.message()).sequence < n);
    }
    expect(reader.websocket.readyState).toBe(1);
  });
});

/** Counts the subscriptions to messages by asking the bus where they end up. */
function watchSubscriptions(edge: Edge): () => number {
  let open = 0;
  const { bus } = edge;
  const subscribe = bus.subscribe.bind(bus);
  bus.subscribe = async (subject, handler, options) => {
    const subscription = await subscribe(subject, handler, options);
    if (subject !== messageSubject("sock")) return subscription;
    open += 1;
    return {
      close() {
        open -= 1;
        return subscription.close();
      },
    };
  };
  return () => open;
}
