import { randomBytes } from "node:crypto";
import type { Session } from "@portcullis/client";
import type { ServiceName } from "@portcullis/contracts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import { signUp } from "../../deploy/local/owner.ts";
import { type DistributedWorld, startDistributedWorld } from "./support/distributed-world.ts";
import { at, comeBack, read, sessionKeeper } from "./support/sessions.ts";
import { keyAndOtp, keyOnly, makeMember, makeSocket, type OwnedSocket } from "./support/socket.ts";

type EngineName = "nats" | "redis" | "mongodb";

/** Who says so on `/readyz`: whoever is connected to it. */
const users: Readonly<Record<EngineName, readonly ServiceName[]>> = {
  nats: ["edge", "api", "identity", "factors", "keys", "notify"],
  redis: ["identity", "factors", "keys", "notify"],
  mongodb: ["identity", "factors", "keys"],
};
const engines = Object.keys(users) as EngineName[];
const full = process.env.PORTCULLIS_FULL === "1";

/** A check may take 2 s, and its result counts for one more. */
const noticedMsMax = 5_000;
/** A question on the bus may take 5 s, and there is one after the other where the first was answered. */
const refusedMsMax = 12_000;

const keeper = sessionKeeper();
let world: DistributedWorld;
let missing: string | null = null;

beforeAll(async () => {
  const started = await startDistributedWorld();
  if ("missing" in started) missing = started.missing;
  else world = started;
}, 180_000);
beforeEach(({ skip }) => {
  if (missing !== null) skip(`missing: ${missing}`);
});
afterEach(async () => {
  await keeper.closeAll();
  if (missing !== null) return;
  for (const engine of engines) await world[engine].mend();
  await world.allReady();
  // Each edge may still hold a bundle of a replica that is gone.
  const open = await makeSocket(world.owner, keyOnly);
  for (const edge of [0, 1]) await comeBack(() => enter(open, edge));
  await keeper.closeAll();
}, 60_000);
afterAll(async () => {
  if (missing === null) await world?.close();
}, 60_000);

const usersOf = (engine: EngineName) => world.replicas.filter(({ service }) => users[engine].includes(service));
const pids = () => world.replicas.map((replica) => replica.pid());

/** A member who can come in once per time step, and two sessions on different edges. */
async function scene() {
  const socket = await makeSocket(world.owner, keyAndOtp);
  const app = await makeMember(world.owner, socket, "bob");
  const open = await makeSocket(world.owner, keyOnly);
  const [one, two] = [await enter(open, 0), await enter(open, 1)];
  return { socket, app, open, one, two };
}

function enter(open: OwnedSocket, edge: number): Promise<Session> {
  return keeper.connect(at(world.edges[edge], open.url), open);
}

function enterAsBob(socket: OwnedSocket, app: Authenticator, edge: number): Promise<Session> {
  const otp = () => app.code(Date.now());
  return keeper.connect(at(world.edges[edge], `${socket.url}?id=bob`), {
    appKey: socket.appKey,
    answers: { otp },
    timeoutMs: 30_000,
  });
}

/** With the right key and code, at both edges: refused as one who may come back, and in bounded time. */
async function nobodyGetsIn({ socket, app }: { socket: OwnedSocket; app: Authenticator }): Promise<void> {
  const startedMs = performance.now();
  const tries = await Promise.allSettled([0, 1].map((edge) => enterAsBob(socket, app, edge)));
  expect(performance.now() - startedMs).toBeLessThan(refusedMsMax);
  for (const { status, ...outcome } of tries)
    expect({ status, ...outcome }).toMatchObject({
      status: "rejected",
      reason: { code: "unavailable", retryable: true, closeCode: 4001 },
    });
}

async function everyUserNames(engine: EngineName, timeout = noticedMsMax): Promise<void> {
  await Promise.all(
    usersOf(engine).map((replica) =>
      expect
        .poll(() => world.readiness(replica), { timeout, interval: 100, message: replica.name })
        .toMatchObject({ status: 503, text: expect.stringContaining(`"${engine}`) }),
    ),
  );
}

/** But for a moment: an edge that was not answered asks for another bundle. */
async function othersStayReady(engine: EngineName): Promise<void> {
  for (const replica of world.replicas.filter(({ service }) => !users[engine].includes(service)))
    await expect.poll(() => world.readiness(replica), { timeout: 10_000 }).toMatchObject({ status: 200 });
}

/** With a code that was not shown before, without a restart. */
async function bobGetsIn({ socket, app }: { socket: OwnedSocket; app: Authenticator }): Promise<void> {
  const next = app.code(Date.now() + 30_000);
  await comeBack(async () => {
    const otp = ({ retry }: { readonly retry: boolean }) => (retry ? app.code(Date.now()) : next);
    const session = await keeper.connect(`${socket.url}?id=bob`, { appKey: socket.appKey, answers: { otp } });
    expect(session.member).toBe("bob");
  });
  // Those who were told to come back are not on the list.
  const { sessions } = await world.owner.get<{ sessions: object[] }>(`/v1/sockets/${socket.id}/sessions`);
  expect(sessions).toHaveLength(1);
}

async function stillTalk(one: Session, two: Session): Promise<void> {
  await two.send("still");
  expect(await read(one, 1)).toEqual(["still"]);
}

describe.runIf(full).each(engines)("%s stands still: connections stay, nothing is answered", (engine) => {
  test("nobody gets in or hangs, /readyz names it, nothing ends, and it all goes on by itself", async () => {
    const { one, two, ...bob } = await scene();
    const before = pids();
    await world[engine].freeze();
    await Promise.all([nobodyGetsIn(bob), everyUserNames(engine)]);
    await othersStayReady(engine);
    if (engine !== "nats") {
      await one.send("we go on");
      expect(await read(two, 1)).toEqual(["we go on"]);
    }
    await world[engine].mend();
    await world.allReady();
    await bobGetsIn(bob);
    await stillTalk(one, two);
    expect(pids()).toEqual(before);
  }, 60_000);
});

describe.runIf(full).each(engines)("%s vanishes without a word and is put up elsewhere", (engine) => {
  test("its dead connections are given up within 40 s, and nothing has to be restarted", async () => {
    const { one, two, ...bob } = await scene();
    const before = pids();
    world[engine].swallow();
    await Promise.all([nobodyGetsIn(bob), everyUserNames(engine)]);
    await world[engine].mend();
    const ready = () => world.allReady().then(() => "ready");
    await expect.poll(ready, { timeout: 40_000 }).toBe("ready");
    await bobGetsIn(bob);
    await stillTalk(one, two);
    const mails = world.mails();
    const password = randomBytes(18).toString("base64url");
    await signUp(world.url, { email: `owner@${engine}.example.com`, password }, null);
    await expect.poll(() => world.mails(), { timeout: 30_000 }).toBe(mails + 1);
    expect(pids()).toEqual(before);
  }, 120_000);
});

describe.runIf(full).each(engines)("%s is not there when services start", (engine) => {
  test("they say so, wait, and come up when it is", async () => {
    const bob = await scene();
    await keeper.closeAll();
    const waiters = usersOf(engine);
    const started = pids();
    const read = new Map(waiters.map(({ name }) => [name, world.log(name).length]));
    const allSay = async (why: string) => {
      const line = new RegExp(`waiting for ${engine}( jobs)?: ${why}; next try in [0-9.]+ m?s`);
      for (const { name } of waiters)
        await expect.poll(() => world.log(name).slice(read.get(name)), { timeout: 15_000 }).toMatch(line);
    };
    await world[engine].cut();
    for (const replica of waiters) replica.kill();
    const restarted = () => waiters.every((replica) => ![null, ...started].includes(replica.pid()));
    await expect.poll(restarted, { timeout: 10_000 }).toBe(true);
    // Processes that all start at once take their time.
    await everyUserNames(engine, 20_000);
    await allSay("connection refused");
    const waiting = pids();
    await world[engine].freeze();
    await allSay("timed out");

    await world[engine].mend();
    const ready = () => world.allReady().then(() => "ready");
    await expect.poll(ready, { timeout: 30_000 }).toBe("ready");
    await bobGetsIn(bob);
    expect(pids()).toEqual(waiting);
  }, 120_000);
});
