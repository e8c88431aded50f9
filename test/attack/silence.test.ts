import { setTimeout as sleep } from "node:timers/promises";
import { connect, PortcullisError } from "@portcullis/client";
import { handshakeKeys, parkedPsk, parkedPskId, sealOpen, sealRecord } from "@portcullis/crypto";
import { parseBundle, utf8 } from "@portcullis/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import { makeMember, makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { type Attacker, dial } from "./support/attacker.ts";
import { type Bystanders, startBystanders } from "./support/bystander.ts";
import { bareDenied, closeOf } from "./support/closes.ts";
import { destinationIn, knock, makeOpen } from "./support/knock.ts";

const full = process.env.PORTCULLIS_FULL === "1";
vi.setConfig({ testTimeout: 15_000 });

const gates = [{ gate: "key" }, { gate: "otp" }];
const deadlines = { answer: "10s", handshake: "10s" };
const wrong = "000000";

let world: World;
let bystanders: Bystanders;
let prompted: OwnedSocket;
let offered: OwnedSocket;
let bob: Authenticator;
let trips: string[] = [];

beforeAll(async () => {
  world = await startWorld({ env: { SWEEP_INTERVAL: "10m" }, onRoundTrip: (name) => void trips.push(name) });
  bystanders = await startBystanders(world);
  const onFailure = { attempts: 2, then: "silence", free: 100 };
  prompted = await makeSocket(world.owner, { gates, onFailure, deadlines });
  offered = await makeSocket(world.owner, { gates, onFailure, deadlines, mode: "offered" });
  bob = await makeMember(world.owner, prompted, "bob");
  await makeMember(world.owner, offered, "bob");
});
afterEach(() => bystanders.undisturbed());
afterAll(async () => {
  await bystanders.leave();
  await world.close();
});

/** Everything that comes within a while, and whether it is still open. */
async function heardWithin(ms: number, { heard, closed }: Attacker) {
  const from = heard.length;
  const close = await Promise.race([closed, sleep(ms).then(() => null)]);
  return { frames: heard.slice(from), close };
}
const nothing = { frames: [], close: null };

/** Behind the key, all attempts used up. */
async function silenced() {
  const intruder = await knock(`${prompted.url}?id=bob`, { appKey: prompted.appKey });
  for (let n = 1; n <= 2; n += 1) {
    const { cid } = await intruder.challenge();
    await intruder.say({ n, t: "answer", cid, gate: "otp", value: wrong });
  }
  await expect.poll(() => trips.filter((name) => name === "identity.handshake.step").length).toBeGreaterThanOrEqual(2);
  await sleep(100);
  return intruder;
}

describe("who has used up their attempts under `silence`", () => {
  test("hears nothing, whatever they say, and nobody looks at it: not at the right code either", async () => {
    trips = [];
    const intruder = await silenced();
    trips = [];
    await intruder.say({ n: 3, t: "answer", cid: "c", gate: "otp", value: bob.code(world.now()) });
    intruder.send("{");
    intruder.send(intruder.openFrame);
    intruder.send(Buffer.alloc(100));
    expect(await heardWithin(400, intruder)).toEqual(nothing);
    expect(trips.filter((name) => name.includes("handshake") || name.includes("factors"))).toEqual([]);
    intruder.leave();
  });

  test("comes back to silence over another connection, and hears nothing there", async () => {
    const url = `${prompted.url}?id=bob`;
    const first = await dial(url);
    const hello = await first.hello();
    const { frame, handshake } = await makeOpen(hello, { appKey: prompted.appKey, dst: destinationIn(url) });
    const { client } = await handshakeKeys(handshake.prk);
    const psk = { id: parkedPskId(hello.hid), secret: await parkedPsk(handshake.prk) };
    first.send(frame);
    await first.next();
    // One that the machine counts without looking at it: for no question that stands, so it takes both attempts to be silenced.
    for (const counter of [0, 1]) {
      const plaintext = utf8(JSON.stringify({ n: counter + 1, t: "answer", cid: "none", gate: "otp", value: wrong }));
      trips = [];
      first.send(await sealRecord({ type: 0x10, generation: 0, counter, secret: client, plaintext }));
      await expect.poll(() => trips).toContain("identity.handshake.step");
      await sleep(50);
    }
    first.leave();

    const second = await dial(url);
    const again = await second.hello();
    const publicKey = parseBundle(again.bundle).suites["0020"];
    if (publicKey === undefined) throw new Error("no such suite");
    const payload = { dst: destinationIn(url) };
    second.send((await sealOpen({ hello: again, suite: "0020", publicKey, psk, payload })).frame);
    expect(await heardWithin(400, second)).toEqual(nothing);
    second.leave();
  });

  test("is told by their own SDK that the time has passed, by their own deadline", async () => {
    const startedAt = performance.now();
    const options = { appKey: prompted.appKey, answers: { otp: () => wrong }, timeoutMs: 1_500 };
    const error = await connect(`${prompted.url}?id=bob`, options).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PortcullisError);
    expect(error).toMatchObject({ code: "timeout", message: "The time has passed." });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test.runIf(full)("is closed when the time of their handshake is over, as who never answered is", async () => {
    const [intruder, sleeper] = [await silenced(), await knock(`${prompted.url}?id=bob`, { appKey: prompted.appKey })];
    await sleeper.challenge();
    expect(await intruder.closed).toEqual(closeOf("deadline"));
    expect(intruder.heard).toHaveLength(3);
    expect((await sleeper.closed).code).toBe(closeOf("deadline").code);
  });
});

describe("in offered mode", () => {
  test("an offer that is wrong and one that was one too many are met by the same: nothing", async () => {
    const intruder = await knock(`${offered.url}?id=bob`, { appKey: offered.appKey });
    for (let n = 1; n <= 3; n += 1) {
      await intruder.say({ n, t: "offer", answers: [{ gate: "otp", value: wrong }] });
      expect(await heardWithin(200, intruder)).toEqual(nothing);
    }
    intruder.leave();
  });

  test.runIf(full)("and they end alike", async () => {
    const ends = [1, 2].map(async (wrongs) => {
      const intruder = await knock(`${offered.url}?id=bob`, { appKey: offered.appKey });
      for (let n = 1; n <= wrongs; n += 1) {
        await intruder.say({ n, t: "offer", answers: [{ gate: "otp", value: wrong }] });
        await sleep(200);
      }
      const close = await intruder.closed;
      return { close, frames: intruder.heard.length };
    });
    const [waiting, silent] = await Promise.all(ends);
    expect(silent).toEqual({ close: closeOf("deadline"), frames: 1 });
    expect(waiting).toEqual(silent);
  });
});

describe("whoever has proven nothing", () => {
  test("sees the same bytes whatever a socket does to those who fail, and where there is none", async () => {
    const sockets = await Promise.all(
      ["deny", "lockout", "silence"].map((then) => makeSocket(world.owner, { gates, onFailure: { then } })),
    );
    const elsewhere = await makeSocket(world.owner);
    const seen = [];
    for (const url of [...sockets.map((socket) => socket.url), `${elsewhere.url}x`]) {
      for (const key of [elsewhere.appKey, null]) {
        trips = [];
        const stranger = await dial(`${url}?id=bob`);
        const hello = await stranger.hello();
        const { frame } = await makeOpen(hello, { appKey: key, dst: destinationIn(`${url}?id=bob`) });
        stranger.send(frame);
        const close = await stranger.closed;
        seen.push({ frames: stranger.heard.slice(1), close, trips: trips.filter((name) => name !== "keys.bundle") });
      }
    }
    const [first] = seen;
    expect(first).toMatchObject({ frames: [bareDenied], close: closeOf("denied") });
    expect(new Set(seen.map((each) => JSON.stringify(each))).size).toBe(1);
  });
});
