import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { pushStep, type Step } from "@portcullis/contracts";
import { limits } from "@portcullis/protocol";
import { describe, expect, it } from "vitest";
import { createSilentConnections } from "../src/connection/silent-connections.ts";
import { type Client, connect, enter, open, record } from "./support/client.ts";
import { accept, createWorld, deny, keepGoing, type World } from "./support/world.ts";

const silence = (deadlineMs = Date.now() + 10_000): Step => ({ ...keepGoing(deadlineMs), silent: true });
const closedByDeadline = { code: 4008, reason: "deadline" };

/** A client that nobody answers any more, and everything that goes over the bus from then on. */
async function silenced(world: World, deadlineMs?: number, settings: Record<string, string> = {}) {
  const { port } = await world.edge(settings);
  world.onOpen = async () => silence(deadlineMs);
  const client = await connect(port);
  const { hid } = await client.hello();
  client.send(open());
  await expect.poll(() => world.lines.filter((line) => line.includes('"silent"')).length).toBe(1);
  const traffic: string[] = [];
  world.network.tap(({ subject }) => void traffic.push(subject));
  return { client, hid, traffic };
}

const isOpen = async (client: Client): Promise<boolean> =>
  Promise.race([client.closed.then(() => false), sleep(100).then(() => true)]);

describe("a silent connection", () => {
  it("hears nothing until its time is over, and is then closed like any other whose time is over", async () => {
    const world = await createWorld();
    const { client, traffic } = await silenced(world, Date.now() + 400);
    expect(await client.closed).toEqual(closedByDeadline);
    expect(client.waiting).toEqual([]);
    await sleep(50);
    expect(traffic).toEqual([]);
    expect(world.left).toEqual([]);
  });

  it.each<[string, (client: Client) => void]>([
    ["a record", (client) => client.send(record())],
    ["another opening", (client) => client.send(open(2))],
    ["text that is nothing", (client) => client.send("{")],
    ["bytes that are nothing", (client) => client.send(Buffer.alloc(500, 7))],
    ["an empty frame", (client) => client.send(Buffer.alloc(0))],
    ["a message, as if it were let in", (client) => client.send(record(0, 0x20))],
    [
      "many at once",
      (client) => {
        for (let counter = 0; counter < 20; counter += 1) client.send(record(counter));
      },
    ],
  ])(
    "that goes on talking (%s) sees what one sees that waits, and nothing of it goes anywhere",
    async (_what, talk) => {
      const world = await createWorld();
      const { client, traffic } = await silenced(world, Date.now() + 500);
      talk(client);
      expect(await isOpen(client)).toBe(true);
      expect(await client.closed).toEqual(closedByDeadline);
      expect(client.waiting).toEqual([]);
      expect(traffic).toEqual([]);
    },
  );

  it("is bounded in bytes and frames where every connection is that was not let in", async () => {
    const ends = async (settle: (world: World) => Promise<Client>, talk: (client: Client) => void) => {
      const client = await settle(await createWorld());
      talk(client);
      return client.closed;
    };
    const silent = async (world: World) => (await silenced(world)).client;
    const waiting = async (world: World) => {
      const { port } = await world.edge();
      world.onOpen = async () => keepGoing(Date.now() + 10_000);
      world.onRecord = async () => keepGoing(Date.now() + 10_000);
      return enter(port);
    };
    // One that never ends is counted as it comes.
    const tooMuch = (client: Client) =>
      client.websocket.send(Buffer.alloc(limits.unauthenticatedBytes + 8_192), { fin: false });
    const tooLong = (client: Client) => client.send(Buffer.alloc(limits.handshakeRecordBytes + 1));
    for (const talk of [tooMuch, tooLong]) expect(await ends(silent, talk)).toEqual(await ends(waiting, talk));

    const { client } = await silenced(await createWorld());
    for (let frames = 1; frames < limits.handshakeFrames; frames += 1) client.send("x");
    expect(await isOpen(client)).toBe(true);
    client.send("x");
    expect(await client.closed).toEqual({ code: 4501, reason: "out-of-order" });
  });

  it("takes no push, not even an accept", async () => {
    const world = await createWorld();
    const { client, hid } = await silenced(world);
    const push = (step: Step) => world.keys.caller.call(pushStep, { hid, step }, { route: hid.split(".")[0] ?? "" });
    expect(await push(keepGoing(Date.now() + 60_000, "wait"))).toEqual({ taken: false });
    expect(await push(accept({ sid: "s1" }))).toEqual({ taken: false });
    expect(await isOpen(client)).toBe(true);
    expect(client.waiting).toEqual([]);
  });

  it("falls silent by a push as well, and what was under way is not answered any more", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => keepGoing(Date.now() + 10_000, "challenge");
    const { promise, resolve: answer } = Promise.withResolvers<Step>();
    world.onRecord = () => promise;
    const client = await connect(port);
    const { hid } = await client.hello();
    client.send(open());
    await client.next();
    client.send(record());
    await expect.poll(() => world.records.length).toBe(1);
    const route = hid.split(".")[0] ?? "";
    const step = silence(Date.now() + 400);
    expect(await world.keys.caller.call(pushStep, { hid, step }, { route })).toEqual({ taken: true });
    answer(deny("denied"));
    expect(await client.closed).toEqual(closedByDeadline);
    expect(client.waiting).toEqual([]);
    expect(world.left).toEqual([]);
  });

  it("is pinged as before, answers pings, and may leave when it likes", async () => {
    const world = await createWorld();
    const { client, traffic } = await silenced(world, undefined, { PING_INTERVAL: "100ms" });
    await once(client.websocket, "ping");
    await once(client.websocket, "ping");
    client.websocket.ping();
    await once(client.websocket, "pong");
    client.websocket.close(1000);
    expect((await client.closed).code).toBe(1000);
    await sleep(50);
    expect(traffic).toEqual([]);
  });

  it("ends with the edge, which says so as to everybody", async () => {
    const world = await createWorld();
    const edge = await world.edge();
    world.onOpen = async () => silence();
    const client = await enter(edge.port);
    await expect.poll(() => world.opens.length).toBe(1);
    await edge.stop();
    expect((await client.closed).code).toBe(1012);
  });
});

describe("silence does not use up an edge", () => {
  const settings = { CONNECTIONS_MAX: "20", SILENT_MAX: "3" };

  it("because no more than SILENT_MAX are held: for another one the oldest is closed as if its time were over", async () => {
    const world = await createWorld();
    const edge = await world.edge(settings);
    world.onOpen = async () => silence();
    const intruders: Client[] = [];
    for (let count = 1; count <= 5; count += 1) {
      intruders.push(await enter(edge.port));
      await expect.poll(() => world.lines.filter((line) => line.includes('"outcome":"silent"')).length).toBe(count);
    }
    const [first, second, ...others] = intruders;
    expect(await first?.closed).toEqual(closedByDeadline);
    expect(await second?.closed).toEqual(closedByDeadline);
    for (const client of others) expect(await isOpen(client)).toBe(true);
    expect(intruders.flatMap(({ waiting }) => waiting)).toEqual([]);
    expect(edge.connections()).toBe(3);
  });

  it("and who has left holds no place", async () => {
    const world = await createWorld();
    const edge = await world.edge({ SILENT_MAX: "2" });
    world.onOpen = async () => silence();
    const first = await enter(edge.port);
    const second = await enter(edge.port);
    await expect.poll(() => world.lines.filter((line) => line.includes('"outcome":"silent"')).length).toBe(2);
    second.websocket.terminate();
    await expect.poll(() => edge.connections()).toBe(1);
    const third = await enter(edge.port);
    await expect.poll(() => world.lines.filter((line) => line.includes('"outcome":"silent"')).length).toBe(3);
    for (const client of [first, third]) expect(await isOpen(client)).toBe(true);
  });

  it("however many come: who does nothing wrong gets in, and was not put off for a moment", async () => {
    const world = await createWorld();
    const { port } = await world.edge(settings);
    world.onOpen = async ({ connection }) => (connection.path === "secret" ? silence() : accept({ sid: "member" }));
    for (let count = 0; count < 40; count += 1) await enter(port);
    const member = await enter(port, { path: "/lab/other" });
    expect(String(await member.next())).toBe("accepted");
  });

  it("whatever is set, half of the room is not theirs", async () => {
    const world = await createWorld();
    const edge = await world.edge({ CONNECTIONS_MAX: "4", SILENT_MAX: "1000" });
    world.onOpen = async () => silence();
    for (let count = 1; count <= 4; count += 1) {
      await enter(edge.port);
      await expect.poll(() => world.opens.length).toBe(count);
    }
    await expect.poll(() => edge.connections()).toBe(2);
  });

  it("and they count where they come from, like any connection", async () => {
    const world = await createWorld();
    const { port } = await world.edge({ CONNECTIONS_PER_ADDRESS_MAX: "2" });
    world.onOpen = async () => silence();
    await enter(port);
    await enter(port);
    await expect(connect(port)).rejects.toThrow("429");
  });

  it("and each that comes and goes is counted once", () => {
    let now = 0;
    const silent = createSilentConnections(2, (change) => {
      now += change;
    });
    const ended: string[] = [];
    const leaves = ["a", "b", "c"].map((name) => silent.enter(() => void ended.push(name)));
    expect([ended, now]).toEqual([["a"], 2]);
    for (const leave of leaves) {
      leave();
      leave();
    }
    silent.enter(() => void ended.push("d"));
    expect([ended, now]).toEqual([["a"], 1]);
  });
});
