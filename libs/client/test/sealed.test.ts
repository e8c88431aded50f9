import { createRecordWriter, generateIdentity, type Identity, sealGroupRecord } from "@portcullis/crypto";
import { base64url, encodeControl, encodeMessageDown, type GroupGrant } from "@portcullis/protocol";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createLink } from "../src/link.ts";
import type { ConnectOptions, SessionState } from "../src/mod.ts";
import { enter, pause, played, serve, take } from "./support/harness.ts";
import { bytesOf, type Peer } from "./support/server.ts";

/** What a `keys` replica does for everybody. */
async function group(epoch = 0) {
  const { identity } = await generateIdentity();
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const grant: GroupGrant = {
    socket: "socket-1",
    epoch,
    step: 0,
    key: base64url.encode(secret),
    verify: base64url.encode(identity.publicKey),
  };
  const writer = createRecordWriter();
  const seal = (plaintext: Uint8Array, signing: Identity = identity) =>
    sealGroupRecord({ socketId: "socket-1", secret, signing, epoch, step: 0, ...writer.next(), plaintext });
  return {
    grant,
    seal,
    secret,
    message: (place: number, body: string, sid = "sid-ann", sequence = place) =>
      seal(messageDown(place, body, sid, sequence)),
    tick: (place: number) => seal(encodeControl({ t: "tick", place })),
  };
}

const messageDown = (place: number, body: string, sid = "sid-ann", sequence = place) =>
  encodeMessageDown({ sequence, head: { sid, msgid: `m${sid}${sequence}`, place }, body: bytesOf(body) });
const caughtUp = (through: number, complete = true, grant?: GroupGrant) =>
  encodeControl({ t: "caught-up", through, complete, more: false, ...(grant === undefined ? {} : { group: grant }) });

/** Accepted on a sealed socket; then `script`. */
async function inside(
  ours: Awaited<ReturnType<typeof group>>,
  script: (peer: Peer) => Promise<void>,
  options: ConnectOptions = {},
) {
  const server = await serve(async (peer) => {
    await peer.letIn({ sealed: true, group: ours.grant, place: 0 });
    await script(peer);
  });
  return { server, session: await enter(server, options) };
}

describe("a session of a sealed socket", () => {
  it("delivers in the order of places what came late, twice and out of turn", async () => {
    const ours = await group();
    const { session } = await inside(ours, async (peer) => {
      const frames = await Promise.all(Array.from({ length: 40 }, (_, n) => ours.message(n + 1, `${n + 1}`)));
      const chaos = [...frames, ...frames].sort(() => Math.random() - 0.5);
      for (const frame of chaos) {
        peer.socket.send(frame);
        if (Math.random() < 0.2) await pause(1);
      }
    });
    expect(await take(session, 40)).toEqual(Array.from({ length: 40 }, (_, n) => `${n + 1}`));
    await session.close();
  });

  it("asks for what is missing, and goes on with it", async () => {
    const ours = await group();
    const { server, session } = await inside(ours, async (peer) => {
      for (const place of [1, 3]) peer.socket.send(await ours.message(place, `${place}`));
      expect(await peer.readApplication()).toEqual({ t: "catch-up", after: 1 });
      await peer.tell(messageDown(2, "2"));
      await peer.tell(caughtUp(3));
      peer.socket.send(await ours.message(4, "4"));
    });
    expect(await take(session, 4)).toEqual(["1", "2", "3", "4"]);
    await played(server);
    await session.close();
  });

  it("says so when something will never come", async () => {
    const ours = await group();
    const seen: SessionState[] = [];
    const script = async (peer: Peer) => {
      peer.socket.send(await ours.message(1, "1"));
      peer.socket.send(await ours.tick(3));
      await peer.readApplication();
      await peer.tell(caughtUp(3, false));
      peer.socket.send(await ours.message(4, "4"));
    };
    const { session } = await inside(ours, script, { onState: (state) => void seen.push(state) });
    expect(await take(session, 2)).toEqual(["1", "4"]);
    expect(seen).toEqual([{ is: "gap" }]);
    await session.close();
  });

  it("opens what is sealed under a key that comes with it, or that it has to ask for", async () => {
    const [ours, next, last] = [await group(0), await group(1), await group(2)];
    const { session, server } = await inside(ours, async (peer) => {
      await peer.tell(encodeControl({ t: "grant", group: next.grant }));
      peer.socket.send(await next.message(1, "granted"));
      peer.socket.send(await ours.message(2, "late, under the key before"));
      peer.socket.send(await last.message(3, "asked for"));
      expect(await peer.readApplication()).toEqual({ t: "catch-up", after: 2 });
      await peer.tell(caughtUp(2, true, last.grant));
    });
    expect(await take(session, 3)).toEqual(["granted", "late, under the key before", "asked for"]);
    await played(server);
    await session.close();
  });

  it("asks again for a key where nothing is answered, also if it goes on hearing what it has the keys of", async () => {
    const [ours, next] = [await group(0), await group(1)];
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const { session, server } = await inside(ours, async (peer) => {
      peer.socket.send(await next.message(2, "under a key that is not here"));
      expect(await peer.readApplication()).toEqual({ t: "catch-up", after: 0 });
      // The part of the server that was asked is gone. Another one says what it still had to say.
      peer.socket.send(await ours.message(1, "late, under the key before"));
      peer.socket.send(await ours.tick(1));
      await expect.poll(() => heard).toEqual(["late, under the key before"]);
      vi.advanceTimersByTime(5_000);
      expect(await peer.readApplication()).toEqual({ t: "catch-up", after: 1 });
      await peer.tell(caughtUp(1, true, next.grant));
    });
    const heard: string[] = [];
    for await (const message of session) if (heard.push(message.text()) === 2) break;
    expect(heard).toEqual(["late, under the key before", "under a key that is not here"]);
    await played(server);
    await session.close();
  });

  it("loses nothing that it holds and only lacks the key of, where the socket keeps nothing", async () => {
    const [ours, next] = [await group(0), await group(1)];
    const seen: SessionState[] = [];
    const script = async (peer: Peer) => {
      peer.socket.send(await ours.message(1, "1"));
      peer.socket.send(await ours.tick(3));
      for (const place of [2, 3]) peer.socket.send(await next.message(place, `${place}`));
      expect(await peer.readApplication()).toEqual({ t: "catch-up", after: 1 });
      await peer.tell(caughtUp(4, false, next.grant));
      peer.socket.send(await next.message(4, "4"));
    };
    const { session, server } = await inside(ours, script, { onState: (state) => void seen.push(state) });
    expect(await take(session, 4)).toEqual(["1", "2", "3", "4"]);
    expect(seen).toEqual([]);
    await played(server);
    await session.close();
  });

  it("keeps the newest keys that it has, in whatever order they came", async () => {
    const [ours, ...others] = await Promise.all([5, 8, 7, 6, 9].map(group));
    if (ours === undefined) throw new Error("no group");
    const { session } = await inside(ours, async (peer) => {
      for (const { grant } of others) await peer.tell(encodeControl({ t: "grant", group: grant }));
      for (const [index, each] of [others[1], others[0], others[3]].entries())
        if (each !== undefined) peer.socket.send(await each.message(index + 1, `${each.grant.epoch}`));
    });
    expect(await take(session, 3)).toEqual(["7", "8", "9"]);
    await session.close();
  });

  it.each([
    ["a message in the open", async () => messageDown(1, "x"), "out-of-order"],
    ["a record that was altered", async (ours: Group) => (await ours.message(1, "x")).fill(0, 60, 70), "malformed"],
    [
      "a record that another member has forged",
      async (ours: Group) => ours.seal(messageDown(1, "x"), (await generateIdentity()).identity),
      "malformed",
    ],
    ["a message without a place", async (ours: Group) => ours.seal(withoutPlace()), "malformed"],
    ["a message over the limit", async (ours: Group) => ours.message(1, "x".repeat(1_001)), "too-large"],
    ["words that are nobody's", async (ours: Group) => ours.seal(bytesOf('{"t":"grant"}')), "malformed"],
  ])("ends at %s", async (_what, frame, name) => {
    const ours = await group();
    const { session } = await inside(ours, async (peer) => peer.socket.send(await frame(ours)));
    expect(await session.closed).toMatchObject({ name, reason: "protocol" });
  });

  it("asks once for a key that it does not get, and drops a record of long ago", async () => {
    const [first, next, old, unknown] = [await group(1), await group(2), await group(0), await group(9)];
    let asked = 0;
    const { session } = await inside(first, async (peer) => {
      await peer.tell(encodeControl({ t: "grant", group: next.grant }));
      peer.socket.send(await old.message(5, "of an epoch before we came"));
      peer.socket.send(await unknown.message(6, "never opened"));
      for (;;) {
        await peer.readApplication();
        asked += 1;
        await peer.tell(caughtUp(0, true, next.grant));
        if (asked === 1) peer.socket.send(await next.message(1, "goes on"));
      }
    });
    expect(await take(session, 1)).toEqual(["goes on"]);
    await pause(300);
    expect(asked).toBe(1);
    await session.close();
  });

  it("asks nothing because of a record of long ago", async () => {
    const [first, old] = [await group(1), await group(0)];
    const { session, server } = await inside(first, async (peer) => {
      peer.socket.send(await old.message(1, "of an epoch before we came"));
      peer.socket.send(await first.message(1, "goes on"));
      await pause(100);
      expect(peer.pending()).toBe(0);
    });
    expect(await take(session, 1)).toEqual(["goes on"]);
    await played(server);
    await session.close();
  });

  it("keeps so many records that it cannot open, and asks for the rest by their places", async () => {
    const [ours, next] = [await group(0), await group(1)];
    const count = 70;
    const { session, server } = await inside(ours, async (peer) => {
      for (let place = 1; place <= count; place += 1) peer.socket.send(await next.message(place, `${place}`));
      expect(await peer.readApplication()).toEqual({ t: "catch-up", after: 0 });
      await pause(50);
      await peer.tell(caughtUp(0, true, next.grant));
      expect(await peer.readApplication()).toEqual({ t: "catch-up", after: 0 });
      for (let place = 1; place <= count - 64; place += 1) await peer.tell(messageDown(place, `${place}`));
      await peer.tell(caughtUp(count, true, next.grant));
    });
    expect(await take(session, count)).toEqual(Array.from({ length: count }, (_, n) => `${n + 1}`));
    await played(server);
    await session.close();
  });

  it("is told at once what it lost with its connection, where the socket keeps nothing", async () => {
    const ours = await group();
    const seen: SessionState[] = [];
    let secret = new Uint8Array();
    const terms = { sealed: true, group: ours.grant, resumeMs: 5_000 };
    const server = await serve(async (peer) => {
      if (server.peers.length === 1) {
        await peer.letIn({ ...terms, place: 0 });
        secret = peer.resume.slice();
        peer.socket.send(await ours.message(1, "1"));
        await pause(50);
        return peer.socket.terminate();
      }
      await peer.hello();
      await peer.readOpen(secret);
      await peer.accept({ ...terms, place: 3, next: 0 });
      expect(await peer.readApplication()).toEqual({ t: "catch-up", after: 1 });
      // By then somebody has spoken whose record is on its way.
      await peer.tell(caughtUp(4, false, ours.grant));
      await expect.poll(() => seen.map(({ is }) => is)).toEqual(["lost", "resumed", "gap"]);
      peer.socket.send(await ours.message(4, "4"));
    });
    const session = await enter(server, { onState: (state) => void seen.push(state) });
    expect(await take(session, 2)).toEqual(["1", "4"]);
    await Promise.all(server.scripts);
    expect(seen).toHaveLength(3);
    await session.close();
  });

  it("takes another connection when a key is used up", async () => {
    const sent: number[] = [];
    const closed: number[] = [];
    const wire = { send: () => void sent.push(1), close: (code: number) => void closed.push(code) };
    const [client, server, resume, stepUp] = [0, 1, 2, 3].map((n) => new Uint8Array(32).fill(n));
    const keys = { client, server, resume, stepUp, words: "" } as never;
    const link = createLink({
      wire: wire as never,
      accepted: { sealed: true } as never,
      keys,
      had: () => false,
      clock: Date.now,
      recordsMax: 3,
    });
    for (let n = 0; n < 5; n += 1) await link.send(n, bytesOf("x"), {});
    expect([sent.length, closed]).toEqual([3, [4001]]);
  });

  it("sends sealed, in order, with counters of its own for messages", async () => {
    const ours = await group();
    const { session, server } = await inside(ours, async (peer) => {
      for (const counter of [0, 1, 2]) {
        expect(await peer.readApplication()).toMatchObject({ t: "message", counter, body: bytesOf(`${counter}`) });
      }
    });
    await Promise.all([0, 1, 2].map((n) => session.send(`${n}`)));
    await played(server);
    await session.close();
  });
});

type Group = Awaited<ReturnType<typeof group>>;
const withoutPlace = () => encodeMessageDown({ sequence: 1, head: { sid: "sid-ann", msgid: "m" }, body: bytesOf("x") });

describe("a session that goes on", () => {
  /** The first connection ends with this code; each further one is `again`. */
  async function lost(
    code: number,
    again: (peer: Peer, secret: Uint8Array, round: number) => Promise<void>,
    options: ConnectOptions = {},
  ) {
    const seen: SessionState[] = [];
    let secret = new Uint8Array();
    let round = 0;
    const server = await serve(async (peer) => {
      round += 1;
      if (round > 1) return again(peer, secret, round - 1);
      await peer.letIn({ resumeMs: 5_000 });
      secret = peer.resume.slice();
      if (code === 1006) peer.socket.terminate();
      else peer.socket.close(code);
    });
    const session = await enter(server, { onState: (state) => void seen.push(state), ...options });
    return { server, session, seen };
  }

  it("sends again what may not have arrived, and nothing that has", async () => {
    let secret = new Uint8Array();
    let round = 0;
    const server = await serve(async (peer) => {
      round += 1;
      if (round === 1) {
        await peer.letIn({ resumeMs: 5_000 });
        secret = peer.resume.slice();
        for (const _ of [0, 1, 2]) await peer.readMessage();
        // The first one is heard by its sender, the second one arrived as well, the third is lost.
        peer.message("sid-bob", 0, "0");
        await pause(20);
        peer.socket.terminate();
        return;
      }
      await peer.hello();
      expect((await peer.readOpen(secret)).resume).toEqual({ next: 1 });
      await peer.accept({ resumeMs: 5_000, next: 2 });
      expect(await peer.readMessage()).toMatchObject({ counter: 2, body: bytesOf("2") });
      expect(await peer.readMessage()).toMatchObject({ counter: 3, body: bytesOf("3") });
      peer.message("sid-ann", 0, "welcome");
    });
    const session = await enter(server);
    for (const n of [0, 1, 2]) await session.send(`${n}`);
    await expect.poll(() => round, { timeout: 5_000 }).toBe(2);
    await session.send("3");
    expect(await take(session, 1)).toEqual(["welcome"]);
    await played(server);
    await session.close();
  });

  // A code of "do not come back" too: whoever sits between can send it, and only a sealed word is the server's.
  it.each([1000, 1006, 1001, 1012, 4000, 4001, 4002, 4003, 4500, 4503, 4504, 4506])(
    "tries after a close with %i",
    { timeout: 20_000 },
    async (code) => {
      const { session, seen } = await lost(code, async (peer, secret) => {
        await peer.hello();
        await peer.readOpen(secret);
        await peer.accept({ resumeMs: 5_000, next: 0 });
      });
      await expect.poll(() => seen.map(({ is }) => is), { timeout: 10_000 }).toEqual(["lost", "resumed"]);
      await session.close();
    },
  );

  it("goes on trying while nobody is there, with the secret that it had", async () => {
    const { session, seen } = await lost(1006, async (peer, secret, round) => {
      if (round < 3) return peer.socket.terminate();
      await peer.hello();
      await peer.readOpen(secret);
      // Let in, and cut before the client hears of it.
      if (round === 3) return peer.socket.terminate();
      await peer.accept({ resumeMs: 5_000, next: 0 });
    });
    await expect.poll(() => seen.map(({ is }) => is), { timeout: 10_000 }).toEqual(["lost", "resumed"]);
    await session.close();
  });

  it("goes on behind a goodbye of a server that will be back", async () => {
    const server = await serve(async (peer) => {
      if (server.peers.length > 1) return;
      await peer.letIn({ resumeMs: 5_000 });
      await peer.lastWord({ t: "goodbye", code: "unavailable" });
      peer.close("unavailable");
    });
    const session = await enter(server);
    await expect.poll(() => server.peers.length, { timeout: 5_000 }).toBe(2);
    await session.close();
  });

  it("gives up when the server would not take it any more", async () => {
    const server = await serve(async (peer) => {
      if (server.peers.length === 1) await peer.letIn({ resumeMs: 600 });
      peer.socket.terminate();
    });
    const session = await enter(server);
    const startedMs = performance.now();
    expect(await session.closed).toMatchObject({ code: 1006, reason: "lost" });
    expect(performance.now() - startedMs).toBeLessThan(3_000);
  });

  it("is over where the server says so, and with the time that it has", async () => {
    const { session, seen } = await lost(1006, async (peer, secret) => {
      await peer.hello();
      await peer.readOpen(secret);
      await peer.deny("denied");
    });
    expect(await session.closed).toMatchObject({ code: 1006, retry: true, reason: "lost" });
    expect(seen).toEqual([{ is: "lost" }]);
    await expect(session.send("x")).rejects.toMatchObject({ code: "closed" });
    const late = await serve(async (peer) => {
      await peer.letIn({ resumeMs: 5_000, expiresAt: Date.now() - 1 });
      peer.socket.close(4003);
    });
    const expired = await enter(late);
    expect(await expired.closed).toMatchObject({ code: 4003, retry: true, reason: "lost" });
    expect(late.peers).toHaveLength(1);
  });

  it.each([
    ["another session", { sid: "sid-eve" }],
    ["another member", { member: "eve" }],
    ["one without the count of what has arrived", { next: undefined }],
    ["a sealed one", { sealed: true }],
    ["one that passed other gates", { gates: ["key", "email"] }],
    ["one that ends at another time", { expiresAt: Date.now() + 86_400_000 }],
  ])("is not taken for %s", async (_what, change) => {
    const { session } = await lost(1006, async (peer, secret) => {
      await peer.hello();
      await peer.readOpen(secret);
      await peer.accept({ resumeMs: 5_000, next: 0, ...change } as never);
    });
    expect(await session.closed).toMatchObject({ reason: "lost" });
  });

  it("goes on with the same server only", async () => {
    const { session, server } = await lost(1006, async (peer) => {
      await peer.hello((hello) => ({ ...hello, sig: new Uint8Array(64) }));
    });
    expect(await session.closed).toMatchObject({ reason: "lost" });
    expect(server.peers[1]?.payload).toBe(null);
  });

  it("does not where the application does not want it to, or has closed it", async () => {
    const { session, server } = await lost(1006, async () => {}, { resume: false });
    expect(await session.closed).toMatchObject({ reason: "lost" });
    expect(server.peers).toHaveLength(1);
    const closing = await lost(1006, async (peer) => {
      await peer.hello();
      await closing.session.close();
    });
    expect(await closing.session.closed).toMatchObject({ reason: "local" });
  });
});
