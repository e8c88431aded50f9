import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import {
  answer,
  approach,
  attempt,
  type Guesser,
  holdsOf,
  type Waiting,
  wrongCode,
} from "../attack/support/failing.ts";
import { type DistributedWorld, startDistributedWorld } from "./support/distributed-world.ts";
import { at, comeBack, denial, sessionKeeper } from "./support/sessions.ts";
import { keyOnly, makeKey, makeMember, makeSocket, type OwnedSocket, plantKey } from "./support/socket.ts";

// One start for all of it: ten processes take their time.
const full = process.env.PORTCULLIS_FULL === "1";
const keyAndOtp = { gates: [{ gate: "key" }, { gate: "otp" }], resume: "off" };
/** One is free, and behind it one waits. */
const steep = { attempts: 3, free: 1, work: 0 };
const lockout = { ...steep, then: "lockout", lockout: { after: 2, for: "1h" } };
const keeper = sessionKeeper();
let world: DistributedWorld;
let missing: string | null = null;
let networks = 0;
const now = Date.now;

/** Each from a network of its own: what is counted together is the member's gate. */
function thief(socket: OwnedSocket, edge = 0): Guesser {
  networks += 1;
  return { world, socket, name: "bob", from: `198.18.${networks >> 8}.${networks & 255}`, edge };
}

/** A failover to a replica that had nothing yet. */
async function emptyRedis(): Promise<void> {
  const redis = new Redis(world.redis.url);
  await redis.flushdb();
  redis.disconnect();
}

async function scene(onFailure: object): Promise<{ readonly socket: OwnedSocket; readonly phone: Authenticator }> {
  const socket = await makeSocket(world.owner, { ...keyAndOtp, onFailure });
  return { socket, phone: await makeMember(world.owner, socket, "bob") };
}

describe.runIf(full)("what failing costs, on two of everything and real engines", () => {
  beforeAll(async () => {
    const started = await startDistributedWorld({ TRUSTED_PROXIES: "127.0.0.1,::1" });
    if ("missing" in started) missing = started.missing;
    else world = started;
  }, 180_000);
  beforeEach(async ({ skip }) => {
    if (missing !== null) skip(`missing: ${missing}`);
    await world.allReady();
    const anywhere = await makeSocket(world.owner, keyOnly);
    for (const edge of world.edges) await comeBack(() => keeper.connect(at(edge, anywhere.url), anywhere));
  }, 60_000);
  afterEach(async () => {
    if (missing === null) await world.redis.mend();
    await keeper.closeAll();
  });
  afterAll(async () => {
    if (missing === null) await world?.close();
  }, 60_000);

  test("of two hundred wrong codes at once, over both edges and both replicas, those are looked at that are free, and one that waits", async () => {
    const { socket, phone } = await scene({ ...steep, free: 4 });
    const ready: Waiting[] = [];
    while (ready.length < 200) {
      const batch = Array.from({ length: 20 }, (_, index) => approach(thief(socket, index % 2)));
      ready.push(...(await Promise.all(batch)).filter((each) => each !== null));
    }
    const said = await Promise.all(ready.map((each) => answer(each, wrongCode({ now }, phone))));
    const times = (what: string) => said.filter((each) => each === what).length;
    expect({ again: times("again"), delayed: times("delayed") }).toEqual({ again: 5, delayed: 195 });
    for (const { attacker } of ready) attacker.leave();
  }, 60_000);

  test("an answer whose replicas are killed while it is looked at is a failure, and no free try", async () => {
    const { socket, phone } = await scene(steep);
    const first = await approach(thief(socket));
    if (first === null) throw new Error("no question");
    // Whoever looks at it takes long.
    for (const name of ["factors-1", "factors-2"]) world.replica(name).kill("SIGSTOP");
    const answered = answer(first, wrongCode({ now }, phone)).catch(() => "closed");
    await sleep(500);
    for (const name of ["identity-1", "identity-2"]) world.replica(name).kill("SIGKILL");
    for (const name of ["factors-1", "factors-2"]) world.replica(name).kill("SIGCONT");
    await answered;
    await world.allReady();
    const said: string[] = [];
    for (let n = 0; n < 3; n += 1) said.push(await attempt(thief(socket), wrongCode({ now }, phone)));
    // The free one is used up: the next one wrote the delay, and the others met it.
    expect(said).toEqual(["again", "no question", "no question"]);
  }, 90_000);

  test("where Redis has lost everything, prices begin anew and nobody is in by it; what was revoked or planted still is", async () => {
    const { socket, phone } = await scene(lockout);
    const revoked = await makeKey(world.owner, socket.id);
    const planted = await plantKey(world.owner, socket.id);
    await world.owner.delete(`/v1/sockets/${socket.id}/keys/${revoked.keyId}`);
    const open = await makeSocket(world.owner, keyOnly);
    await keeper.connect(open.url, open);
    const sessions = async () =>
      (await world.owner.get<{ sessions: unknown[] }>(`/v1/sockets/${open.id}/sessions`)).sessions.length;
    expect(await sessions()).toBe(1);
    const halfway = await approach(thief(socket));
    for (let n = 0; n < 2; n += 1) await attempt(thief(socket), wrongCode({ now }, phone));
    expect(await attempt(thief(socket), phone.code(now()))).toBe("no question");

    await emptyRedis();
    expect(await sessions()).toBe(0);
    if (halfway !== null) expect(await answer(halfway, phone.code(now())).catch(() => "closed")).not.toBe("accepted");
    for (const { appKey } of [revoked, planted]) {
      const entering = keeper.connect(`${socket.url}?id=bob`, { appKey, answers: { otp: () => phone.code(now()) } });
      await expect(entering).rejects.toMatchObject(denial);
    }
    expect(await attempt(thief(socket), wrongCode({ now }, phone))).toBe("again");
    expect(await attempt(thief(socket), wrongCode({ now }, phone))).toBe("denied");
    expect((await holdsOf(world, socket)).map(({ kind }) => kind)).toContain("lockout");
    expect(await attempt(thief(socket), phone.code(now()))).toBe("no question");
  }, 60_000);

  test("while Redis is stopped nobody gets in, and what was locked out before is behind it", async () => {
    const [{ socket, phone }, other] = [await scene(lockout), await scene(lockout)];
    for (let n = 0; n < 2; n += 1) await attempt(thief(socket), wrongCode({ now }, phone));
    await world.redis.cut();
    const otp = () => other.phone.code(now());
    const enter = () =>
      keeper.connect(`${other.socket.url}?id=bob`, {
        appKey: other.socket.appKey,
        answers: { otp },
        timeoutMs: 30_000,
      });
    await expect(enter()).rejects.toMatchObject({ code: "unavailable", retryable: true });
    await world.redis.mend();
    await world.allReady();
    await comeBack(enter);
    expect(await attempt(thief(socket), phone.code(now()))).toBe("no question");
  }, 90_000);
});
