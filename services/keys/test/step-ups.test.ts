import {
  askStepUp,
  consumersKey,
  deliverToSession,
  type LiveSessionView,
  liveSessionKey,
  type Outcome,
  readStepUp,
  ServiceError,
  sealExpiries,
  sealFarewells,
  takeStepUp,
} from "@portcullis/contracts";
import { encodeControl, encodeMessageUp, parseMessageDown } from "@portcullis/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bodyOf, type Entered, enter, letIn, listen, openGroup } from "./support/session.ts";
import { challenge, denied, liveEntry, startWorld, type World } from "./support/world.ts";

let world: World;
/** In the place of `identity`: what stands, and what was asked of it. */
let standing: Outcome;
let asked: { readonly class: string | null; readonly hid: string; readonly transcript: string }[];
let taken: { readonly n: number; readonly action: unknown; readonly transcript: string }[];
/** What an answer leads to. */
let onTake: () => Promise<void> | void;
const hours = 86_400_000;
const nothing: Outcome = { say: "nothing", deadlineMs: 0 };
const passed = (): Outcome => ({
  say: "stepped-up",
  gates: ["otp"],
  assurance: { memberBound: true, gates: ["otp"] },
  atMs: world.now(),
  untilMs: world.now() + 300_000,
});

beforeEach(async () => {
  world = await startWorld();
  [standing, asked, taken, onTake] = [nothing, [], [], () => {}];
  const { server } = world.embedded.platformFor("identity");
  let n = 0;
  const say = () => {
    n += 1;
    const clock = { askAtMs: world.now() + 1_000, endAtMs: world.now() + 31_000 };
    return { outcome: standing, n: standing.say === "nothing" ? 0 : n, clock };
  };
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  await server.serve(askStepUp, ({ class: kind, hid, transcript }) => {
    asked.push({ class: kind, hid, transcript: text(transcript) });
    return say();
  });
  await server.serve(takeStepUp, async ({ n: number, action, transcript }) => {
    taken.push({ n: number, action, transcript: text(transcript) });
    await onTake();
    return say();
  });
});
afterEach(() => world.close());

async function member(
  view: LiveSessionView = { holdAtMs: null, classes: { transfer: 0 } },
  sealed = true,
  mode: "broadcast" | "consumer" = "broadcast",
) {
  const outcome = letIn(world, { sealed });
  const stepUp = { askAtMs: world.now(), endAtMs: world.now() + hours };
  const { key } = await world.mint();
  const admitted = { ...outcome.admitted, placed: true, mode, stepUp };
  const bob = await enter(world, { appKey: key, outcome: { ...outcome, admitted } });
  await setView(bob, view);
  return bob;
}
async function setView({ sid }: { readonly sid: string }, view: LiveSessionView) {
  const { state } = world.platform;
  const found = await state.get(liveSessionKey(sid));
  if (found === null) throw new Error("it is over");
  await state.replace(liveSessionKey(sid), found.version, liveEntry(view), hours);
}
const free: LiveSessionView = { holdAtMs: null, classes: { transfer: Number.MAX_SAFE_INTEGER } };
const message = async (bob: Entered, counter: number, body: string, kind?: string) => {
  const head = kind === undefined ? {} : { class: kind };
  const bytes = encodeMessageUp({ counter, head, body: Buffer.from(body) });
  return bob.accepted.sealed ? bob.seal(bytes) : bytes;
};
const answer = (bob: Entered) => bob.seal(encodeControl({ t: "answer", cid: "c1", gate: "otp", value: "123456" }));
const told = async (bob: Entered, frames: readonly Uint8Array[]) =>
  (await Promise.all(frames.map(bob.open))).map(({ t }) => t);
const parkedOf = ({ sid }: Entered) => world.platform.state.get(`keys:parked:${sid}`);

describe("a message of a class", () => {
  it("is not placed before the step-up was passed; then it is, once and in order, and says its class", async () => {
    const events = await listen(world);
    const bob = await member();
    standing = challenge(world.now() + 30_000);
    const first = await bob.take(await message(bob, 0, "plain"), await message(bob, 1, "pay", "transfer"));
    expect(await told(bob, first.frames)).toEqual(["challenge"]);
    expect(first.stepUp).not.toBeNull();
    const second = await bob.take(await message(bob, 2, "behind"));
    expect(await told(bob, second.frames)).toEqual(["challenge"]);
    expect(asked.map((each) => each.class)).toEqual(["transfer", "transfer"]);
    expect(await world.platform.state.sum("keys:places:socket-1")).toBe(1);
    onTake = async () => {
      standing = passed();
      await setView(bob, free);
    };
    const third = await bob.take(await answer(bob));
    expect(await told(bob, third.frames)).toEqual(["stepped-up"]);
    expect(await world.platform.state.sum("keys:places:socket-1")).toBe(3);
    expect(await parkedOf(bob)).toBeNull();
    await expect.poll(() => events.length).toBeGreaterThanOrEqual(3);
    const downs = await Promise.all(events.slice(0, 3).map(({ frame }) => openGroup(bob.accepted.group, frame)));
    expect(downs.map(bodyOf)).toEqual(["plain", "pay", "behind"]);
    expect(downs.map((down) => (down.t === "message" ? down.head.class : null))).toEqual([
      undefined,
      "transfer",
      undefined,
    ]);
    // Bound to this connection, and to nothing that the handshake was bound to.
    expect(new Set([...asked, ...taken].map(({ transcript }) => transcript)).size).toBe(1);
  });

  it("is placed by any replica that finds it may go, should whoever was to do it be gone", async () => {
    const bob = await member();
    standing = challenge(world.now() + 30_000);
    await bob.take(await message(bob, 0, "pay", "transfer"));
    await setView(bob, free);
    standing = passed();
    const { frames } = await world.edge.call(readStepUp, { sid: bob.sid, hid: bob.hid });
    expect(await told(bob, frames)).toEqual(["stepped-up"]);
    expect(await world.platform.state.sum("keys:places:socket-1")).toBe(1);
  });

  it("said again, by the edge or over another connection, waits once", async () => {
    const bob = await member(undefined, false);
    standing = challenge(world.now() + 30_000);
    const frames = [await message(bob, 0, "pay", "transfer"), await message(bob, 1, "behind")];
    for (let times = 0; times < 3; times += 1) expect((await bob.take(...frames)).close).toBeNull();
    await setView(bob, free);
    standing = passed();
    await bob.take(...frames);
    expect(await world.platform.state.sum("keys:places:socket-1")).toBe(2);
  });

  it("that is not covered any more asks again", async () => {
    const bob = await member({ holdAtMs: null, classes: { transfer: world.now() + 1_000 } });
    expect((await bob.take(await message(bob, 0, "pay", "transfer"))).frames).toEqual([]);
    world.advance(1_000);
    standing = challenge(world.now() + 30_000);
    expect(await told(bob, (await bob.take(await message(bob, 1, "pay", "transfer"))).frames)).toEqual(["challenge"]);
    expect(await world.platform.state.sum("keys:places:socket-1")).toBe(1);
  });

  it.each(["other", "constructor", "tostring"])(
    "that is not the policy's (%s) ends the session: nothing may claim it",
    async (kind) => {
      const bob = await member(free);
      expect(await bob.take(await message(bob, 0, "pay", kind))).toMatchObject({ close: 4501 });
      expect(await world.platform.state.sum("keys:places:socket-1")).toBe(0);
    },
  );

  it("does not jump the line, nor wait without bounds", async () => {
    const bob = await member();
    standing = challenge(world.now() + 30_000);
    await bob.take(await message(bob, 0, "pay", "transfer"));
    expect(await bob.take(await message(bob, 2, "too far"))).toMatchObject({ close: 4501 });
    const eve = await member();
    const many = await Promise.all(Array.from({ length: 64 }, (_, n) => message(eve, n, "x", "transfer")));
    expect((await eve.take(...many)).close).toBeNull();
    expect(await eve.take(await message(eve, 64, "x"))).toMatchObject({ close: 4029 });
    const ann = await member();
    const large = "x".repeat(60_000);
    for (let n = 0; n < 4; n += 1) expect((await ann.take(await message(ann, n, large, "transfer"))).close).toBeNull();
    expect(await ann.take(await message(ann, 4, large))).toMatchObject({ close: 4029 });
    expect(await world.platform.state.sum("keys:places:socket-1")).toBe(0);
  });
});

describe("a session that owes something", () => {
  it("has what it sends wait from the moment that it is due, and is asked", async () => {
    const bob = await member({ holdAtMs: world.now() + 1_000, classes: {} });
    expect((await bob.take(await message(bob, 0, "in time"))).frames).toEqual([]);
    world.advance(1_000);
    standing = challenge(world.now() + 30_000);
    expect(await told(bob, (await bob.take(await message(bob, 1, "too late"))).frames)).toEqual(["challenge"]);
    expect(asked).toMatchObject([{ class: null, hid: bob.hid }]);
    expect(await world.platform.state.sum("keys:places:socket-1")).toBe(1);
  });

  it("is over where that was not passed: it hears so under seal, and what waited is gone with its keys", async () => {
    const bob = await member();
    standing = challenge(world.now() + 30_000);
    await bob.take(await message(bob, 0, "pay", "transfer"));
    onTake = async () => {
      standing = denied;
      await world.asIdentity.call(sealFarewells, { sids: [bob.sid], what: "step-up" });
      await world.platform.state.delete(liveSessionKey(bob.sid));
    };
    const { frames, close } = await bob.take(await answer(bob));
    expect([await bob.open(frames[0] ?? new Uint8Array()), close]).toEqual([{ t: "revoked", what: "step-up" }, 4003]);
    expect(await parkedOf(bob)).toBeNull();
    expect(await bob.take(await message(bob, 1, "after"))).toMatchObject({ frames: [], close: 4001 });
    expect(await world.platform.state.sum("keys:places:socket-1")).toBe(0);
  });

  it("that ended by itself is told so by any edge, has no keys any more, and its group another one", async () => {
    const bob = await member();
    const before = await world.platform.state.sum("identity:removals:socket-1");
    const asEdge = () => world.edge.call(sealExpiries, { sids: [bob.sid] });
    expect((await asEdge()).frames).toEqual([]);
    await world.platform.state.delete(liveSessionKey(bob.sid));
    const [said] = (await asEdge()).frames;
    expect(await bob.open(said?.frame ?? new Uint8Array())).toEqual({ t: "revoked", what: "step-up" });
    expect((await asEdge()).frames).toEqual([]);
    expect(await world.platform.state.sum("identity:removals:socket-1")).toBe(before + 1);
  });

  it("is not let through while nobody can say whether it was passed", async () => {
    const bob = await member();
    standing = challenge(world.now() + 30_000);
    onTake = () => {
      throw new ServiceError("unavailable");
    };
    await bob.take(await message(bob, 0, "pay", "transfer"));
    await expect(bob.take(await answer(bob))).rejects.toThrow();
    expect(await world.platform.state.sum("keys:places:socket-1")).toBe(0);
  });

  it("answers by its record's number, so that a record once more is the same answer", async () => {
    const bob = await member();
    standing = challenge(world.now() + 30_000);
    const frame = await answer(bob);
    await bob.take(frame);
    await bob.take(frame);
    expect(taken.map(({ n }) => n)).toEqual([1, 1]);
  });
});

describe("a session that owes nothing, ever", () => {
  it("has no classes, and no answer in it is one", async () => {
    const { key } = await world.mint();
    const bob = await enter(world, { appKey: key, outcome: letIn(world) });
    expect(await bob.take(await answer(bob))).toMatchObject({ close: 4501 });
    const eve = await enter(world, { appKey: key, outcome: letIn(world) });
    expect(await eve.take(await message(eve, 0, "pay", "transfer"))).toMatchObject({ close: 4501 });
    expect([asked, taken]).toEqual([[], []]);
  });
});

describe("a message to consumers", () => {
  const held: LiveSessionView = { holdAtMs: 0, classes: { transfer: 0 } };
  let handed: string[];
  let onHanded: () => Promise<void> | void;
  beforeEach(async () => {
    [handed, onHanded] = [[], () => {}];
    const edge = world.embedded.platformFor("edge");
    const take = async ({ sid, ref, frame }: { sid: string; ref: string | null; frame: Uint8Array }) => {
      const { head, body } = parseMessageDown(frame);
      // As an edge does it: what comes again is not written again.
      if (!handed.some((each) => each.startsWith(`${ref} `)))
        handed.push(`${ref} ${sid === head.to} ${Buffer.from(body)} ${head.class}`);
      await onHanded();
      return { taken: true };
    };
    await edge.server.serve(deliverToSession, take, { route: "edge-1" });
  });
  const heard = () => handed.map((each) => each.split(" ").slice(1).join(" "));
  const answered = (bob: Entered, frames: readonly Uint8Array[]) => Promise.all(frames.map(bob.open));

  async function consumer() {
    const outcome = letIn(world, { sealed: false });
    const { key } = await world.mint();
    const admitted = { ...outcome.admitted, role: "consumer" as const, mode: "consumer" as const, relayed: true };
    const program = await enter(world, { appKey: key, outcome: { ...outcome, admitted } });
    await world.platform.state.join(consumersKey("socket-1"), program.sid, world.now() + hours);
    return program;
  }

  it("waits like any other, reaches one of them with its class, and its sender hears that it arrived only then", async () => {
    await consumer();
    await consumer();
    const bob = await member(undefined, false, "consumer");
    standing = challenge(world.now() + 30_000);
    const first = await bob.take(await message(bob, 0, "pay", "transfer"), await message(bob, 1, "behind"));
    expect(await told(bob, first.frames)).toEqual(["challenge"]);
    expect(handed).toEqual([]);
    onTake = async () => {
      standing = passed();
      await setView(bob, free);
    };
    // Whoever takes the answer and whoever is asked what stands see to it at once.
    const [second, read] = await Promise.all([
      bob.take(await answer(bob)),
      world.edge.call(readStepUp, { sid: bob.sid, hid: bob.hid }),
    ]);
    expect(await answered(bob, [...second.frames, ...read.frames])).toContainEqual({ t: "arrived", counter: 1 });
    expect(read.close).toBeNull();
    expect(heard()).toEqual(["true pay transfer", "true behind undefined"]);
    expect(await parkedOf(bob)).toBeNull();
  });

  it("that waited and that nobody takes is told to be undelivered, whoever is asked", async () => {
    const bob = await member(undefined, false, "consumer");
    standing = challenge(world.now() + 30_000);
    await bob.take(await message(bob, 0, "pay", "transfer"));
    standing = passed();
    await setView(bob, free);
    const { frames } = await world.edge.call(readStepUp, { sid: bob.sid, hid: bob.hid });
    expect(await answered(bob, frames)).toMatchObject([
      { t: "stepped-up" },
      { t: "undelivered", counter: 0 },
      { t: "arrived", counter: 0 },
    ]);
  });

  it("that was handed over before is said to have arrived while a step-up stands, and gets no class by it", async () => {
    await consumer();
    const bob = await member(free, false, "consumer");
    await bob.take(await message(bob, 0, "a"), await message(bob, 1, "b"));
    await setView(bob, held);
    standing = challenge(world.now() + 30_000);
    const again = await bob.take(await message(bob, 0, "a"), await message(bob, 1, "b", "transfer"));
    expect(await answered(bob, again.frames)).toEqual([{ t: "arrived", counter: 1 }]);
    expect(heard()).toEqual(["true a undefined", "true b undefined"]);
    await bob.take(await message(bob, 2, "c"));
    expect(heard()).toHaveLength(2);
  });

  it("waits from the moment that a step-up is demanded, also where it came together with one that was let go before", async () => {
    await consumer();
    const bob = await member(free, false, "consumer");
    onHanded = () => setView(bob, held);
    standing = challenge(world.now() + 30_000);
    const { frames } = await bob.take(await message(bob, 0, "before"), await message(bob, 1, "after", "transfer"));
    expect(await told(bob, frames)).toEqual(["challenge", "arrived"]);
    expect(heard()).toEqual(["true before undefined"]);
  });

  it("is no member's to address, also where it would wait", async () => {
    const program = await consumer();
    const bob = await member(held, false, "consumer");
    const head = { to: program.sid };
    const frame = encodeMessageUp({ counter: 0, head, body: Buffer.from("x") });
    expect(await bob.take(frame)).toMatchObject({ close: 4501 });
    expect(await parkedOf(bob)).toBeNull();
  });
});
