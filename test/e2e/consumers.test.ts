import { setTimeout as sleep } from "node:timers/promises";
import {
  type ConsumerMessage,
  type ConsumerOptions,
  type ConsumerSession,
  connectConsumer,
  consumerOf,
  PortcullisError,
  type Session,
  type SessionState,
} from "@portcullis/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { confirmAddress, person } from "./support/account.ts";
import { at, denial, read, sessionKeeper } from "./support/sessions.ts";
import { keyOnly, makeKey, makeMember, makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startTcpProxy, type TcpProxy } from "./support/tcp-proxy.ts";
import { startWorld, type World } from "./support/world.ts";

let world: World;
const keeper = sessionKeeper();
const consumers: ConsumerSession[] = [];
const proxies: TcpProxy[] = [];
beforeAll(async () => {
  world = await startWorld({ replicas: true, env: { TICK_INTERVAL: "300ms" } });
});
afterEach(async () => {
  await keeper.closeAll();
  await Promise.all(consumers.splice(0).map((consumer) => consumer.close()));
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
});
afterAll(() => world.close());

const open = { ...keyOnly, resume: "30s", messaging: { mode: "consumer", perSecond: 1000 } };
const sealed = { ...open, encryption: { session: "required" } };
const forms: [string, object][] = [
  ["sealed", sealed],
  ["unsealed", open],
];

const consumerKeys = new Map<string, string>();
async function consumer(socket: OwnedSocket, edge: 0 | 1 | TcpProxy, options: ConsumerOptions = {}) {
  const appKey = consumerKeys.get(socket.id) ?? (await makeKey(world.owner, socket.id, "consumer")).appKey;
  consumerKeys.set(socket.id, appKey);
  const url = typeof edge === "number" ? at(world.edges[edge], socket.url) : edge.through(socket.url);
  const session = await connectConsumer(url, { appKey, timeoutMs: 15_000, ...options });
  consumers.push(session);
  return session;
}
const member = (socket: OwnedSocket, edge: 0 | 1, options = {}) =>
  keeper.connect(at(world.edges[edge], socket.url), { appKey: socket.appKey, ...options });

/** A way to an edge that the test can break. */
async function wayTo(edge: string | undefined): Promise<TcpProxy> {
  const proxy = await startTcpProxy((edge ?? "").replace(/^ws/, "http"));
  proxies.push(proxy);
  return proxy;
}

/** Everything that it hears, as it comes. */
function hear(session: ConsumerSession): ConsumerMessage[] {
  const heard: ConsumerMessage[] = [];
  void (async () => {
    for await (const message of session) heard.push(message);
  })().catch(() => {});
  return heard;
}
async function sayUntilTaken(session: Session, text: string): Promise<void> {
  for (;;) {
    try {
      return await session.send(text);
    } catch (error) {
      if (!(error instanceof PortcullisError) || error.code !== "undelivered") throw error;
      await sleep(20);
    }
  }
}
const textsOf = (messages: readonly ConsumerMessage[]) => messages.map((message) => message.text());

describe.each(forms)("a %s socket with consumers", (_form, policy) => {
  test("gives each of many messages to exactly one of them, a member's all to the same, in order", {
    timeout: 60_000,
  }, async () => {
    const socket = await makeSocket(world.owner, policy);
    const pool = [hear(await consumer(socket, 0)), hear(await consumer(socket, 1))];
    const members = await Promise.all(([0, 1, 0] as const).map((edge) => member(socket, edge)));
    const each = 67;
    await Promise.all(
      members.map(async (one, index) => {
        const sending: Promise<void>[] = [];
        for (let n = 0; n < each; n += 1) sending.push(one.send(`${index}:${n}`));
        await Promise.all(sending);
      }),
    );
    await expect.poll(() => pool.flat().length, { timeout: 10_000 }).toBeGreaterThanOrEqual(3 * each);
    await sleep(200);
    expect(new Set(textsOf(pool.flat())).size).toBe(3 * each);
    expect(pool.flat()).toHaveLength(3 * each);
    for (const index of members.keys()) {
      const byConsumer = pool.map((heard) => textsOf(heard).filter((text) => text.startsWith(`${index}:`)));
      expect(byConsumer.filter((texts) => texts.length > 0)).toEqual([
        Array.from({ length: each }, (_, n) => `${index}:${n}`),
      ]);
    }
    // Round robin: nobody has nothing to do.
    expect(pool.every((heard) => heard.length > 0)).toBe(true);
  });

  test("tells a consumer who speaks, and takes its answer to that one alone; what it says to all, all members hear", async () => {
    const socket = await makeSocket(world.owner, policy);
    const program = await consumer(socket, 1);
    const other = hear(await consumer(socket, 0));
    const [bob, eve] = await Promise.all([
      member(socket, 0, { parameters: { room: "2" } }),
      member(socket, 1, { echo: true }),
    ]);
    expect([bob.mode, bob.role, program.role]).toEqual(["consumer", "member", "consumer"]);
    const heard = hear(program);
    await bob.send("hello");
    await expect.poll(() => [...heard, ...other].length).toBe(1);
    const [message] = [...heard, ...other];
    expect(message?.from).toMatchObject({
      sid: bob.sid,
      member: null,
      memberProven: false,
      role: "member",
      gates: ["key"],
      assurance: { key: true, memberBound: false, gates: [] },
      context: { rest: "", query: "" },
      parameters: { room: "2" },
      known: true,
    });
    await message?.reply("for you");
    await program.sendTo(eve.sid, "for eve");
    await program.send("for all");
    expect((await read(bob, 2)).sort()).toEqual(["for all", "for you"]);
    expect((await read(eve, 2)).sort()).toEqual(["for all", "for eve"]);
    // Nobody hears it who is not meant: not the other program, and not a member.
    await program.send("last");
    expect(await read(bob, 1)).toEqual(["last"]);
    expect(await read(eve, 1)).toEqual(["last"]);
    expect(textsOf([...heard, ...other])).toEqual(["hello"]);
  });

  test("tells a member that nobody is there, and loses nothing in silence", async () => {
    const socket = await makeSocket(world.owner, policy);
    const states: SessionState[] = [];
    const bob = await member(socket, 0, { onState: (state: SessionState) => void states.push(state) });
    await expect(bob.send("lost")).rejects.toMatchObject({ code: "undelivered", retryable: true });
    expect(states).toEqual([{ is: "undelivered", seq: 0 }]);
    const heard = hear(await consumer(socket, 1));
    await bob.send("heard");
    await expect.poll(() => textsOf(heard)).toEqual(["heard"]);
  });

  test("goes on with the next consumer when one dies, and takes a member's word as sent only where one had it", async () => {
    const socket = await makeSocket(world.owner, policy);
    const way = await wayTo(world.edges[0]);
    const first = await consumer(socket, way, { resume: false });
    const heardFirst = hear(first);
    const bob = await member(socket, 1);
    await bob.send("one");
    await expect.poll(() => textsOf(heardFirst)).toEqual(["one"]);
    const heardSecond = hear(await consumer(socket, 1));
    await bob.send("two");
    // What was handed over and is still on its way goes with the connection: delivered at most once.
    await expect.poll(() => textsOf(heardFirst)).toEqual(["one", "two"]);
    way.cut();
    await first.closed;
    for (let n = 3; n < 8; n += 1) await bob.send(`${n}`);
    await expect.poll(() => textsOf(heardSecond)).toEqual(["3", "4", "5", "6", "7"]);
    expect(textsOf(heardFirst)).toEqual(["one", "two"]);
  });

  test("lets a consumer put a member out, and nobody on another socket", async () => {
    const [socket, elsewhere] = [await makeSocket(world.owner, policy), await makeSocket(world.owner, policy)];
    const program = await consumer(socket, 0);
    const colleague = await consumer(socket, 0);
    const [bob, stranger] = [await member(socket, 1), await member(elsewhere, 1)];
    await program.kick(bob.sid);
    expect(await bob.closed).toMatchObject({ reason: "revoked", what: "kicked" });
    // Whoever is not there, or not here, is the same to it.
    await program.kick(bob.sid);
    await program.kick(stranger.sid);
    await program.kick(colleague.sid);
    await expect(program.who(stranger.sid)).rejects.toMatchObject({ code: "not-found" });
    await expect(program.sendTo(stranger.sid, "psst")).rejects.toMatchObject({ code: "undelivered" });
    await expect(program.sendTo(bob.sid, "gone")).rejects.toMatchObject({ code: "undelivered" });
    const heard = hear(await consumer(elsewhere, 0));
    await stranger.send("still here");
    await expect.poll(() => textsOf(heard)).toEqual(["still here"]);
    await colleague.sendTo(program.sid, "still here too");
  });

  test("goes on over another edge on either side, with everything that was said meanwhile, once", {
    timeout: 30_000,
  }, async () => {
    const socket = await makeSocket(world.owner, policy);
    const [wayOfProgram, wayOfBob] = [await wayTo(world.edges[0]), await wayTo(world.edges[0])];
    const states: SessionState[] = [];
    const onState = (state: SessionState) => void states.push(state);
    const program = await consumer(socket, wayOfProgram, { onState });
    const heard = hear(program);
    const bob = await keeper.connect(wayOfBob.through(socket.url), { appKey: socket.appKey, onState });
    await bob.send("before");
    await expect.poll(() => textsOf(heard)).toEqual(["before"]);
    const words = bob.words;
    expect(heard[0]?.from.words).toBe(words);
    for (const way of [wayOfProgram, wayOfBob]) {
      way.cut();
      way.leadTo((world.edges[1] ?? "").replace(/^ws/, "http"));
    }
    // While the program is on its way, nobody is there, and bob is told so.
    const sending = sayUntilTaken(bob, "meanwhile");
    await expect.poll(() => states.filter(({ is }) => is === "resumed").length, { timeout: 10_000 }).toBe(2);
    await sending;
    await bob.send("after");
    await expect.poll(() => textsOf(heard).at(-1)).toBe("after");
    expect(textsOf(heard).filter((text) => text === "before")).toEqual(["before"]);
    expect(textsOf(heard)).toHaveLength(3);
    // Of this connection: whoever reads them out hears whether anybody sits between now.
    expect((await program.who(bob.sid)).words).toBe(bob.words);
    expect(bob.words).not.toBe(words);
    await heard[0]?.reply("back");
    expect(await read(bob, 1)).toEqual(["back"]);
  });
});

describe("a consumer", () => {
  test("hears who comes and who goes", async () => {
    const socket = await makeSocket(world.owner, open);
    const seen: string[] = [];
    await consumer(socket, 0, {
      onJoin: ({ sid, parameters }) => void seen.push(`+${sid} ${parameters.name}`),
      onLeave: (sid) => void seen.push(`-${sid}`),
    });
    await consumer(socket, 1);
    const bob = await member(socket, 1, { parameters: { name: "bob" } });
    await expect.poll(() => seen).toEqual([`+${bob.sid} bob`]);
    await bob.close();
    await expect.poll(() => seen).toEqual([`+${bob.sid} bob`, `-${bob.sid}`]);
  });

  test("is who has the key that was made for it, whatever the policy asks of members, and no member", async () => {
    const socket = await makeSocket(world.owner, {
      ...open,
      gates: [{ gate: "key" }, { gate: "otp" }],
      anonymous: false,
    });
    await makeMember(world.owner, socket, "bob");
    const program = await consumer(socket, 0);
    expect(program).toMatchObject({ role: "consumer", member: null, gates: ["key"] });
    const appKey = consumerKeys.get(socket.id) ?? "";
    // With the name of a member it is nobody, and a member's key lets no program in.
    await expect(keeper.connect(`${socket.url}?id=bob`, { appKey })).rejects.toMatchObject(denial);
    const plain = await makeSocket(world.owner, open);
    await expect(connectConsumer(plain.url, { appKey: plain.appKey })).rejects.toMatchObject({ code: "unsupported" });
    await expect(keeper.connect(plain.url, { appKey })).rejects.toMatchObject(denial);
    const { keyId } = (
      await world.owner.get<{ appKeys: { keyId: string; role: string }[] }>(`/v1/sockets/${socket.id}/keys`)
    ).appKeys.find(({ role }) => role === "consumer") ?? { keyId: "" };
    await world.owner.delete(`/v1/sockets/${socket.id}/keys/${keyId}`);
    expect(await program.closed).toMatchObject({ what: "key-revoked" });
  });

  test("comes in by an API token of its owner's as well, and by no other", async () => {
    const socket = await makeSocket(world.owner, { ...open, gates: [{ gate: "key" }, { gate: "otp" }] });
    const owner = person(world, world.credentials);
    const cookie = await owner.signedIn();
    await confirmAddress(owner, cookie);
    const made = await owner.post("/v1/account/tokens", { label: "program", password: owner.password }, cookie);
    const token = String(made.body.secret);
    const path = new URL(socket.url).pathname.split("/").slice(2).join("/");
    const program = await consumerOf({ api: world.url, token, socket: socket.id, path });
    consumers.push(program);
    expect(program).toMatchObject({ role: "consumer", mode: "consumer", member: null, gates: ["ticket"] });
    expect(program.server.pinned).toBe(true);
    const wrong = consumerOf({ api: world.url, token: `${token}x`, socket: socket.id, path });
    await expect(wrong).rejects.toMatchObject(denial);
    await expect(consumerOf({ api: world.url, token, socket: "other", path })).rejects.toMatchObject(denial);
  });

  test("on a socket where everybody hears everybody, hears it too, and may speak to one", async () => {
    for (const encryption of ["none", "required"]) {
      const socket = await makeSocket(world.owner, { ...keyOnly, encryption: { session: encryption } });
      const program = await consumer(socket, 0);
      const heard = hear(program);
      const [bob, eve] = [await member(socket, 1), await member(socket, 0)];
      await bob.send("to all");
      expect(await read(eve, 1)).toEqual(["to all"]);
      await expect.poll(() => textsOf(heard)).toEqual(["to all"]);
      await heard[0]?.reply("to bob");
      await program.send("to everybody");
      expect((await read(bob, 2)).sort()).toEqual(["to bob", "to everybody"]);
      expect(await read(eve, 1)).toEqual(["to everybody"]);
    }
  });
});
