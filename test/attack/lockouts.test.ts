import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import { run, stopPrograms } from "../../deploy/demo/test/program.ts";
import { person } from "../e2e/support/account.ts";
import { makeMember, makeSocket, makeSocketAuthenticator, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { closeOf } from "./support/closes.ts";
import { answer, approach, attempt, holdsOf, later, type Waiting, wrongCode } from "./support/failing.ts";
import { knock } from "./support/knock.ts";
import { liveSessions } from "./support/sessions.ts";

vi.setConfig({ testTimeout: 60_000 });

const keyAndOtp = { gates: [{ gate: "key" }, { gate: "otp" }], resume: "off" };
const steep = { attempts: 3, then: "lockout", free: 1, work: 0, lockout: { after: 2, for: "1h" } };
const home = "198.51.100.1";
let world: World;

beforeAll(async () => {
  world = await startWorld({ replicas: true, env: { TRUSTED_PROXIES: "127.0.0.1,::1" } });
});
afterAll(async () => {
  await stopPrograms();
  await world.close();
});

const socketWith = (policy: object = keyAndOtp, onFailure: object = steep): Promise<OwnedSocket> =>
  makeSocket(world.owner, { ...policy, onFailure });

describe("the owner lets go whom a lockout holds, and who was held begins anew", () => {
  async function lockedOut() {
    const socket = await socketWith();
    const phone = await makeMember(world.owner, socket, "bob");
    const bob = { world, socket, name: "bob", from: home };
    for (let n = 0; n < 2; n += 1) await attempt(bob, wrongCode(world, phone));
    expect(await attempt(bob, phone.code(world.now()))).toBe("no question");
    return { socket, comes: () => attempt(bob, phone.code(world.now())) };
  }

  test("by the API", async () => {
    const { socket, comes } = await lockedOut();
    const holds = await holdsOf(world, socket);
    expect(holds.map(({ member, gate, kind }) => [member, gate, kind])).toEqual(
      expect.arrayContaining([
        ["bob", null, "lockout"],
        ["bob", "otp", "lockout"],
      ]),
    );
    for (const { id } of holds) await world.owner.delete(`/v1/sockets/${socket.id}/holds/${id}`);
    expect(await holdsOf(world, socket)).toEqual([]);
    expect(await comes()).toBe("accepted");
  });

  test("by the command line", async () => {
    const { socket, comes } = await lockedOut();
    const owner = person(world, world.credentials);
    const cookie = await owner.signedIn();
    await world.owner.post("/v1/account/email/verify", { token: await owner.mailed(/Confirm/) });
    const { body } = await owner.post(
      "/v1/account/tokens",
      { label: "cli", password: world.credentials.password },
      cookie,
    );
    const hold = async (...args: string[]) => {
      const env = { PORTCULLIS_API: world.url, PORTCULLIS_TOKEN: String(body.secret) };
      const program = run("cli/main.ts", ["owner", "hold", ...args], env);
      program.endInput();
      expect(await program.exit, program.stderr).toBe(0);
      return program.stdout;
    };
    const listed = JSON.parse(await hold("list", socket.id, "--json")) as { holds: { id: string }[] };
    expect(listed.holds).toHaveLength(2);
    for (const { id } of listed.holds) await hold("release", socket.id, id);
    expect(await hold("list", socket.id)).toContain("Nobody is held.");
    expect(await comes()).toBe("accepted");
  });
});

test("connect says when to come back, and does not ask before that", async () => {
  const socket = await socketWith(keyAndOtp, { attempts: 3, free: 1, work: 0 });
  const phone = await makeMember(world.owner, socket, "bob");
  // From where the program comes from as well.
  for (let n = 0; n < 2; n += 1)
    await attempt({ world, socket, name: "bob", from: "127.0.0.1" }, wrongCode(world, phone));
  const env = { PORTCULLIS_URL: `${socket.url}?id=bob`, PORTCULLIS_APP_KEY: socket.appKey };
  const program = run("cli/main.ts", ["connect"], env);
  program.endInput();
  expect(await program.exit).not.toBe(0);
  expect(program.stderr).toMatch(/too much has failed\. Nothing was looked at; come back in (?:[12]?\d|30) s/);
});

test("a lockout ends the handshake that waits for a message, on its own connection and at once", async () => {
  const gates = [
    { gate: "key" },
    {
      anyOf: [
        { gate: "otp", of: "socket" },
        { gate: "email", by: "link" },
      ],
    },
  ];
  const socket = await socketWith({ gates, resume: "off" });
  const contacts = { email: "bob-waits@example.com" };
  await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob", contacts });
  const shared = await makeSocketAuthenticator(world.owner, socket);
  const bob = { world, socket, name: "bob", from: home };
  const waiting = await knock(`${socket.url}?id=bob`, { appKey: socket.appKey, from: home });
  await waiting.say({ n: 1, t: "start", cid: (await waiting.challenge()).cid, gate: "email" });
  expect(await waiting.hear()).toMatchObject({ t: "wait", gate: "email" });
  for (let n = 0; n < 2; n += 1) await attempt({ ...bob, edge: 1 }, wrongCode(world, shared));
  let heard = await waiting.hear();
  while (heard?.t === "wait") heard = await waiting.hear();
  expect(heard).toMatchObject({ t: "denied", code: "denied" });
  expect(await waiting.closed).toEqual(closeOf("denied"));
});

test("whoever locks out is told in answer to the very guess that did it", async () => {
  const socket = await socketWith();
  const phone = await makeMember(world.owner, socket, "bob");
  const bob = { world, socket, name: "bob", from: home };
  expect(await attempt(bob, wrongCode(world, phone))).toBe("again");
  expect(await attempt(bob, wrongCode(world, phone))).toBe("denied");
});

/*
 * A thief with the key fails as the member while the member comes in. Whichever is first: nobody is in on the strength of an answer that the lockout
 * should have kept from being looked at.
 */
test("nobody is let in while the lockout stands, however an answer and the guess that locks out meet", async () => {
  const socket = await socketWith();
  let [accepted, lockedOut] = [0, 0];
  const round = async (n: number) => {
    const name = `member-${n}`;
    const phone: Authenticator = await makeMember(world.owner, socket, name);
    const as = (from: string, edge: number) => ({ world, socket, name, from, edge });
    await attempt(as(`203.0.113.${n}`, 0), wrongCode(world, phone));
    const both = await Promise.all([approach(as(`198.18.0.${n}`, n % 2)), approach(as(`198.18.1.${n}`, (n + 1) % 2))]);
    const [right, wrong] = both as [Waiting, Waiting];
    const late = async (each: Waiting, code: string) => {
      await sleep(Math.random() * 8);
      return answer(each, code);
    };
    const [said] = await Promise.all([late(right, phone.code(world.now())), late(wrong, wrongCode(world, phone))]);
    const holds = (await holdsOf(world, socket)).filter(({ member, gate }) => member === name && gate === "otp");
    const isLockedOut = holds.some(({ kind }) => kind === "lockout");
    expect({ said, isLockedOut }).toEqual(
      isLockedOut ? { said: "denied", isLockedOut } : { said: "accepted", isLockedOut },
    );
    accepted += said === "accepted" ? 1 : 0;
    lockedOut += isLockedOut ? 1 : 0;
    for (const { attacker } of both.filter((each) => each !== null)) attacker.leave();
    await expect.poll(() => liveSessions(world, socket.id)).toEqual([]);
  };
  for (let n = 0; n < 50; n += 1) await round(n);
  expect([accepted + lockedOut, accepted > 0, lockedOut > 0]).toEqual([50, true, true]);
});

test("a member whose gate is held keeps their ticket, and comes in by it when the delay is over", async () => {
  const policy = { ...keyAndOtp, before: { ticket: "required" } };
  const socket = await socketWith(policy, { attempts: 3, free: 1, work: 0, delay: { first: "5s" } });
  const phone = await makeMember(world.owner, socket, "bob");
  const mint = async () =>
    (await world.owner.post<{ ticket: string }>(`/v1/sockets/${socket.id}/tickets`, { member: "bob" })).ticket;
  const comes = async (ticket: string, from: string) =>
    knock(`${socket.url}?id=bob`, { appKey: socket.appKey, from, ticket });
  for (let n = 0; n < 2; n += 1) {
    const thief = await comes(await mint(), `203.0.113.${n}`);
    await answer({ attacker: thief, cid: (await thief.challenge()).cid }, wrongCode(world, phone));
    thief.leave();
  }
  const ticket = await mint();
  const held = await comes(ticket, home);
  expect((await held.hear())?.t).toBe("denied");
  await later(world, 5_000);
  const bob = await comes(ticket, home);
  expect(await answer({ attacker: bob, cid: (await bob.challenge()).cid }, phone.code(world.now()))).toBe("accepted");
  bob.leave();
});
