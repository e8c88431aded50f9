import { setTimeout as sleep } from "node:timers/promises";
import { connect, PortcullisError, type Session } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import { makeKey, makeMember, makeSocket, type OwnedSocket, plantKey } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { createIntruder } from "./support/intruder.ts";
import { knock } from "./support/knock.ts";
import { liveSessions } from "./support/sessions.ts";

vi.setConfig({ testTimeout: 30_000 });

const policy = {
  gates: [{ gate: "key" }, { gate: "otp" }],
  onFailure: { then: "decoy", attempts: 3, free: 2, work: 20 },
  encryption: { session: "required" },
};

let world: World;
const open: Session[] = [];
beforeAll(async () => {
  world = await startWorld({ env: { TRUSTED_PROXIES: "127.0.0.1,::1" } });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((session) => session.close()));
});
afterAll(() => world.close());

interface Shown {
  readonly decoys: readonly { readonly room: string; readonly keyId: string | null; readonly member: string | null }[];
  readonly alerts: readonly { readonly kind: string; readonly member: string | null }[];
  readonly entries: readonly { readonly event: string; readonly cause?: string; readonly network?: string }[];
}
const decoysOf = async ({ id }: OwnedSocket) => (await world.owner.get<Shown>(`/v1/sockets/${id}/decoys`)).decoys;
const alertsOf = async ({ id }: OwnedSocket) =>
  (await world.owner.get<Shown>(`/v1/sockets/${id}/alerts`)).alerts.map(({ kind }) => kind).toSorted();

/** Of an address of its own, as the trusted proxy says. */
function webSocketFrom(address: string) {
  return class extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, { headers: { "x-forwarded-for": address } });
    }
  };
}
async function genuine(socket: OwnedSocket, name: string, phone: Authenticator, from: string, appKey = socket.appKey) {
  world.advance(30_000);
  await world.fresh();
  const answers = { otp: () => phone.code(world.now()) };
  const session = await connect(`${socket.url}?id=${name}`, { appKey, answers, webSocket: webSocketFrom(from) });
  open.push(session);
  return session;
}

/** A code that is none of theirs; no two alike. */
let typed = 0;
const wrong = () => {
  typed += 1;
  return String(typed).padStart(6, "0");
};
/** All that is free, and nothing more. */
async function spend(socket: OwnedSocket, name: string, from: string, appKey: string | null = socket.appKey) {
  const thief = await knock(`${socket.url}?id=${name}`, { appKey, from });
  for (let n = 1; n <= policy.onFailure.free; n += 1) {
    const { cid } = await thief.challenge();
    await thief.say({ n, t: "answer", cid, gate: "otp", value: wrong() });
  }
  await thief.hear();
  thief.leave();
}
async function land(socket: OwnedSocket, name: string, from: string, appKey: string | null = socket.appKey) {
  const credentials = appKey === null ? { unpinned: "allow" as const } : { appKey };
  const options = { ...credentials, webSocket: webSocketFrom(from), answers: { otp: wrong } };
  const session = await createIntruder(`${socket.url}?id=${name}`).land(options);
  open.push(session);
  return session;
}

async function target(given: object = policy) {
  const socket = await makeSocket(world.owner, given);
  return { socket, bob: await makeMember(world.owner, socket, "bob") };
}

describe("who has the real key and no code", () => {
  const [bobs, homes] = ["198.51.100.7", "198.51.100.8"];

  test("is let into a decoy once what is free is spent, stays there, and keeps nobody else out", async () => {
    const thiefs = "203.0.113.11";
    const { socket, bob } = await target();
    const carol = await makeMember(world.owner, socket, "carol");
    const atHome = await genuine(socket, "bob", bob, homes);
    await spend(socket, "bob", thiefs);
    expect(await decoysOf(socket)).toEqual([]);
    const thief = await land(socket, "bob", thiefs);
    expect(thief).toMatchObject({ member: "bob", gates: ["key", "otp"] });
    const [decoy] = await decoysOf(socket);
    expect(decoy).toMatchObject({ keyId: socket.keyId, member: "bob" });
    await expect.poll(() => alertsOf(socket)).toContain("decoy");

    // The member, at the same time: from elsewhere, from where they are known, and others from where the thief is.
    const elsewhere = await genuine(socket, "bob", bob, bobs);
    const again = await genuine(socket, "bob", bob, homes);
    const neighbour = await genuine(socket, "carol", carol, thiefs);
    const sids = [atHome, elsewhere, again, neighbour].map(({ sid }) => sid);
    expect((await liveSessions(world, socket.id)).toSorted()).toEqual(sids.toSorted());

    await land(socket, "bob", thiefs);
    expect(await decoysOf(socket)).toMatchObject([{ room: decoy?.room, sessions: 2 }]);
    expect(await liveSessions(world, socket.id)).toHaveLength(4);
  });

  test("uses up no code there: the right one is good for the member, also when it let the thief in", async () => {
    const thiefs = "203.0.113.12";
    const { socket, bob } = await target();
    await spend(socket, "bob", thiefs);
    world.advance(30_000);
    await world.fresh();
    const code = bob.code(world.now());
    const from = (address: string) => ({ appKey: socket.appKey, webSocket: webSocketFrom(address), resume: false });
    const answers = { otp: () => code };
    const thief = await connect(`${socket.url}?id=bob`, { ...from(thiefs), answers }).catch(() => null);
    expect(await decoysOf(socket)).toMatchObject([{ sessions: thief === null ? 0 : 1 }]);
    open.push(await connect(`${socket.url}?id=bob`, { ...from(bobs), answers }));
    expect(await liveSessions(world, socket.id)).toHaveLength(1);
    await thief?.close();
  });

  test("does not keep the member out where they came in before with a key of their own", async () => {
    const thiefs = "203.0.113.13";
    const { socket, bob } = await target();
    const { appKey: own } = await makeKey(world.owner, socket.id);
    await genuine(socket, "bob", bob, thiefs, own);
    await spend(socket, "bob", thiefs);
    await land(socket, "bob", thiefs);
    const { sid } = await genuine(socket, "bob", bob, thiefs, own);
    expect(await liveSessions(world, socket.id)).toContain(sid);
  });

  test("does not keep the member out where the owner has come to trust the network", async () => {
    const thiefs = "203.0.113.20";
    const { socket, bob } = await target();
    await spend(socket, "bob", thiefs);
    await land(socket, "bob", thiefs);
    const onFailure = { ...policy.onFailure, trusted: [`${thiefs}/32`] };
    const { version } = await world.owner.get<{ version: number }>(`/v1/sockets/${socket.id}`);
    await world.owner.patch(`/v1/sockets/${socket.id}`, { version, policy: { ...policy, onFailure } });
    const { sid } = await genuine(socket, "bob", bob, thiefs);
    expect(await liveSessions(world, socket.id)).toEqual([sid]);
  });

  test("is told no more than before: a handshake that began for real ends so", async () => {
    const thiefs = "203.0.113.14";
    const { socket } = await target();
    const thief = await knock(`${socket.url}?id=bob`, { appKey: socket.appKey, from: thiefs });
    for (let n = 1; n <= 2; n += 1) {
      const { cid } = await thief.challenge();
      await thief.say({ n, t: "answer", cid, gate: "otp", value: wrong() });
    }
    const asked = await thief.challenge();
    // What they type from now on is paid for, and is still looked at.
    expect(asked.options.map(({ gate }) => gate)).not.toEqual([]);
    expect(await decoysOf(socket)).toEqual([]);
    thief.leave();
  });
});

test("who has no key, where none is asked for, is led there by the same", async () => {
  const { socket, bob } = await target({ ...policy, gates: [{ gate: "otp" }] });
  await spend(socket, "bob", "203.0.113.2", null);
  await land(socket, "bob", "203.0.113.2", null);
  expect(await decoysOf(socket)).toMatchObject([{ keyId: null, member: "bob", sessions: 1 }]);
  await genuine(socket, "bob", bob, "198.51.100.9");
  expect(await liveSessions(world, socket.id)).toHaveLength(1);
});

describe("what was planted leads there at once, and its owner hears of it", () => {
  test("a key", async () => {
    const { socket } = await target();
    const { appKey, keyId } = await plantKey(world.owner, socket.id);
    await land(socket, "bob", "203.0.113.3", appKey);
    expect(await decoysOf(socket)).toMatchObject([{ keyId, member: "bob" }]);
    await expect.poll(() => alertsOf(socket)).toEqual(["canary-key", "decoy"]);
  });

  test("a member, with a real key", async () => {
    const { socket } = await target();
    await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "admin", canary: true });
    await land(socket, "admin", "203.0.113.4");
    expect(await decoysOf(socket)).toMatchObject([{ keyId: socket.keyId, member: "admin" }]);
    await expect.poll(() => alertsOf(socket)).toEqual(["canary-member", "decoy"]);
    expect(await liveSessions(world, socket.id)).toEqual([]);
  });

  test("and is refused where there is no decoy", async () => {
    const { socket } = await target({ ...policy, onFailure: { then: "deny" } });
    const { appKey } = await plantKey(world.owner, socket.id);
    const refused = connect(`${socket.url}?id=bob`, { appKey, answers: { otp: wrong } });
    await expect(refused).rejects.toBeInstanceOf(PortcullisError);
    await sleep(100);
    expect(await decoysOf(socket)).toEqual([]);
  });
});
