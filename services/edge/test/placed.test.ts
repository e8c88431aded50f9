import { setTimeout as sleep } from "node:timers/promises";
import { displaceConnection, groupGrants, placedMessage, ServiceError, takeMessages } from "@portcullis/contracts";
import { parseHandshakeId } from "@portcullis/protocol";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { createFanOut } from "../src/sessions/fan-out.ts";
import { admittedClient, type Client, connect, message, open, record } from "./support/client.ts";
import { accept, createWorld, later, type World } from "./support/world.ts";

type Taking = z.infer<typeof takeMessages.request>;
type Reply = z.infer<typeof takeMessages.reply>;
const nothing: Reply = { frames: [], close: null, stepUp: null };

/** Sessions s1, s2, ... of a sealed socket, and what `keys` is asked of them. */
async function sealedWorld(terms: Partial<Parameters<typeof accept>[0]> = {}) {
  const world = await createWorld();
  world.onOpen = async () =>
    accept({ sid: `s${world.opens.length}`, sealed: true, placed: true, epoch: 0, resumeMs: 60_000, ...terms });
  const asked: Taking[] = [];
  const granted: string[][] = [];
  const wanted: number[][] = [];
  const answers = {
    take: async (_taking: Taking): Promise<Reply> => nothing,
    grant: async (sids: readonly string[]): Promise<readonly string[]> => sids,
  };
  await world.keys.server.serve(takeMessages, (taking) => {
    asked.push(taking);
    return answers.take(taking);
  });
  await world.keys.server.serve(groupGrants, async ({ sids, after, epoch }) => {
    granted.push(sids);
    wanted.push([after, epoch]);
    const given = await answers.grant(sids);
    return { frames: given.map((sid) => ({ sid, frame: Buffer.from(`grant ${sid}`) })) };
  });
  const say = (text: string, epoch: number | null = 0) =>
    world.keys.caller.emit(placedMessage, { epoch, frame: Buffer.from(text) }, "sock");
  const { port } = await world.edge();
  return { world, port, asked, granted, wanted, answers, say };
}

const next = async (client: Client) => String(await client.next());
const framesOf = (asked: readonly Taking[]) => asked.flatMap(({ frames }) => frames.map((frame) => Buffer.from(frame)));

describe("what a client of a sealed socket sends", () => {
  it("is handed on as it is, in order, and nobody else hears of it", async () => {
    const { world, port, asked } = await sealedWorld();
    const [bob, eve] = [await admittedClient(port), await admittedClient(port)];
    const sent = [record(0, 0x20), record(1, 0x20), record(2, 0x20, 4096)];
    for (const frame of sent) bob.send(frame);
    await expect.poll(() => framesOf(asked)).toEqual(sent);
    expect(asked.every(({ sid, hid }) => sid === "s1" && hid === world.opens[0]?.hid)).toBe(true);
    expect(eve.waiting).toEqual([]);
  });

  it("is handed on one batch at a time, and what gathers meanwhile goes together", async () => {
    const { port, asked, answers } = await sealedWorld();
    const bob = await admittedClient(port);
    const held = Promise.withResolvers<Reply>();
    answers.take = () => held.promise;
    for (let n = 0; n < 50; n += 1) bob.send(record(n, 0x20));
    await expect.poll(() => asked.length).toBe(1);
    await sleep(50);
    expect(asked.map(({ frames }) => frames.length)).toEqual([1]);
    answers.take = async () => nothing;
    held.resolve(nothing);
    await expect.poll(() => framesOf(asked).length).toBe(50);
    expect(asked.map(({ frames }) => frames.length)).toEqual([1, 32, 17]);
    expect(framesOf(asked)).toEqual(Array.from({ length: 50 }, (_, n) => record(n, 0x20)));
  });

  it("is handed on again where nobody answered, and ends the connection where nobody does at all", async () => {
    const { port, asked, answers } = await sealedWorld();
    const bob = await admittedClient(port);
    let fails = 1;
    answers.take = async () => {
      fails -= 1;
      if (fails >= 0) throw new ServiceError("busy");
      return nothing;
    };
    bob.send(record(0, 0x20));
    await expect.poll(() => asked.length).toBe(2);
    expect(asked[0]).toEqual(asked[1]);
    fails = 2;
    bob.send(record(1, 0x20));
    expect(await bob.closed).toMatchObject({ code: 4001 });
  });

  it("gets its answers alone, and the end that `keys` decides", async () => {
    const { port, answers } = await sealedWorld();
    const [bob, eve] = [await admittedClient(port), await admittedClient(port)];
    answers.take = async () => ({ frames: [Buffer.from("one"), Buffer.from("two")], close: 4501, stepUp: null });
    bob.send(record(0, 0x20));
    expect([await next(bob), await next(bob)]).toEqual(["one", "two"]);
    expect(await bob.closed).toMatchObject({ code: 4501 });
    expect(eve.waiting).toEqual([]);
  });

  it("is not handed on behind the end that `keys` has decided", async () => {
    const { port, asked, answers } = await sealedWorld();
    const bob = await admittedClient(port);
    const held = Promise.withResolvers<Reply>();
    answers.take = () => held.promise;
    for (const n of [0, 1, 2]) bob.send(record(n, 0x20));
    await expect.poll(() => asked.length).toBe(1);
    await sleep(50);
    held.resolve({ frames: [], close: 4501, stepUp: null });
    expect(await bob.closed).toMatchObject({ code: 4501 });
    await sleep(50);
    expect(framesOf(asked)).toHaveLength(1);
  });

  it("counts also when the client leaves right behind it; only then is it reported gone", async () => {
    const { world, port, asked, answers } = await sealedWorld();
    const bob = await admittedClient(port);
    const held = Promise.withResolvers<Reply>();
    answers.take = () => held.promise;
    for (const n of [0, 1, 2]) bob.send(record(n, 0x20));
    await expect.poll(() => asked.length).toBe(1);
    bob.websocket.close(1000);
    await bob.closed;
    await sleep(50);
    expect(world.ended).toEqual([]);
    held.resolve(nothing);
    await expect.poll(() => framesOf(asked).length).toBe(3);
    await expect.poll(() => world.ended).toMatchObject([{ sid: "s1", why: "left" }]);
  });

  it.each([
    ["a message in the open", message(0, "x"), 4501],
    ["a record of the handshake's", record(0, 0x10).fill(0x11, 0, 1), 4501],
    ["a record whose counter is not the next", record(1, 0x20), 4501],
    ["a record of more than the socket allows", record(0, 0x20, 4096 * 20), 4502],
    ["a stub of a record", Buffer.from([0x20, 0, 0]), 4500],
    ["an empty frame", Buffer.alloc(0), 4501],
    ["text", "x", 4501],
  ])("is refused here where it is %s", async (_what, frame, code) => {
    const { port, asked } = await sealedWorld();
    const bob = await admittedClient(port);
    bob.send(frame);
    expect(await bob.closed).toMatchObject({ code });
    expect(asked).toEqual([]);
  });

  it("is bounded where `keys` is slow", async () => {
    const { port, answers } = await sealedWorld({ perSecond: 1_000_000 });
    const bob = await admittedClient(port);
    const never = Promise.withResolvers<Reply>();
    later(async () => never.resolve(nothing));
    answers.take = () => never.promise;
    for (let n = 0; n < 1_100; n += 1) bob.send(record(n, 0x20));
    expect(await bob.closed).toMatchObject({ code: 4001 });
  });

  it("may be a message in the open where the socket is not sealed, but keeps what is said", async () => {
    const { port, asked } = await sealedWorld({ sealed: false, epoch: null });
    const bob = await admittedClient(port);
    const sent = [message(0, "x"), record(0, 0x20)];
    for (const frame of sent) bob.send(frame);
    await expect.poll(() => framesOf(asked)).toEqual(sent.map((frame) => Buffer.from(frame)));
    bob.send(message(1, new Uint8Array(65_537)));
    expect(await bob.closed).toMatchObject({ code: 4502 });
  });
});

describe("what is said on a sealed socket", () => {
  it("is written to everybody as it is", async () => {
    const { port, say, granted } = await sealedWorld();
    const clients = [await admittedClient(port), await admittedClient(port)];
    say("for all");
    for (const client of clients) expect(await next(client)).toBe("for all");
    expect(granted).toEqual([]);
  });

  it("under another key comes behind that key, for those who may have it, who are asked for once", async () => {
    const { port, say, granted, answers } = await sealedWorld();
    const [bob, eve] = [await admittedClient(port), await admittedClient(port)];
    const held = Promise.withResolvers<void>();
    answers.grant = async (sids) => {
      await held.promise;
      return sids.filter((sid) => sid !== "s2");
    };
    for (const [text, epoch] of [
      ["before", 0],
      ["first", 1],
      ["second", 1],
      ["late, of before", 0],
    ] as const)
      say(text, epoch);
    expect([await next(bob), await next(eve)]).toEqual(["before", "before"]);
    await sleep(50);
    expect([...bob.waiting, ...eve.waiting]).toEqual([]);
    held.resolve();
    const heard = [await next(bob), await next(bob), await next(bob), await next(bob)];
    expect(heard).toEqual(["grant s1", "first", "second", "late, of before"]);
    expect(await next(eve)).toBe("first");
    expect(granted).toEqual([["s1", "s2"]]);
    // Who comes in with that key needs no other.
    say("third", 1);
    expect(await next(bob)).toBe("third");
    expect(granted).toHaveLength(1);
  });

  it("under several keys one after the other comes behind each of them", async () => {
    const { port, say, wanted } = await sealedWorld();
    const bob = await admittedClient(port);
    for (const epoch of [1, 4, 3, 5]) say(`${epoch}`, epoch);
    const heard: string[] = [];
    while (heard.at(-1) !== "5") heard.push(await next(bob));
    expect(heard).toEqual(["grant s1", "1", "grant s1", "4", "3", "grant s1", "5"]);
    expect(wanted).toEqual([
      [0, 1],
      [1, 4],
      [4, 5],
    ]);
  });

  it("does not wait for ever for a key, nor for more than a few messages", async () => {
    const { port, say, answers } = await sealedWorld();
    const bob = await admittedClient(port);
    const never = Promise.withResolvers<string[]>();
    later(async () => never.resolve([]));
    answers.grant = () => never.promise;
    const startedMs = performance.now();
    for (let n = 0; n < 70; n += 1) say(`${n}`, 1);
    expect(await next(bob)).toBe("0");
    // Too many wait: no longer for the key, which would be two seconds.
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    for (let n = 1; n < 70; n += 1) expect(await next(bob)).toBe(`${n}`);
    // The answer comes at last, and nothing is said a second time.
    never.resolve([]);
    await sleep(50);
    expect(bob.waiting).toEqual([]);
  });

  it("waits for the keys of many no longer than for those of a few", async () => {
    let tell = (_message: z.infer<typeof placedMessage.event>) => {};
    let asked = 0;
    const answer = Promise.withResolvers<void>();
    const fanOut = createFanOut({
      server: {
        on: async (_event: unknown, handler: typeof tell) => {
          tell = handler;
          return { close: async () => {} };
        },
      } as never,
      caller: {
        call: async () => {
          asked += 1;
          await answer.promise;
          return { frames: [] };
        },
      } as never,
      telemetry: { messageOut: () => {} } as never,
      log: { warn: () => {} },
    });
    const { add } = await fanOut.join("sock", true);
    let heard = 0;
    const write = () => {
      heard += 1;
    };
    const rest = {
      hid: "h1",
      socketId: "sock",
      flush: () => {},
      end: () => {},
      expire: () => {},
      deliver: () => false,
      nudge: () => {},
    };
    for (let n = 0; n < 600; n += 1) add({ sid: `s${n}`, epoch: 0, write, ...rest });
    tell({ epoch: 1, frame: new Uint8Array(1) });
    await sleep(10);
    expect([asked, heard]).toEqual([3, 0]);
    answer.resolve();
    await expect.poll(() => heard).toBe(600);
  });

  it("is not held up by one that cannot be had", async () => {
    const { port, say, answers, world } = await sealedWorld();
    const bob = await admittedClient(port);
    answers.grant = async () => {
      throw new ServiceError("unavailable");
    };
    say("all the same", 1);
    expect(await next(bob)).toBe("all the same");
    expect(world.handlerErrors).toEqual([]);
  });

  it("is not heard on an unsealed socket, nor the other way round", async () => {
    const { world, port, say } = await sealedWorld();
    const sealed = await admittedClient(port);
    world.onOpen = async () => accept({ sid: "open" });
    const plain = await admittedClient(port);
    say("sealed");
    expect(await next(sealed)).toBe("sealed");
    plain.send(message(0, "in the open"));
    await plain.message();
    await sleep(20);
    expect([...plain.waiting, ...sealed.waiting]).toEqual([]);
  });
});

describe("a connection whose session goes on over another one", () => {
  const displace = (world: World, hid = world.opens[0]?.hid ?? "") =>
    world.identity.caller.emit(displaceConnection, { hid }, parseHandshakeId(hid).edgeId);

  it("is closed, and its end says which connection it was", async () => {
    const { world, port } = await sealedWorld();
    const bob = await admittedClient(port);
    displace(world);
    expect(await bob.closed).toEqual({ code: 4506, reason: "replaced" });
    await expect
      .poll(() => world.ended)
      .toEqual([{ sid: "s1", socketId: "sock", hid: world.opens[0]?.hid, why: "lost" }]);
  });

  it("is closed also where the other one came to the same edge, and only the one before", async () => {
    const { world, port, say } = await sealedWorld({ sid: "one" } as never);
    world.onOpen = async () => accept({ sid: "one", sealed: true, placed: true, epoch: 0 });
    const before = await admittedClient(port);
    const after = await admittedClient(port);
    expect(await before.closed).toMatchObject({ code: 4506 });
    say("here");
    expect(await next(after)).toBe("here");
    // What is found here by its session is the one that stays.
    await sleep(50);
    world.kick("one");
    expect(await after.closed).toMatchObject({ code: 4504 });
  });

  it("goes on with the counter that it has", async () => {
    const world = await createWorld();
    world.onOpen = async () => accept({ sid: "s1", next: 5 });
    const { port } = await world.edge();
    const bob = await admittedClient(port);
    bob.send(message(5, "the sixth"));
    expect(await bob.message()).toMatchObject({ sequence: 5 });
    bob.send(message(0, "the first"));
    expect(await bob.closed).toMatchObject({ code: 4501 });
  });
});

describe("the end of a session's connection", () => {
  it.each([
    ["lost", async (client: Client) => client.websocket.terminate()],
    ["left", async (client: Client) => client.websocket.close(1000)],
    ["left", async (client: Client) => client.websocket.close(1001)],
    ["left", async (client: Client) => client.websocket.close()],
    ["lost", async (client: Client) => client.websocket.close(4001)],
    ["left", async (client: Client) => client.send("text")],
  ])("is reported as %s", async (why, end) => {
    const { world, port } = await sealedWorld();
    const client = await admittedClient(port);
    await end(client);
    await expect.poll(() => world.ended).toMatchObject([{ sid: "s1", hid: world.opens[0]?.hid, why }]);
  });

  it("is reported as lost where the edge restarts", async () => {
    const world = await createWorld();
    world.onOpen = async () => accept({ sid: "s1", resumeMs: 60_000 });
    const edge = await world.edge();
    const client = await admittedClient(edge.port);
    await edge.stop();
    expect(await client.closed).toMatchObject({ code: 1012 });
    expect(world.ended).toMatchObject([{ sid: "s1", why: "lost" }]);
  });

  it("is not before what the client has sent was handed on, also where the edge restarts", async () => {
    const { world, asked, answers } = await sealedWorld();
    const edge = await world.edge();
    const bob = await admittedClient(edge.port);
    answers.take = () => sleep(300, nothing);
    for (const n of [0, 1, 2]) bob.send(record(n, 0x20));
    await expect.poll(() => asked.length).toBe(1);
    await edge.stop();
    await sleep(50);
    expect(framesOf(asked)).toHaveLength(3);
    expect(world.ended).toMatchObject([{ sid: "s1", why: "lost" }]);
  });

  it("is reported where the edge restarts while its client is being let in", async () => {
    const { world } = await sealedWorld();
    const edge = await world.edge();
    const { onOpen } = world;
    world.onOpen = (opened) => sleep(300).then(() => onOpen(opened));
    const client = await connect(edge.port);
    await client.hello();
    client.send(open());
    await expect.poll(() => world.opens.length).toBe(1);
    await edge.stop();
    await sleep(50);
    expect(world.ended).toMatchObject([{ sid: "s1", why: "lost" }]);
  });

  it("is reported as what it was where the client went before it was let in", async () => {
    const { world, port } = await sealedWorld();
    const held = Promise.withResolvers<void>();
    const { onOpen } = world;
    world.onOpen = async (opened) => {
      await held.promise;
      return onOpen(opened);
    };
    const client = await connect(port);
    await client.hello();
    client.send(open());
    await expect.poll(() => world.opens.length).toBe(1);
    client.websocket.terminate();
    await client.closed;
    await sleep(50);
    held.resolve();
    await expect.poll(() => world.ended).toMatchObject([{ sid: "s1", why: "lost" }]);
  });
});
