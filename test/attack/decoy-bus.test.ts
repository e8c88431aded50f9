import { setTimeout as sleep } from "node:timers/promises";
import {
  aboutSession,
  checkSessions,
  groupGrants,
  kickMember,
  readSessionWords,
  readStepUp,
  recordIdentity,
  sealExpiries,
  sessionEnded,
  sessionPresence,
  takeMessages,
} from "@portcullis/contracts";
import { parseHello } from "@portcullis/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { keyOnly, makeKey, makeSocket, type OwnedSocket, plantKey } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { type Insider, insider } from "./support/insider.ts";
import { message } from "./support/knock.ts";
import { liveSessions } from "./support/sessions.ts";

vi.setConfig({ testTimeout: 20_000 });

const policy = {
  ...keyOnly,
  gates: [{ gate: "key" }, { when: { network: ["192.0.2.0/24"] }, then: [{ gate: "otp" }] }],
  onFailure: { then: "decoy" },
  encryption: { session: "required" },
};

let world: World;
let socket: OwnedSocket;
let room: string;
let bob: Insider;
let program: Insider;
let mallory: Insider;
/** All that an edge may ask and say, in the hands of somebody else. */
let edge: ReturnType<World["embedded"]["platformFor"]>["caller"];
let keys: typeof edge;

const hidOf = ({ heard }: Insider) => parseHello(String(heard[0])).hid;
const counters = new Map<Insider, number>();
async function speak(who: Insider): Promise<void> {
  const counter = counters.get(who) ?? 0;
  counters.set(who, counter + 1);
  who.send(await who.up(message(counter, "as before")));
}
const groups = (who: Insider) => who.heard.filter((frame) => frame[0] === 0x30).length;
const on = (who: Insider) => ({ sid: who.accepted.sid, hid: hidOf(who) });

beforeAll(async () => {
  world = await startWorld({ env: { TICK_INTERVAL: "10m" } });
  socket = await makeSocket(world.owner, policy);
  const { appKey: planted } = await plantKey(world.owner, socket.id);
  const { appKey: theirs } = await makeKey(world.owner, socket.id, "consumer");
  program = await insider(socket.url, { appKey: theirs });
  bob = await insider(socket.url, { appKey: socket.appKey });
  mallory = await insider(socket.url, { appKey: planted });
  room = mallory.accepted.group?.socket ?? "";
  edge = world.embedded.platformFor("edge", "edge-of-somebody").caller;
  keys = world.embedded.platformFor("keys", "keys-of-somebody").caller;
});
/** Either is there as before, and speaks to those of their own world. */
afterEach(async () => {
  const before = [bob, program, mallory].map(groups);
  for (const who of [bob, mallory]) await speak(who);
  await expect.poll(() => [bob, program, mallory].map(groups)).toEqual(before.map((count) => count + 1));
  const sids = [bob, program].map(({ accepted }) => accepted.sid);
  expect((await liveSessions(world, socket.id)).toSorted()).toEqual(sids.toSorted());
});
afterAll(async () => {
  for (const who of [bob, program, mallory]) who.leave();
  await world.close();
});

describe("an edge that was taken over", () => {
  test("gets no key of the socket for who is in a decoy, and none of the decoy for who is on the socket", async () => {
    const passing = await insider(socket.url, { appKey: socket.appKey });
    await world.owner.delete(`/v1/sockets/${socket.id}/sessions/${passing.accepted.sid}`);
    const grants = async (socketId: string, who: Insider) => {
      const asked = { socketId, epoch: 1, after: 0, sids: [who.accepted.sid] };
      return (await edge.call(groupGrants, asked)).frames.length;
    };
    // Whoever is put out takes a key along that is good for nothing more: of those who stay, the next message is under another one.
    await speak(bob);
    await expect.poll(() => grants(socket.id, bob)).toBe(1);
    expect(await grants(socket.id, mallory)).toBe(0);
    expect(await grants(room, bob)).toBe(0);
    expect(await grants(room, mallory)).toBe(0);
  });

  test("has nobody speak as somebody of the other world", async () => {
    const frame = await mallory.up(message(9, "as bob"), 9);
    const take = (sid: string, hid: string) => edge.call(takeMessages, { sid, hid, frames: [frame] });
    for (const [who, where] of [
      [bob, mallory],
      [mallory, bob],
      [bob, bob],
    ] as const)
      expect((await take(on(who).sid, on(where).hid)).close).not.toBeNull();
  });

  test("tells no program of who is in a decoy, by whatever socket it names", async () => {
    const before = program.heard.length;
    for (const is of ["here", "gone"] as const)
      for (const socketId of [socket.id, room]) edge.emit(sessionPresence, { ...on(mallory), socketId, is });
    for (const is of ["here", "gone"] as const)
      edge.emit(sessionPresence, { sid: on(mallory).sid, hid: on(bob).hid, socketId: socket.id, is });
    await sleep(200);
    expect(program.heard.length).toBe(before);
  });

  test("ends no session by the name of a place in the other world", async () => {
    for (const why of ["left", "lost"] as const) {
      edge.emit(sessionEnded, { ...on(mallory), socketId: socket.id, why });
      edge.emit(sessionEnded, { ...on(bob), socketId: room, why });
    }
    await sleep(200);
    const held = [on(bob), on(mallory)];
    expect(await edge.call(checkSessions, { edge: "e", everyMs: 15_000, held })).toEqual({ gone: [], replaced: [] });
  });

  test("learns nothing by asking which sessions are there: of either the same is said", async () => {
    const crossed = [
      { sid: on(bob).sid, hid: on(mallory).hid },
      { sid: on(mallory).sid, hid: on(bob).hid },
    ];
    const { gone, replaced } = await edge.call(checkSessions, { edge: "e", everyMs: 15_000, held: crossed });
    expect(gone).toEqual([]);
    expect(replaced.toSorted()).toEqual(crossed.map(({ hid }) => hid).toSorted());
  });

  test("has no last word said before its time", async () => {
    const sids = [bob, program, mallory].map((who) => on(who).sid);
    expect(await edge.call(sealExpiries, { sids })).toEqual({ frames: [] });
  });

  test("hears of no step-up in a decoy", async () => {
    expect(await edge.call(readStepUp, on(mallory))).toMatchObject({ frames: [], close: null });
  });
});

describe("what `keys` asks for a program of the owner's", () => {
  test("is about nobody in a decoy, and not to be asked by anybody there", async () => {
    const [sid, real] = [on(mallory).sid, on(bob).sid];
    for (const asked of [
      { socketId: socket.id, sid },
      { socketId: room, sid },
      { socketId: room, sid: real },
    ])
      expect(await keys.call(aboutSession, asked)).toEqual({ about: null });
    for (const socketId of [socket.id, room])
      await expect(keys.call(kickMember, { socketId, by: sid, sid: real })).rejects.toMatchObject({
        code: "forbidden",
      });
    const identity = { name: "consumer", fingerprint: "a".repeat(22), before: null };
    for (const socketId of [socket.id, room])
      await expect(keys.call(recordIdentity, { socketId, by: sid, ...identity })).rejects.toMatchObject({
        code: "forbidden",
      });
    await keys.call(kickMember, { socketId: socket.id, by: on(program).sid, sid });
  });

  test("and the words of a connection are told of the socket's own only", async () => {
    const identity = world.embedded.platformFor("identity", "identity-of-somebody").caller;
    const words = async (socketId: string) =>
      (await identity.call(readSessionWords, { socketId, sids: [on(mallory).sid, on(bob).sid] })).words;
    expect((await words(socket.id)).map(({ sid }) => sid)).toEqual([on(bob).sid]);
    expect(await words(room)).toEqual([]);
  });
});
