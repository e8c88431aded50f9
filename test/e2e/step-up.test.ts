import { randomInt } from "node:crypto";
import {
  type ConnectOptions,
  type ConsumerMessage,
  type ConsumerSession,
  connectConsumer,
  type Question,
  type SessionState,
} from "@portcullis/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import { at, read, sessionKeeper } from "./support/sessions.ts";
import { makeKey, makeMember, makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startTcpProxy, type TcpProxy } from "./support/tcp-proxy.ts";
import { startWorld, type World } from "./support/world.ts";

const full = process.env.PORTCULLIS_FULL === "1";
const outboxKey = "outbox-key-of-this-test-0123";
const keeper = sessionKeeper();
const proxies: TcpProxy[] = [];
const consumers: ConsumerSession[] = [];
let world: World;
beforeAll(async () => {
  world = await startWorld({ replicas: true, env: { OUTBOX_KEY: outboxKey } });
});
afterEach(async () => {
  await keeper.closeAll();
  await Promise.all(consumers.splice(0).map((consumer) => consumer.close()));
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
});
afterAll(() => world.close());

const key = { gates: [{ gate: "key" }], resume: "30s" };
const sealed = { encryption: { session: "required" } };

interface Person {
  readonly socket: OwnedSocket;
  readonly app: Authenticator;
}

/** A socket that asks bob again, by his authenticator. */
async function socketOf(during: object[], more: object = {}): Promise<Person> {
  const socket = await makeSocket(world.owner, { ...key, ...more, during });
  return { socket, app: await makeMember(world.owner, socket, "bob") };
}

/** No code counts twice: each comes from another time step. @param fromMs of the first; where there are three, a step ago, since none may be far ahead */
function codesOf(app: Authenticator, fromMs = 0): (question?: Question) => string {
  let lastMs = 0;
  return () => {
    lastMs = lastMs === 0 ? world.now() + fromMs : app.nextStepMs(lastMs);
    return app.code(lastMs);
  };
}

/** The authenticator is asked for on the way in as well. */
function enter(
  { socket, app }: Person,
  options: ConnectOptions & { readonly codes?: () => string } = {},
  edge: 0 | 1 = 0,
) {
  const { codes = codesOf(app), ...rest } = options;
  return keeper.connect(`${at(world.edges[edge], socket.url)}?id=bob`, {
    appKey: socket.appKey,
    answers: { otp: codes },
    ...rest,
  });
}

async function wayTo(edge: string | undefined): Promise<TcpProxy> {
  const proxy = await startTcpProxy((edge ?? "").replace(/^ws/, "http"));
  proxies.push(proxy);
  return proxy;
}

const sessionsOf = async (socket: OwnedSocket) =>
  (
    await world.owner.get<{ sessions: { sid: string; steppedUpAt: string | null }[] }>(
      `/v1/sockets/${socket.id}/sessions`,
    )
  ).sessions;
const demand = (socket: OwnedSocket, sid: string) =>
  world.owner.post<{ asked: boolean }>(`/v1/sockets/${socket.id}/sessions/${sid}/step-up`, {});
const is = (states: readonly SessionState[]) => states.map((state) => state.is);

describe.for([
  ["sealed", sealed],
  ["unsealed", {}],
] as const)("a session that is asked for more, %s", ([, more]) => {
  test("lets a message of a class wait until the step-up is passed, and what comes behind it as well", async () => {
    const person = await socketOf([{ message: "transfer", gate: "otp" }], more);
    const states: SessionState[] = [];
    const asked: Question[] = [];
    const next = codesOf(person.app);
    const answering = Promise.withResolvers<void>();
    const bob = await enter(person, {
      echo: true,
      onState: (state) => void states.push(state),
      answers: {
        otp: async (question) => {
          asked.push(question);
          if (asked.length === 2) await answering.promise;
          return next(question);
        },
      },
    });
    await bob.send("first");
    expect(await read(bob, 1)).toEqual(["first"]);
    let placed = false;
    const transfer = bob.send("a transfer", { class: "transfer" }).then(() => {
      placed = true;
    });
    const behind = bob.send("behind it");
    await expect.poll(() => is(states), { timeout: 5_000 }).toEqual(["step-up"]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(placed).toBe(false);
    answering.resolve();
    await Promise.all([transfer, behind]);
    const heard: (string | null)[][] = [];
    for await (const message of bob) {
      heard.push([message.text(), message.class]);
      if (heard.length === 2) break;
    }
    expect(heard).toEqual([
      ["a transfer", "transfer"],
      ["behind it", null],
    ]);
    await expect.poll(() => is(states)).toEqual(["step-up", "stepped-up"]);
    // It is covered now.
    await bob.send("another", { class: "transfer" });
    expect(asked).toHaveLength(2);
    expect((await sessionsOf(person.socket))[0]?.steppedUpAt).not.toBeNull();
  });

  test("ends where the step-up is not passed, and what waited is nowhere", async () => {
    const person = await socketOf([{ message: "transfer", gate: "otp" }], {
      ...more,
      onFailure: { attempts: 1 },
      messaging: { history: { messages: 10 } },
    });
    const next = codesOf(person.app);
    let asked = 0;
    const bob = await enter(person, {
      answers: {
        otp: () => {
          asked += 1;
          return asked === 1 ? next() : "000000";
        },
      },
    });
    const eve = await enter(person, { codes: next }, 1);
    const transfer = bob.send("a transfer", { class: "transfer" });
    await expect(transfer).rejects.toMatchObject({ code: "closed" });
    expect(await bob.closed).toMatchObject({
      reason: "revoked",
      what: "step-up",
      name: "session-expired",
      retry: true,
    });
    await eve.send("still here");
    expect((await sessionsOf(person.socket)).map(({ sid }) => sid)).toEqual([eve.sid]);
  });
});

describe("on demand", () => {
  test("the owner asks, the session goes on when it was passed, and only rules on demand can be demanded", async () => {
    const person = await socketOf(
      [
        { every: "1h", gate: "otp" },
        { on: "demand", gate: "otp" },
      ],
      sealed,
    );
    const states: SessionState[] = [];
    const bob = await enter(person, { onState: (state) => void states.push(state) });
    expect(await demand(person.socket, bob.sid)).toEqual({ asked: true });
    await expect.poll(() => is(states), { timeout: 5_000 }).toEqual(["step-up", "stepped-up"]);
    expect(states[1]).toEqual({ is: "stepped-up", gates: ["otp"], until: null });
    expect((await sessionsOf(person.socket))[0]?.steppedUpAt).not.toBeNull();
    const refused = world.owner.post(`/v1/sockets/${person.socket.id}/sessions/${bob.sid}/step-up`, { rule: 0 });
    await expect(refused).rejects.toThrow(/400/);
    await expect(demand(person.socket, "nobody")).rejects.toThrow(/404/);
  });

  test("whoever gives up is out", async () => {
    const person = await socketOf([{ on: "demand", gate: "otp" }], sealed);
    const next = codesOf(person.app);
    let asked = 0;
    const bob = await enter(person, {
      answers: {
        otp: () => {
          asked += 1;
          return asked === 1 ? next() : null;
        },
      },
    });
    await demand(person.socket, bob.sid);
    expect(await bob.closed).toMatchObject({ reason: "revoked", what: "step-up" });
  });

  test("stands on another edge when the connection is lost in its middle, and nobody is asked twice", async () => {
    const person = await socketOf([{ on: "demand", gate: "otp" }], sealed);
    const way = await wayTo(world.edges[0]);
    const next = codesOf(person.app);
    const states: SessionState[] = [];
    const answering = Promise.withResolvers<void>();
    let asked = 0;
    const bob = await keeper.connect(`${way.through(at(world.edges[0], person.socket.url))}?id=bob`, {
      appKey: person.socket.appKey,
      onState: (state) => void states.push(state),
      answers: {
        otp: async () => {
          asked += 1;
          if (asked === 2) await answering.promise;
          return next();
        },
      },
    });
    await demand(person.socket, bob.sid);
    await expect.poll(() => asked, { timeout: 5_000 }).toBe(2);
    way.cut();
    way.leadTo((world.edges[1] ?? "").replace(/^ws/, "http"));
    await expect.poll(() => is(states), { timeout: 10_000 }).toContain("resumed");
    answering.resolve();
    await expect.poll(() => is(states), { timeout: 10_000 }).toContain("stepped-up");
    expect(asked).toBe(2);
    await bob.send("still here");
  });
});

test.for([
  ["sealed", sealed],
  ["unsealed", {}],
] as const)(
  "a consumer demands it of a member, and a message of a class waits and reaches exactly one consumer, %s",
  async ([, more]) => {
    const during = [
      { message: "transfer", gate: "otp" },
      { on: "demand", gate: "otp" },
    ];
    const person = await socketOf(during, { ...more, messaging: { mode: "consumer" } });
    const { appKey } = await makeKey(world.owner, person.socket.id, "consumer");
    const heard: { readonly by: number; readonly message: ConsumerMessage }[] = [];
    for (const by of [0, 1] as const) {
      const consumer = await connectConsumer(at(world.edges[by], person.socket.url), { appKey });
      consumers.push(consumer);
      void (async () => {
        for await (const message of consumer) heard.push({ by, message });
      })().catch(() => {});
    }
    const [program] = consumers;
    if (program === undefined) throw new Error("no consumer");
    const next = codesOf(person.app, -30_000);
    const states: SessionState[] = [];
    const answering = Promise.withResolvers<void>();
    let asked = 0;
    const bob = await enter(person, {
      onState: (state) => void states.push(state),
      answers: {
        otp: async (question) => {
          asked += 1;
          if (asked === 3) await answering.promise;
          return next(question);
        },
      },
    });
    await bob.send("hello");
    await expect.poll(() => heard.length).toBe(1);
    expect(heard[0]?.message).toMatchObject({ class: null, from: { sid: bob.sid, member: "bob", steppedUpAt: null } });

    await program.stepUp(bob.sid);
    await expect.poll(() => is(states), { timeout: 5_000 }).toEqual(["step-up", "stepped-up"]);
    const { steppedUpAt } = await program.who(bob.sid);
    expect(steppedUpAt).toBeGreaterThan(0);

    const transfer = bob.send("a transfer", { class: "transfer" });
    const behind = bob.send("behind it");
    await expect.poll(() => asked, { timeout: 5_000 }).toBe(3);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(heard).toHaveLength(1);
    answering.resolve();
    await Promise.all([transfer, behind]);
    await expect.poll(() => heard.length).toBe(3);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const said = heard.map(({ by, message }) => [by, message.text(), message.class]);
    const by = heard[0]?.by;
    expect(said).toEqual([
      [by, "hello", null],
      [by, "a transfer", "transfer"],
      [by, "behind it", null],
    ]);
    expect(heard[1]?.message.from.steppedUpAt).toBeGreaterThan(steppedUpAt ?? 0);

    await expect(program.stepUp("nobody")).rejects.toMatchObject({ code: "not-found" });
    await expect(program.stepUp(bob.sid, 0)).rejects.toMatchObject({ code: "unsupported" });
    await expect(program.stepUp(program.sid)).rejects.toMatchObject({ code: "unsupported" });
  },
);

// Ten seconds are the shortest interval that a policy may have.
test.runIf(full)("by an interval: asked when it is due, and again after it", { timeout: 40_000 }, async () => {
  const socket = await makeSocket(world.owner, { ...key, ...sealed, during: [{ every: "10s", gate: "sms" }] });
  const phone = `+49${randomInt(10 ** 9, 10 ** 10)}`;
  await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob", contacts: { phone } });
  const states: SessionState[] = [];
  await keeper.connect(`${socket.url}?id=bob`, {
    appKey: socket.appKey,
    onState: (state) => void states.push(state),
    answers: { sms: async () => codeIn(await textTo(phone)) },
  });
  await expect.poll(() => is(states), { timeout: 20_000 }).toEqual(["step-up", "stepped-up"]);
  expect(states[1]).toMatchObject({ gates: ["sms"] });
  await expect.poll(() => is(states), { timeout: 20_000 }).toEqual(["step-up", "stepped-up", "step-up"]);
});

async function textTo(to: string): Promise<string> {
  let text = "";
  const look = async () => {
    const asked = { headers: { authorization: `Bearer ${outboxKey}` } };
    const { messages } = (await (await fetch(`${world.url}/v1/outbox?limit=100`, asked)).json()) as {
      messages: { to: string; text: string }[];
    };
    text = messages.find((message) => message.to === to)?.text ?? "";
    return text;
  };
  await expect.poll(look, { timeout: 10_000 }).not.toBe("");
  return text;
}
const codeIn = (text: string) => /\b\d{6}\b/.exec(text)?.[0] ?? "no code";
