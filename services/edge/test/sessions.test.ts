import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { admittedClient, connect, enter, message, rawUpgrade } from "./support/client.ts";
import { accept, createWorld } from "./support/world.ts";

describe("a kick", () => {
  it("closes the session on whichever edge holds it: the sealed frame first, then 4504", async () => {
    const world = await createWorld();
    const edges = [await world.edge(), await world.edge()];
    world.onOpen = async () => accept({ sid: `s${world.opens.length}` });
    const clients = [];
    for (const edge of edges) clients.push(await admittedClient(edge.port));
    world.kick("s2");
    expect(await clients[1]?.closed).toEqual({ code: 4504, reason: "revoked" });
    expect(clients[1]?.waiting.map(String)).toEqual(["revoked"]);
    expect(clients[0]?.websocket.readyState).toBe(1);
    await expect.poll(() => world.ended).toMatchObject([{ sid: "s2", socketId: "sock" }]);
    world.kick("s1", null);
    expect((await clients[0]?.closed)?.code).toBe(4504);
    expect(clients[0]?.waiting).toEqual([]);
  });

  it("that overtakes the accept still wins, and the client never hears a message", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => accept({ sid: "witness" });
    const witness = await admittedClient(port);
    world.onOpen = async () => {
      world.kick("early");
      await sleep(50);
      return accept({ sid: "early" });
    };
    const client = await enter(port);
    witness.send(message(0, "secret"));
    expect(await client.closed).toEqual({ code: 4504, reason: "revoked" });
    expect(client.waiting.map(String)).toEqual(["accepted", "revoked"]);
    await expect.poll(() => world.ended).toMatchObject([{ sid: "early", socketId: "sock" }]);
  });

  it("that arrives between the accept and the subscription wins as well", async () => {
    const world = await createWorld();
    const edge = await world.edge();
    const subscribe = edge.bus.subscribe.bind(edge.bus);
    edge.bus.subscribe = async (...all) => {
      world.kick("s1");
      await sleep(30);
      return subscribe(...all);
    };
    world.onOpen = async () => accept({ sid: "s1" });
    const client = await enter(edge.port);
    expect((await client.closed).code).toBe(4504);
    expect(client.waiting.map(String)).toEqual(["accepted", "revoked"]);
  });
});

describe("the sweep", () => {
  it("finds a session whose push was lost", async () => {
    const world = await createWorld();
    const { port } = await world.edge({ SWEEP_INTERVAL: "100ms" });
    world.onOpen = async () => accept({ sid: `s${world.opens.length}` });
    const kicked = await admittedClient(port);
    const expired = await admittedClient(port);
    const changed = await admittedClient(port);
    const stays = await admittedClient(port);
    world.gone = [
      { sid: "s1", why: "kicked" },
      { sid: "s2", why: "expired" },
      { sid: "s3", why: "policy-changed" },
    ];
    expect(await kicked.closed).toEqual({ code: 4504, reason: "revoked" });
    expect(await expired.closed).toEqual({ code: 4003, reason: "session-expired" });
    // Who was not put out may come back, as with the push.
    expect(await changed.closed).toEqual({ code: 4003, reason: "session-expired" });
    expect(kicked.waiting).toEqual([]);
    expect(expired.waiting.map(String)).toEqual(["s2 expired"]);
    expect(stays.websocket.readyState).toBe(1);
    await expect.poll(() => world.checks.at(-1)).toEqual(["s4"]);
  });

  it("leaves the last word to a push that is on its way", async () => {
    const world = await createWorld();
    const { port } = await world.edge({ SWEEP_INTERVAL: "1s" });
    world.onOpen = async () => accept({ sid: "s1" });
    const client = await admittedClient(port);
    world.gone = [{ sid: "s1", why: "kicked" }];
    await expect.poll(() => world.checks.at(-1), { timeout: 3_000, interval: 10 }).toEqual(["s1"]);
    // Its answer is there by now, and the next look is a second away.
    await sleep(100);
    world.kick("s1");
    expect(await client.closed).toEqual({ code: 4504, reason: "revoked" });
    expect(client.waiting.map(String)).toEqual(["revoked"]);
  });

  it("closes a connection whose session has gone on over another one, should nobody have said so", async () => {
    const world = await createWorld();
    const { port } = await world.edge({ SWEEP_INTERVAL: "100ms" });
    world.onOpen = async () => accept({ sid: `s${world.opens.length}` });
    const [moved, stays] = [await admittedClient(port), await admittedClient(port)];
    world.elsewhere = ["s1"];
    expect(await moved.closed).toEqual({ code: 4506, reason: "replaced" });
    await expect.poll(() => world.ended).toMatchObject([{ sid: "s1", why: "lost" }]);
    await expect.poll(() => world.checks.at(-1)).toEqual(["s2"]);
    expect(stays.websocket.readyState).toBe(1);
  });

  it("says that the edge is there before it holds anybody, and while it holds nobody", async () => {
    const world = await createWorld();
    const { port } = await world.edge({ SWEEP_INTERVAL: "10m" });
    await expect.poll(() => world.checks).toEqual([[]]);
    expect(port).toBeGreaterThan(0);
    const often = await createWorld();
    await often.edge({ SWEEP_INTERVAL: "100ms" });
    await expect.poll(() => often.checks.length).toBeGreaterThan(2);
  });

  it("runs as soon as the bus is back, not at the next interval", async () => {
    const world = await createWorld();
    const { port } = await world.edge({ SWEEP_INTERVAL: "10m" });
    world.onOpen = async () => accept({ sid: `s${world.opens.length}` });
    const victim = await admittedClient(port);
    const busy = await admittedClient(port);
    world.network.interrupt();
    world.gone = [{ sid: "s1", why: "kicked" }];
    busy.send(message(0, "notices that the bus is gone"));
    await busy.closed;
    world.network.restore();
    // The next thing that works, whatever it is.
    await admittedClient(port);
    expect((await victim.closed).code).toBe(4504);
  });

  it("closes nobody while identity does not answer", async () => {
    const world = await createWorld();
    const { port } = await world.edge({ SWEEP_INTERVAL: "100ms" });
    world.onOpen = async () => accept({ sid: "s1" });
    const client = await admittedClient(port);
    await world.identity.server.close();
    await sleep(300);
    expect(client.websocket.readyState).toBe(1);
  });
});

describe("a session that expires", () => {
  const expiredClose = { code: 4003, reason: "session-expired" };

  /** One that lasts for 200 ms beside one that stays. */
  async function expiring(world: Awaited<ReturnType<typeof createWorld>>) {
    const { port } = await world.edge();
    world.onOpen = async () => accept({ sid: "stays" });
    const stays = await admittedClient(port);
    const expiresAtMs = Date.now() + 200;
    world.onOpen = async () => accept({ sid: "s1", expiresAtMs });
    return { stays, client: await admittedClient(port), expiresAtMs };
  }

  it("is told so under seal, then closed, and not before its time", async () => {
    const world = await createWorld();
    const { client, expiresAtMs } = await expiring(world);
    expect(await client.closed).toEqual(expiredClose);
    expect(client.waiting.map(String)).toEqual(["s1 expired"]);
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAtMs);
    expect(world.expired).toEqual([["s1"]]);
    await expect.poll(() => world.ended).toMatchObject([{ sid: "s1", socketId: "sock" }]);
  });

  it("hears and says nothing while the last word is on its way", async () => {
    const world = await createWorld();
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    world.onExpired = async (sids) => {
      asked.resolve();
      await answer.promise;
      return sids;
    };
    const { stays, client } = await expiring(world);
    client.send(message(0, "in time"));
    expect((await client.message()).body.toString()).toBe("in time");
    await asked.promise;
    client.send(message(1, "too late"));
    stays.send(message(0, "for those who are in"));
    expect([await stays.message(), await stays.message()].map(({ body }) => body.toString())).toEqual([
      "in time",
      "for those who are in",
    ]);
    await sleep(30);
    answer.resolve();
    expect(await client.closed).toEqual(expiredClose);
    expect(client.waiting.map(String)).toEqual(["s1 expired"]);
    stays.send(message(1, "the only other one"));
    expect((await stays.message()).body.toString()).toBe("the only other one");
  });

  it.each(["says", "hears"])("%s nothing more by a timer that runs late", async (does) => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => accept({ sid: "stays" });
    const stays = await admittedClient(port);
    world.onOpen = async () => accept({ sid: "s1", expiresAtMs: Date.now() + 3_000 });
    const client = await admittedClient(port);
    const now = Date.now.bind(Date);
    const late = vi.spyOn(Date, "now").mockImplementation(() => now() + 3_001);
    try {
      (does === "says" ? client : stays).send(message(0, "too late"));
      expect(await client.closed).toEqual(expiredClose);
      expect(client.waiting.map(String)).toEqual(["s1 expired"]);
    } finally {
      late.mockRestore();
    }
    stays.send(message(does === "says" ? 0 : 1, "the only one"));
    const heard = does === "says" ? ["the only one"] : ["too late", "the only one"];
    for (const text of heard) expect((await stays.message()).body.toString()).toBe(text);
  });

  it.each<[string, () => Promise<readonly string[]>]>([
    ["does not know it", async () => []],
    ["fails", () => Promise.reject(new Error("broken"))],
    ["does not answer in time", () => sleep(3_000).then(() => ["s1"])],
  ])("is closed all the same where keys %s", async (_what, onExpired) => {
    const world = await createWorld();
    world.onExpired = onExpired;
    const { client, expiresAtMs } = await expiring(world);
    expect(await client.closed).toEqual(expiredClose);
    expect(client.waiting).toEqual([]);
    expect(Date.now() - expiresAtMs).toBeLessThan(3_000);
    await expect.poll(() => world.ended).toMatchObject([{ sid: "s1", socketId: "sock" }]);
  });

  it("is closed all the same while the bus is gone", async () => {
    const world = await createWorld();
    const { client } = await expiring(world);
    world.network.interrupt();
    expect(await client.closed).toEqual(expiredClose);
    expect(client.waiting).toEqual([]);
    world.network.restore();
  });

  it("and is kicked at that moment goes with the kick", async () => {
    const world = await createWorld();
    world.onExpired = async (sids) => {
      world.kick("s1");
      await sleep(50);
      return sids;
    };
    const { client } = await expiring(world);
    expect(await client.closed).toEqual({ code: 4504, reason: "revoked" });
    expect(client.waiting.map(String)).toEqual(["revoked"]);
  });

  it("with many others is asked for together with them", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    // Behind the last of them on a busy machine too.
    const expiresAtMs = Date.now() + 2_500;
    world.onOpen = async () => accept({ sid: `s${world.opens.length}`, expiresAtMs });
    const clients = [];
    for (let n = 0; n < 20; n += 1) clients.push(await admittedClient(port));
    await Promise.all(clients.map(({ closed }) => closed));
    expect(clients.map(({ waiting }) => waiting.map(String))).toEqual(clients.map((_, n) => [`s${n + 1} expired`]));
    expect(world.expired.length).toBeLessThan(5);
  });
});

describe("a session", () => {
  it("of a year does not end at once because timers are short", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => accept({ sid: "s1", expiresAtMs: Date.now() + 365 * 86_400_000 });
    const client = await admittedClient(port);
    await sleep(100);
    expect(client.websocket.readyState).toBe(1);
  });

  it("of a peer that is dead without a word ends after two pings", async () => {
    const world = await createWorld();
    const edge = await world.edge({ PING_INTERVAL: "100ms" });
    const alive = await connect(edge.port);
    // Answers nothing, not even a ping.
    const dead = await rawUpgrade(edge.port);
    await dead.status();
    await expect.poll(edge.connections).toBe(2);
    await expect.poll(() => dead.socket.closed, { timeout: 2_000 }).toBe(true);
    expect(alive.websocket.readyState).toBe(1);
    expect(edge.connections()).toBe(1);
  });
});

describe("drain", () => {
  it("tells everybody to come back, reports what ends, and takes nobody new", async () => {
    const world = await createWorld();
    const edge = await world.edge();
    world.onOpen = async () => accept({ sid: "s1" });
    const session = await admittedClient(edge.port);
    const waiting = await connect(edge.port);
    await edge.stop();
    expect(await session.closed).toEqual({ code: 1012, reason: "restart" });
    expect(await waiting.closed).toEqual({ code: 1012, reason: "restart" });
    expect(edge.connections()).toBe(0);
    await expect.poll(() => world.ended).toMatchObject([{ sid: "s1", socketId: "sock" }]);
    await expect(connect(edge.port)).rejects.toThrow();
  });

  it("does not wait for a peer that does not answer", async () => {
    const world = await createWorld();
    const edge = await world.edge();
    const deaf = await rawUpgrade(edge.port);
    await deaf.status();
    const startedAt = Date.now();
    await edge.stop();
    expect(Date.now() - startedAt).toBeLessThan(3_000);
    expect(edge.connections()).toBe(0);
  });
});
