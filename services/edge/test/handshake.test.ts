import { setTimeout as sleep } from "node:timers/promises";
import { ServiceError } from "@portcullis/contracts";
import { describe, expect, it } from "vitest";
import { connect, enter, message, open, record } from "./support/client.ts";
import { accept, createWorld, deny, keepGoing } from "./support/world.ts";

describe("hello", () => {
  it("is the same for every path, host and label, and comes before anything is asked", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    const asked: string[] = [];
    world.network.tap(({ kind, subject }) => void (kind === "request" && asked.push(subject)));
    const places = [
      { path: "/lab/secret" },
      { path: "/nobody/nothing?myid=bob" },
      { path: "/" },
      { path: "/deep/er", headers: { host: "lab.localhost:1234" } },
    ];
    const hellos = await Promise.all(places.map(async (place) => (await connect(port, place)).hello()));
    const [first] = hellos;
    for (const hello of hellos) {
      expect(hello.bundle).toEqual(first?.bundle);
      expect(hello.sig).toEqual(first?.sig);
      expect(hello.hid.split(".")[0]).toBe(first?.hid.split(".")[0]);
    }
    expect(new Set(hellos.map(({ hid }) => hid)).size).toBe(places.length);
    expect(new Set(hellos.map(({ nonce }) => Buffer.from(nonce).toString("hex"))).size).toBe(places.length);
    expect(asked).toEqual([]);
  });

  it("is not given while there is no fresh bundle: 4001 and not one frame", async () => {
    const world = await createWorld();
    world.bundleLifeMs = 1_000;
    const { port } = await world.edge();
    const client = await connect(port);
    expect(await client.closed).toEqual({ code: 4001, reason: "unavailable" });
    expect(client.waiting).toEqual([]);
    expect(world.left).toEqual([]);
  });
});

describe("a handshake", () => {
  it("goes to the replica whose bundle the client saw, with what was received and what only the edge knows", async () => {
    const world = await createWorld();
    const { port } = await world.edge({ TRUSTED_PROXIES: "127.0.0.1" });
    const client = await connect(port, {
      path: "/LAB/se%20cret/x?myid=bob",
      headers: { origin: "https://a.example", "x-forwarded-for": "6.6.6.6, 203.0.113.7" },
    });
    const hello = await client.hello();
    client.send(open());
    expect(String(await client.next())).toBe("challenge");
    const [opened] = world.opens;
    expect(opened).toMatchObject({
      kid: "kid1",
      hid: hello.hid,
      connection: {
        label: "lab",
        path: "se%20cret/x",
        query: "myid=bob",
        address: "203.0.113.7",
        origin: "https://a.example",
      },
    });
    expect(Buffer.from(opened?.open ?? []).toString()).toBe(open());
    expect(opened?.nonce).toEqual(hello.nonce);
  });

  it("is prompted through its records to an accept, and then is a session", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onRecord = async () => accept({ sid: "s1" });
    const client = await enter(port);
    expect(String(await client.next())).toBe("challenge");
    client.send(record());
    expect(String(await client.next())).toBe("accepted");
    client.send(message(0, "hi"));
    expect((await client.message()).head.sid).toBe("s1");
    expect(Buffer.from(world.records[0]?.record ?? [])).toEqual(record());
    expect(world.left).toEqual([]);
    client.websocket.close(1000);
    await expect.poll(() => world.ended).toMatchObject([{ sid: "s1", socketId: "sock" }]);
  });

  it("ends with a denial: its frame, then 4503, and nobody is told that somebody left", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => deny('{"t":"denied"}');
    const client = await enter(port);
    expect(await client.closed).toEqual({ code: 4503, reason: "denied" });
    expect(client.waiting).toEqual(['{"t":"denied"}']);
    await sleep(20);
    expect(world.left).toEqual([]);
  });

  it("is told to come back when `keys` fails, and nobody is accepted meanwhile", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => {
      throw new ServiceError("internal");
    };
    const client = await enter(port);
    expect(await client.closed).toEqual({ code: 4001, reason: "unavailable" });
    await expect.poll(() => world.left.map(({ why }) => why)).toEqual(["lost"]);
  });

  it("is told to come back when the bus goes in the middle of it, and the edge lives on", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    const client = await enter(port);
    await client.next();
    world.network.interrupt();
    client.send(record());
    expect((await client.closed).code).toBe(4001);
    world.network.restore();
    world.onOpen = async () => accept({ sid: "s2" });
    await expect.poll(async () => String(await (await enter(port)).next().catch(() => ""))).toBe("accepted");
  });

  it("asks once more where the same question is being handled already", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => {
      if (world.opens.length === 1) throw new ServiceError("busy");
      return accept({ sid: "s3" });
    };
    const client = await enter(port);
    expect(String(await client.next())).toBe("accepted");
    expect(world.opens).toHaveLength(2);

    world.onOpen = async () => {
      throw new ServiceError("busy");
    };
    const unlucky = await enter(port);
    expect((await unlucky.closed).code).toBe(4001);
    expect(world.opens).toHaveLength(4);
  });

  it("takes a fresh bundle at once when the key of the old one is forgotten", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.kid = "kid2";
    const client = await connect(port);
    await client.hello();
    world.onOpen = async ({ kid }) => {
      if (kid === "kid1") throw new ServiceError("not_found");
      return accept({ sid: "s4" });
    };
    client.send(open());
    expect(await client.closed).toEqual({ code: 4002, reason: "expired-bundle" });
    await expect.poll(async () => String(await (await enter(port)).next().catch(() => ""))).toBe("accepted");
    expect(world.opens.at(-1)?.kid).toBe("kid2");
  });

  it("takes a fresh bundle at once when its replica, started anew, does not know the old one", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.kid = "kid2";
    world.onOpen = async ({ kid }) => (kid === "kid1" ? { ...deny(), close: 4002 } : accept({ sid: "s6" }));
    expect(await (await enter(port)).closed).toEqual({ code: 4002, reason: "expired-bundle" });
    await expect.poll(async () => String(await (await enter(port)).next().catch(() => ""))).toBe("accepted");
    expect(world.opens.map(({ kid }) => kid)).toEqual(["kid1", "kid2"]);
  });

  it("takes another replica's bundle at once when one is gone", async () => {
    const world = await createWorld();
    world.replica = "dead";
    const { port } = await world.edge();
    world.replica = "replica1";
    world.onOpen = async () => accept({ sid: "s5" });
    const unlucky = await enter(port);
    expect(await unlucky.closed).toEqual({ code: 4001, reason: "unavailable" });
    await expect.poll(async () => String(await (await enter(port)).next().catch(() => ""))).toBe("accepted");
  });

  it("that is accepted when its client has gone leaves no session behind", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    const verdict = Promise.withResolvers<ReturnType<typeof accept>>();
    world.onOpen = () => verdict.promise;
    const client = await enter(port);
    await expect.poll(() => world.opens.length).toBe(1);
    client.websocket.terminate();
    await sleep(30);
    verdict.resolve(accept({ sid: "ghost" }));
    await expect.poll(() => world.ended).toMatchObject([{ sid: "ghost", socketId: "sock" }]);
    expect(world.left).toEqual([]);
  });

  it("that its client leaves before the verdict is reported once", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    const client = await connect(port);
    const { hid } = await client.hello();
    client.send(open());
    await client.next();
    client.websocket.close();
    await expect.poll(() => world.left).toEqual([{ hid, why: "closed" }]);
    await sleep(20);
    expect(world.left).toHaveLength(1);
  });
});

describe("deadlines", () => {
  it("a connection that does not open in time is closed with 4008, whatever else it sends", async () => {
    const world = await createWorld();
    const { port } = await world.edge({ OPEN_TIMEOUT: "300ms" });
    const client = await connect(port);
    await client.hello();
    const pinging = setInterval(() => client.websocket.ping(), 20);
    const startedAt = Date.now();
    expect(await client.closed).toEqual({ code: 4008, reason: "deadline" });
    clearInterval(pinging);
    expect(Date.now() - startedAt).toBeLessThan(1_000);
    expect(world.left).toEqual([]);
  });

  it("an answer that does not come in time ends it with 4008; answers that say nothing new do not refresh it", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    const deadlineMs = Date.now() + 400;
    world.onOpen = async () => keepGoing(deadlineMs);
    world.onRecord = async () => keepGoing(null);
    const client = await enter(port);
    let counter = 0;
    const trickle = setInterval(() => client.send(record(counter++)), 60);
    expect(await client.closed).toEqual({ code: 4008, reason: "deadline" });
    clearInterval(trickle);
    expect(Date.now()).toBeGreaterThanOrEqual(deadlineMs);
    expect(Date.now()).toBeLessThan(deadlineMs + 300);
    await expect.poll(() => world.left.map(({ why }) => why)).toEqual(["deadline"]);
  });

  it("an answer that came in time counts, however long its verdict takes", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => keepGoing(Date.now() + 150);
    world.onRecord = async () => {
      await sleep(300);
      return accept({ sid: "late" });
    };
    const client = await enter(port);
    client.send(record());
    expect(String(await client.next())).toBe("accepted");
  });

  it("an answer in time that does not suffice is the last one, when the time is over meanwhile", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => keepGoing(Date.now() + 150);
    world.onRecord = async () => {
      await sleep(300);
      return keepGoing(null, "no");
    };
    const client = await enter(port);
    client.send(record());
    expect(await client.closed).toEqual({ code: 4008, reason: "deadline" });
    expect(client.waiting.map(String)).toEqual(["no"]);
    await expect.poll(() => world.left.map(({ why }) => why)).toEqual(["deadline"]);
  });
});
