import { PortcullisError } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import { denial, sessionKeeper } from "../e2e/support/sessions.ts";
import { makeMember, makeSocket, makeSocketAuthenticator, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { bareDenied } from "./support/closes.ts";
import { answer, approach, attempt, holdsOf, later, type Waiting, wrongCode } from "./support/failing.ts";
import { knock } from "./support/knock.ts";

vi.setConfig({ testTimeout: 60_000 });

const keyAndOtp = { gates: [{ gate: "key" }, { gate: "otp" }], resume: "off" };
/** Two are free, one is paid for, one waits, and the fifth locks out. */
const ladder = { attempts: 3, then: "lockout", free: 2, work: 1, lockout: { after: 5, for: "5m" } };
const home = "198.51.100.1";

let world: World;
let verified = 0;
const keeper = sessionKeeper();
beforeAll(async () => {
  world = await startWorld({
    replicas: true,
    env: { TRUSTED_PROXIES: "127.0.0.1,::1" },
    onRoundTrip: (name) => {
      if (name === "factors.verify") verified += 1;
    },
  });
});
afterEach(() => keeper.closeAll());
afterAll(() => world.close());

const socketWith = (onFailure: object, policy: object = keyAndOtp): Promise<OwnedSocket> =>
  makeSocket(world.owner, { ...policy, onFailure });
const url = (socket: OwnedSocket, name = "bob") => `${socket.url}?id=${name}`;

/** With the SDK, as whoever types these codes, one after the other. */
async function enter(socket: OwnedSocket, code: () => string, name = "bob") {
  let asked = 0;
  const otp = () => {
    asked += 1;
    return code();
  };
  const entering = keeper.connect(url(socket, name), { appKey: socket.appKey, answers: { otp } });
  const error = await entering.then(
    () => null,
    (thrown: unknown) => (thrown instanceof PortcullisError ? thrown : Promise.reject(thrown)),
  );
  return { error, asked };
}
const rightCode = (phone: Authenticator) => () => phone.code(world.now());

/*
 * Somebody with the key of a member's device tries codes. Each try is dearer than the one before, and what honest people need does not become impossible:
 * an SDK pays by itself, and says how long to wait.
 */
test("an SDK that fails on climbs from free tries over work, which it does by itself, to a delay that it is told, and to a lockout that looks like a wrong key", async () => {
  const socket = await socketWith(ladder);
  const phone = await makeMember(world.owner, socket, "bob");
  const wrong = () => wrongCode(world, phone);
  const before = verified;

  const first = await enter(socket, wrong);
  expect(first.error).toMatchObject({ ...denial, sealed: true });
  expect(first.error?.retryAfterMs).toBeGreaterThan(20_000);
  expect(first.error?.retryAfterMs).toBeLessThanOrEqual(30_000);
  // Two for nothing; the next was not looked at, for it had to be paid for; then one that was, one that wrote the delay, and one that met it.
  expect(first.asked).toBe(6);
  // And the proof of work.
  expect(verified - before).toBe(5);

  const waiting = await enter(socket, rightCode(phone));
  expect(waiting.asked).toBe(0);
  expect(waiting.error?.retryAfterMs).toBeGreaterThan(1_000);

  await later(world, 30_000);
  expect((await enter(socket, wrong)).error).toMatchObject({ ...denial, retryAfterMs: null });
  const lockedOut = await enter(socket, rightCode(phone));
  const wrongKey = await enter({ ...socket, appKey: (await socketWith(ladder)).appKey }, rightCode(phone));
  expect({ ...lockedOut.error }).toEqual({ ...wrongKey.error });
  expect([lockedOut.asked, wrongKey.asked]).toEqual([0, 0]);

  await later(world, 300_000);
  expect((await enter(socket, rightCode(phone))).error).toBe(null);
});

/** A botnet has the key: each of its networks has free tries of its own, and the member's gate has them but once. */
test("of two hundred wrong codes at once, from as many networks over two edges, no more are looked at than are free, and one that waits", async () => {
  const socket = await socketWith({ attempts: 3, free: 2, work: 0 });
  const phone = await makeMember(world.owner, socket, "bob");
  const ready: Waiting[] = [];
  while (ready.length < 200) {
    const batch = Array.from({ length: 20 }, (_, index) =>
      approach({ world, socket, name: "bob", from: `198.18.1.${ready.length + index}`, edge: index % 2 }),
    );
    ready.push(...(await Promise.all(batch)).filter((each) => each !== null));
  }
  const before = verified;
  const said = await Promise.all(ready.map((each) => answer(each, wrongCode(world, phone))));
  expect(verified - before).toBe(3);
  expect(said.filter((each) => each === "again")).toHaveLength(3);
  expect(said.filter((each) => each === "delayed")).toHaveLength(197);
  for (const { attacker } of ready) attacker.leave();
});

test("eight of one member who come at once with the right answer all come in: whose try had to be paid for begins anew by itself", async () => {
  const socket = await socketWith(
    { attempts: 3, free: 2, work: 100 },
    { ...keyAndOtp, gates: [{ gate: "key" }, { gate: "question" }] },
  );
  await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob" });
  const { secret } = await world.owner.post<{ secret: string }>(`/v1/sockets/${socket.id}/members/bob/answer-secret`);
  const entering = Array.from({ length: 8 }, () =>
    keeper.connect(url(socket), { appKey: socket.appKey, answerSecret: secret, timeoutMs: 45_000 }),
  );
  const sessions = await Promise.all(entering);
  expect(new Set(sessions.map(({ sid }) => sid)).size).toBe(8);
});

describe("whoever fails holds up nobody else", () => {
  const steep = { attempts: 3, then: "lockout", free: 1, work: 0, lockout: { after: 2, for: "1h" } };

  test("who shares an address and a key with them, under another name", async () => {
    const socket = await socketWith(steep);
    const [bob, ann] = [await makeMember(world.owner, socket, "bob"), await makeMember(world.owner, socket, "ann")];
    const asBob = { world, socket, name: "bob", from: home };
    for (let n = 0; n < 2; n += 1) await attempt(asBob, wrongCode(world, bob));
    expect(await attempt(asBob, bob.code(world.now()))).toBe("no question");
    expect(await attempt({ ...asBob, name: "ann" }, ann.code(world.now()))).toBe("accepted");
  });

  test("where they came in from before: not by whoever has the key elsewhere, and fails as them", async () => {
    const socket = await socketWith(steep);
    const phone = await makeMember(world.owner, socket, "bob");
    const atHome = { world, socket, name: "bob", from: home };
    expect(await attempt(atHome, phone.code(world.now()))).toBe("accepted");
    await later(world, 30_000);
    for (let n = 0; n < 3; n += 1) await attempt({ ...atHome, from: `203.0.113.${n}` }, wrongCode(world, phone));
    expect((await holdsOf(world, socket)).map(({ kind }) => kind)).toContain("lockout");
    expect(await attempt({ ...atHome, from: "192.0.2.9" }, phone.code(world.now()))).toBe("no question");
    expect(await attempt(atHome, phone.code(world.now()))).toBe("accepted");
  });

  test("by one gate at another: who fails at the code is not stopped at the message", async () => {
    const gates = [{ gate: "key" }, { anyOf: [{ gate: "otp", of: "socket" }, { gate: "sms" }] }];
    const socket = await socketWith(steep, { gates, resume: "off" });
    await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob", contacts: { phone: "+4915112345678" } });
    const shared = await makeSocketAuthenticator(world.owner, socket);
    for (let n = 0; n < 3; n += 1)
      await attempt({ world, socket, name: "bob", from: `203.0.113.${n}` }, wrongCode(world, shared));
    expect((await holdsOf(world, socket)).filter(({ gate }) => gate !== null)).toMatchObject([
      { member: "bob", gate: "otp", kind: "lockout" },
    ]);
    const bob = await knock(url(socket), { appKey: socket.appKey, from: home });
    expect((await bob.challenge()).options.map(({ gate }) => gate)).toEqual(["sms"]);
    bob.leave();
  });

  test("without the key: it moves nothing of a member's, whatever a stranger claims", async () => {
    const socket = await socketWith(steep);
    const phone = await makeMember(world.owner, socket, "bob");
    const stranger = await socketWith(steep);
    for (let n = 0; n < 20; n += 1) {
      const attacker = await knock(url(socket), { appKey: n % 2 === 0 ? stranger.appKey : null, from: home });
      expect(await attacker.next()).toBe(bareDenied);
    }
    expect(await holdsOf(world, socket)).toEqual([]);
    expect(await attempt({ world, socket, name: "bob", from: home }, phone.code(world.now()))).toBe("accepted");
  });

  test("from a network that the owner trusts, and from there alone", async () => {
    const socket = await socketWith({ ...steep, trusted: ["198.51.100.0/24"] });
    const phone = await makeMember(world.owner, socket, "bob");
    const bob = { world, socket, name: "bob", from: home };
    for (let n = 0; n < 6; n += 1) expect(await attempt(bob, wrongCode(world, phone))).toBe("again");
    expect(await holdsOf(world, socket)).toEqual([]);
    const elsewhere = { ...bob, from: "203.0.113.1" };
    for (let n = 0; n < 2; n += 1) await attempt(elsewhere, wrongCode(world, phone));
    expect(await attempt(elsewhere, phone.code(world.now()))).toBe("no question");
    expect(await attempt(bob, phone.code(world.now()))).toBe("accepted");
  });
});
