import { setTimeout as sleep } from "node:timers/promises";
import { type ConsumerSession, connect, connectConsumer, type Session } from "@portcullis/client";
import { encodeMessageUp, utf8 } from "@portcullis/protocol";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { makeKey, makeSocket, type OwnedSocket, plantKey } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { goOn } from "./support/go-on.ts";
import { type Insider, insider } from "./support/insider.ts";
import { message } from "./support/knock.ts";
import { liveSessions } from "./support/sessions.ts";

vi.setConfig({ testTimeout: 20_000 });

/** By the key alone, from here: the intruder is inside at once, and what they do there is the matter. */
const policy = {
  gates: [{ gate: "key" }, { when: { network: ["192.0.2.0/24"] }, then: [{ gate: "otp" }] }],
  anonymous: true,
  onFailure: { then: "decoy" },
  encryption: { session: "required" },
  resume: "1m",
};
const forms: [string, { messaging: object }][] = [
  ["of its members", { messaging: { history: { messages: 50 } } }],
  ["of the owner's program", { messaging: { mode: "consumer" } }],
];

let world: World;
beforeAll(async () => {
  world = await startWorld({ replicas: true, env: { TICK_INTERVAL: "300ms" } });
});
afterAll(() => world.close());

/** The texts that somebody hears, as they come. */
function listen(session: AsyncIterable<{ text(): string }>): string[] {
  const heard: string[] = [];
  void (async () => {
    for await (const each of session) heard.push(each.text());
  })();
  return heard;
}

describe.each(forms)("from inside a decoy, on a socket %s,", (_, form) => {
  let socket: OwnedSocket;
  let planted: string;
  let bob: Session;
  let program: ConsumerSession;
  let mallory: Insider;
  let heardByBob: string[];
  let heardByProgram: string[];
  const named: string[] = [];
  beforeAll(async () => {
    socket = await makeSocket(world.owner, { ...policy, ...form });
    planted = (await plantKey(world.owner, socket.id)).appKey;
    const { appKey } = await makeKey(world.owner, socket.id, "consumer");
    const note = (sid: string) => void named.push(sid);
    program = await connectConsumer(socket.url, { appKey, onJoin: ({ sid }) => note(sid), onLeave: note });
    bob = await connect(socket.url, { appKey: socket.appKey, echo: true });
    [heardByBob, heardByProgram] = [listen(bob), listen(program)];
    await bob.send("a secret of bob's");
  });
  beforeEach(async () => {
    mallory = await insider(socket.url, { appKey: planted });
  });
  /** Bob is there, and heard; nobody has heard anything else, or of anybody else. */
  afterEach(async () => {
    mallory.leave();
    heardByProgram.length = 0;
    await bob.send("undisturbed");
    await expect.poll(() => heardByProgram).toEqual(["undisturbed"]);
    expect(heardByBob.filter((text) => text !== "undisturbed" && text !== "a secret of bob's")).toEqual([]);
    expect((await liveSessions(world, socket.id)).toSorted()).toEqual([bob.sid, program.sid].toSorted());
    expect(named).not.toContain(mallory.accepted.sid);
  });
  afterAll(async () => {
    await Promise.all([bob.close(), program.close()]);
  });

  test.each(["who", "kick", "step-up"])("`%s` of who is really there ends the session of whoever asks", async (t) => {
    for (const sid of [bob.sid, program.sid]) {
      const own = await insider(socket.url, { appKey: planted });
      own.send(await own.up(JSON.stringify({ t, ref: "r", sid })));
      expect((await own.closed).reason).toBe("out-of-order");
    }
  });

  test("a message to who is really there reaches nobody", async () => {
    for (const to of [bob.sid, program.sid]) {
      const own = await insider(socket.url, { appKey: planted });
      own.send(await own.up(encodeMessageUp({ counter: 0, body: utf8("for you"), head: { to } })));
      await own.reaction();
      own.leave();
    }
  });

  test("what is asked for from the beginning is nothing of what was really said", async () => {
    mallory.send(await mallory.up(message(0, "hello")));
    const { close } = await mallory.reaction();
    expect(close).toBeNull();
    const told = (await mallory.told()).join();
    expect(told).toContain('"caught-up"');
    expect(told).not.toContain("a secret of bob's");
    expect(told.includes("hello")).toBe("history" in form.messaging);
  });

  test("nobody goes on with a session that is another's, not with their own secret either", async () => {
    const invented = new Uint8Array(32).fill(1);
    for (const sid of [bob.sid, program.sid]) {
      for (const secret of [mallory.resume, invented])
        expect(await goOn(socket.url, sid, secret)).toBe('{"t":"denied","code":"denied"}');
    }
    expect(await goOn(socket.url, mallory.accepted.sid, invented)).toBe('{"t":"denied","code":"denied"}');
    expect(await goOn(socket.url, mallory.accepted.sid, mallory.resume)).toBeInstanceOf(Buffer);
  });

  test("and a flood is stopped as it is on the socket, while who is there is heard", async () => {
    const floods = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const own = await insider(socket.url, { appKey: planted });
        for (let n = 0; n < 400; n += 1) own.send(await own.up(message(n, "flood".repeat(200))));
        return own.closed;
      }),
    );
    expect(new Set(floods.map(({ reason }) => reason))).toEqual(new Set(["rate"]));
  });
});

describe("what is done to who is really there", () => {
  test("does not reach who is in a decoy, but where their key or the socket goes", async () => {
    const socket = await makeSocket(world.owner, policy);
    const { appKey: second, keyId } = await makeKey(world.owner, socket.id);
    const planted = await plantKey(world.owner, socket.id);
    const other = await plantKey(world.owner, socket.id);
    const [bob, ann, mallory, eve] = await Promise.all([
      connect(socket.url, { appKey: socket.appKey }),
      connect(socket.url, { appKey: second }),
      insider(socket.url, { appKey: planted.appKey }),
      insider(socket.url, { appKey: other.appKey }),
    ]);
    const ends: string[] = [];
    for (const [name, { closed }] of Object.entries({ mallory, eve })) void closed.then(() => ends.push(name));
    await world.owner.delete(`/v1/sockets/${socket.id}/sessions/${bob.sid}`);
    await bob.closed;
    await world.owner.delete(`/v1/sockets/${socket.id}/keys/${keyId}`);
    await ann.closed;
    await sleep(300);
    expect(ends).toEqual([]);
    await world.owner.delete(`/v1/sockets/${socket.id}/keys/${planted.keyId}`);
    await expect.poll(() => ends).toEqual(["mallory"]);
    await world.owner.delete(`/v1/sockets/${socket.id}`);
    await expect.poll(() => ends).toEqual(["mallory", "eve"]);
  });
});
