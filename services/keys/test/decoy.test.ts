import {
  aboutSession,
  decoyNoted,
  deliverToSession,
  keepDecoyScript,
  liveSessionKey,
  placedMessage,
  readDecoyRecords,
  sealFarewells,
  sessionPresence,
  socketMessage,
} from "@portcullis/contracts";
import { openRooms, scopedState } from "@portcullis/state";
import { openEmbeddedState } from "@portcullis/state/embedded";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Ghosts } from "../src/decoy/ghosts.ts";
import { createRoomPresence } from "../src/decoy/presence.ts";
import { createShapes } from "../src/decoy/shape.ts";
import { createTraffic } from "../src/decoy/traffic.ts";
import { openTranscript } from "../src/decoy/transcript.ts";
import { callerOfRooms, callerOfSockets } from "../src/decoy/worlds.ts";
import type { StoredSession } from "../src/sessions/session-secrets.ts";
import { bodyOf, enter, letIn, listen, openGroup } from "./support/session.ts";
import { liveEntry, startWorld, temporaryFolder, type World } from "./support/world.ts";

describe("what a part of one world can say", () => {
  const said: string[] = [];
  const caller = {
    call: async ({ name }: { readonly name: string }) => {
      said.push(name);
      return { taken: true };
    },
    emit: ({ name }: { readonly name: string }) => void said.push(name),
  } as unknown as Parameters<typeof callerOfRooms>[0];
  const body = { epoch: null, frame: new Uint8Array() };
  const message = { sid: "s", member: null, seq: 0, msgid: "m", body: new Uint8Array() };
  const socketId = "A".repeat(22);

  it("of the decoys' goes into rooms, or to a session of its own, and is never anything else", async () => {
    const state = openEmbeddedState({ file: ":memory:", clock: Date.now });
    const rooms = await openRooms(state);
    const decoy = callerOfRooms(caller, rooms);
    expect(() => decoy.emit(placedMessage, body, socketId)).toThrow(TypeError);
    expect(() => decoy.emit(socketMessage, message, socketId)).toThrow(TypeError);
    expect(() => decoy.emit(placedMessage, body)).toThrow(TypeError);
    await expect(decoy.call(aboutSession, { socketId, sid: "s" })).rejects.toThrow(TypeError);
    expect(said).toEqual([]);
    decoy.emit(placedMessage, body, rooms.make());
    const to = { sid: "s", hid: `e.${socketId}`, ref: null, frame: new Uint8Array() };
    await decoy.call(deliverToSession, to, { route: "e" });
    expect(said.splice(0)).toEqual([placedMessage.name, deliverToSession.name]);
    await state.close();
  });

  it("of the real one never goes into a room", async () => {
    const state = openEmbeddedState({ file: ":memory:", clock: Date.now });
    const rooms = await openRooms(state);
    const real = callerOfSockets(caller, rooms);
    expect(() => real.emit(placedMessage, body, rooms.make())).toThrow(TypeError);
    real.emit(placedMessage, body, socketId);
    expect(said.splice(0)).toEqual([placedMessage.name]);
    await state.close();
  });
});

describe("a session in a decoy", () => {
  const of = "socket-1";
  let world: World;
  let room: string;
  beforeEach(async () => {
    world = await startWorld();
    room = (await openRooms(world.platform.state)).make();
  });
  afterEach(() => world.close());

  /** As `identity` does: it is live in the decoys' world, and nowhere else. */
  async function land(
    options: { readonly mode?: "consumer"; readonly history?: { messages: number; ms: number } } = {},
  ) {
    const { mode = "broadcast" as const, history = null } = options;
    const outcome = letIn(world, { socketId: room, history });
    const { sid } = outcome.admitted;
    const decoys = scopedState(world.platform.state, "decoy:");
    await decoys.create(liveSessionKey(sid), liveEntry(), 3_600_000);
    const admitted = { ...outcome.admitted, mode };
    const minted = await world.mint(of);
    const entered = await enter(world, { outcome: { ...outcome, admitted, decoy: { of } }, appKey: minted.key });
    // What the test's `identity` has registered for any session.
    await world.platform.state.delete(liveSessionKey(sid));
    return entered;
  }
  const records = async () =>
    (await world.asIdentity.call(readDecoyRecords, { room, after: 0, limit: 100 })).records.map(
      ({ n, deed, body }) => [n, deed, body === null ? null : Buffer.from(body).toString()] as const,
    );

  it("speaks into its room, under keys of its own, and leaves nothing where real sessions are", async () => {
    const heard = { room: await listen(world, room), socket: await listen(world, of) };
    const own = await land();
    const { close } = await own.take(await own.message(0, "hello"));
    expect(close).toBeNull();
    await expect.poll(() => heard.room.length).toBe(1);
    expect(bodyOf(await openGroup(own.accepted.group, heard.room[0]?.frame ?? new Uint8Array()))).toBe("hello");
    expect(heard.socket).toEqual([]);
    const { state } = world.platform;
    for (const name of [`keys:session:${own.sid}`, `keys:order:${own.sid}`, `keys:group:${room}:0`]) {
      expect(await state.get(name)).toBeNull();
      expect(await state.get(`decoy:${name}`)).not.toBeNull();
    }
    expect(own.accepted.group?.socket).toBe(room);
  });

  it("has what it says written down, and that it came and left, sealed", async () => {
    const folder = await temporaryFolder();
    await world.close();
    world = await startWorld({ dataDir: folder.path });
    room = (await openRooms(world.platform.state)).make();
    const own = await land();
    const noted = { socketId: of, room, atMs: 1, gate: null, believed: null };
    world.asIdentity.emit(decoyNoted, { ...noted, deed: "accepted" });
    await expect.poll(records).toHaveLength(1);
    await own.take(await own.message(0, "a-word-that-is-nowhere-else"));
    await expect.poll(records).toHaveLength(2);
    world.edge.emit(sessionPresence, { sid: own.sid, socketId: room, hid: own.hid, is: "gone" });
    await expect.poll(records).toEqual([
      [1, "accepted", null],
      [2, "said", "a-word-that-is-nowhere-else"],
      [3, "left", null],
    ]);
    expect((await folder.bytes()).includes("a-word-that-is-nowhere-else")).toBe(false);
    await folder.remove();
  });

  it("is written down a thousand times at most", async () => {
    const noted = { socketId: of, room, atMs: 1, gate: null, believed: null };
    const count = async () => {
      let after: number | null = 0;
      let total = 0;
      while (after !== null) {
        const page: { records: unknown[]; next: number | null } = await world.asIdentity.call(readDecoyRecords, {
          room,
          after,
          limit: 100,
        });
        total += page.records.length;
        after = page.next;
      }
      return total;
    };
    for (let n = 1; n <= 1_200; n += 1) {
      world.asIdentity.emit(decoyNoted, { ...noted, deed: "arrived" });
      // No more at once than may wait.
      if (n % 400 === 0) await expect.poll(count, { timeout: 5_000 }).toBe(Math.min(n, 1_000));
    }
  });

  it("is told that what is for a program of the owner's has arrived", async () => {
    const own = await land({ mode: "consumer" });
    const { frames, close } = await own.take(await own.message(0, "to whom it may concern"));
    expect(close).toBeNull();
    expect(await own.open(frames[0] ?? new Uint8Array())).toEqual({ t: "arrived", counter: 0 });
    await expect.poll(records).toEqual([[1, "said", "to whom it may concern"]]);
  });

  it("has last words like any other", async () => {
    const own = await land();
    const { frames } = await world.asIdentity.call(sealFarewells, { sids: [own.sid], what: "kicked" });
    expect(await own.open(frames[0]?.frame ?? new Uint8Array())).toEqual({ t: "revoked", what: "kicked" });
    expect((await own.take(await own.message(0, "too late"))).close).not.toBeNull();
  });

  it("hears the owner's script, each line once however many replicas there are", async () => {
    const heard = await listen(world, room);
    const entries = ["one", "two"].map((text) => ({ afterMs: 100, from: "ann", text }));
    await world.asIdentity.call(keepDecoyScript, { socketId: of, script: { entries, repeat: false } });
    const own = await land();
    const texts = async () =>
      Promise.all(heard.map(async ({ frame }) => bodyOf(await openGroup(own.accepted.group, frame))));
    await expect
      .poll(
        async () => {
          world.advance(1_000);
          return texts();
        },
        { timeout: 8_000, interval: 200 },
      )
      .toEqual(["one", "two"]);
    world.advance(10_000);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(await texts()).toEqual(["one", "two"]);
    await expect.poll(async () => (await records()).map(([, deed]) => deed)).toEqual(["heard", "heard"]);
  });
});

describe("what an intruder can make much of", () => {
  it("is looked at for five hundred sessions each time, however many there are", async () => {
    const state = openEmbeddedState({ file: ":memory:", clock: Date.now });
    const looked: string[] = [];
    const session = { socketId: "room", decoyOf: "socket" } as StoredSession;
    const live = {
      get: async (sid: string) => {
        looked.push(sid);
        return session;
      },
      is: async () => true,
    };
    const presence = createRoomPresence(state, live);
    for (let n = 0; n < 600; n += 1) await state.join("keys:decoy-present", `${n}`, Date.now() + 60_000);
    expect((await presence.rooms()).flatMap(({ present }) => present)).toHaveLength(500);
    expect(looked).toHaveLength(500);
    await state.close();
  });

  it("is what they say, also behind much that they were made to hear", async () => {
    const world = await startWorld();
    const { documents, state, vault, log } = world.platform;
    const transcript = await openTranscript({ documents, state, vault, clock: world.now, log });
    const place = { socketId: "socket", room: "room" };
    for (let n = 0; n < 1_100; n += 1) {
      transcript.note(place, { atMs: n, deed: "heard", body: Buffer.alloc(4_096, "a") });
      if (n % 100 === 0) await transcript.settled();
    }
    await transcript.settled();
    transcript.note(place, { atMs: 2_000, deed: "said", body: Buffer.from("what I came for") });
    await transcript.settled();
    const records = [];
    for (let after: number | null = 0; after !== null; ) {
      const page: Awaited<ReturnType<typeof transcript.page>> = await transcript.page("room", after, 100);
      records.push(...page.records);
      after = page.next;
    }
    expect(records.map(({ deed }) => deed)).toContain("said");
    await world.close();
  });

  it("leaves no gap in what is kept of somebody else, however much they say at once", async () => {
    const world = await startWorld();
    const { documents, state, vault, log } = world.platform;
    const transcript = await openTranscript({ documents, state, vault, clock: world.now, log });
    const say = (room: string) => transcript.note({ socketId: "socket", room }, { atMs: 1, deed: "said" });
    for (let n = 0; n < 5_000; n += 1) say("of-the-flood");
    say("of-somebody-else");
    await transcript.settled();
    expect((await transcript.page("of-somebody-else", 0, 10)).records).toHaveLength(1);
    await world.close();
  });

  it("is kept as it was when it was said, by its beginning, while it waits to be written", async () => {
    const world = await startWorld();
    const { documents, state, vault, log } = world.platform;
    const transcript = await openTranscript({ documents, state, vault, clock: world.now, log });
    const body = Buffer.alloc(64 * 1024, "a");
    transcript.note({ socketId: "socket", room: "room" }, { atMs: 1, deed: "said", body });
    // Of what is held on to, it would be another text by now.
    body.fill("b");
    await transcript.settled();
    const { records } = await transcript.page("room", 0, 10);
    expect(records).toMatchObject([{ deed: "said", bodyBytes: 64 * 1024 }]);
    expect(Buffer.from(records[0]?.body ?? []).equals(Buffer.alloc(4_096, "a"))).toBe(true);
    await world.close();
  });
});

describe("what is heard in a room", () => {
  function play(beats: number) {
    let now = 1_000_000;
    const clock = () => now;
    const state = openEmbeddedState({ file: ":memory:", clock });
    const shapes = createShapes(state, clock, { warn: () => undefined });
    const said: { readonly bytes: number; readonly atMs: number; readonly from: string | null }[] = [];
    const ghosts: Ghosts = {
      say: async (_room, { from, body }) => void said.push({ bytes: body.length, atMs: now, from }),
    };
    const replica = () =>
      createTraffic({
        state,
        presence: {
          entered: async () => undefined,
          rooms: async () => [{ room: "room", socketId: "socket", present: [] }],
        },
        scripts: { get: async () => null },
        shapes,
        ghosts,
        random: (length) => new Uint8Array(length).fill(7),
        clock,
        log: { warn: () => undefined },
      });
    const [traffic, another] = [replica(), replica()];
    return {
      said,
      async prepare() {
        for (let n = 0; n <= beats; n += 1) {
          shapes.note("socket", 100 + n);
          now += 1_000;
        }
        await shapes.flush();
      },
      async run(seconds: number) {
        for (let n = 0; n < seconds * 10; n += 1) {
          now += 100;
          // At once: each finds what is due before the other has moved it on.
          await Promise.all([traffic.play(), another.play()]);
        }
      },
    };
  }

  it("without a script has the sizes and the pauses of what is real, and nobody's name, each once of two replicas", async () => {
    const played = play(30);
    await played.prepare();
    await played.run(20);
    expect(played.said.length).toBeGreaterThan(15);
    expect(played.said.map(({ bytes }) => bytes)).toEqual(played.said.map((_, n) => 101 + n));
    const pauses = played.said.slice(1).map(({ atMs }, n) => atMs - (played.said[n]?.atMs ?? 0));
    expect(new Set(pauses)).toEqual(new Set([1_000]));
    expect(new Set(played.said.map(({ from }) => from))).toEqual(new Set([null]));
  });

  it("is nothing where too little is known of what is real", async () => {
    const played = play(5);
    await played.prepare();
    await played.run(20);
    expect(played.said).toEqual([]);
  });
});
