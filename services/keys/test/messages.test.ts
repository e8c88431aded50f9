import { setTimeout as sleep } from "node:timers/promises";
import {
  groupGrants,
  liveSessionKey,
  placedMessage,
  removalsKey,
  removalsTtlMs,
  sealExpiries,
  takeMessages,
} from "@portcullis/contracts";
import { CryptoError } from "@portcullis/crypto";
import { encodeMessageUp, type MessageDown, parseMessageDown } from "@portcullis/protocol";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createTicks } from "../src/messages/ticks.ts";
import { bodyOf, type Entered, enter, letIn, listen, openGroup, type Terms } from "./support/session.ts";
import { codeOf, startWorld, type World } from "./support/world.ts";

let world: World;
let appKey: string;
beforeEach(async () => {
  world = await startWorld({ tickEveryMs: 100 });
  ({ key: appKey } = await world.mint());
});
afterEach(() => world.close());

const member = (terms: Terms = {}) => enter(world, { appKey, outcome: letIn(world, terms) });
/** As `identity` does it. */
const putOut = ({ sid }: Entered) =>
  world.platform.state.deleteAndCount(liveSessionKey(sid), removalsKey("socket-1"), removalsTtlMs);
/** What an edge gets for its sessions when it has heard a message of this epoch. */
const grants = async (epoch: number, ...sids: string[]) =>
  (await world.edge.call(groupGrants, { socketId: "socket-1", epoch, after: 0, sids })).frames;
const isMessage = (down: { t: string }): down is { t: "message" } & MessageDown => down.t === "message";

async function messagesOf(events: readonly { frame: Uint8Array }[], { accepted }: Entered) {
  const opened = await Promise.all(events.map(({ frame }) => openGroup(accepted.group, frame)));
  return opened.filter(isMessage);
}

describe("a message of a sealed socket", () => {
  it("is opened, placed, and sealed once for everybody", async () => {
    const events = await listen(world);
    const [bob, eve] = [await member(), await member()];
    expect(bob.accepted).toMatchObject({ sealed: true, place: 0, resumeMs: 60_000 });
    expect(bob.accepted.group).toEqual(eve.accepted.group);
    expect(await bob.take(await bob.message(0, "one"), await bob.message(1, "two"))).toEqual({
      frames: [],
      close: null,
      stepUp: null,
    });
    await eve.take(await eve.message(0, "three"));
    await expect.poll(() => events.length).toBeGreaterThanOrEqual(3);
    const messages = await messagesOf(events, eve);
    expect(
      messages.map(({ head, sequence, body }) => [head.sid, sequence, head.place, `${Buffer.from(body)}`]),
    ).toEqual([
      [bob.sid, 0, 1, "one"],
      [bob.sid, 1, 2, "two"],
      [eve.sid, 0, 3, "three"],
    ]);
    expect(messages.every(({ head }) => head.member === "bob")).toBe(true);
    expect(events.every(({ epoch, frame }) => epoch === 0 && frame[0] === 0x30)).toBe(true);
  });

  it("has its one place whatever the bus does: late, twice, out of turn, on any replica", {
    timeout: 60_000,
  }, async () => {
    const events = await listen(world);
    const senders = [await member(), await member(), await member()];
    const count = 30;
    await Promise.all(
      senders.map(async (sender) => {
        const echoes: Promise<unknown>[] = [];
        for (let n = 0; n < count; n += 1) {
          const frame = await sender.message(n, `${n}`);
          // What a bus does that loses answers: the same question again, at once, later, and again when others came meanwhile.
          const again = async (delayMs: number) => {
            await sleep(delayMs);
            return sender.take(frame).catch(() => null);
          };
          echoes.push(again(Math.random() * 5), again(Math.random() * 50));
          expect((await sender.take(frame)).close).toBe(null);
        }
        const replies = await Promise.all(echoes);
        expect(replies.every((reply) => (reply as { close: null } | null)?.close === null)).toBe(true);
      }),
    );
    const messages = await messagesOf(events.slice(), senders[0] ?? (await member()));
    const placeOf = new Map<string, Set<number>>();
    for (const { head, sequence } of messages) {
      const name = `${head.sid} ${sequence}`;
      placeOf.set(name, (placeOf.get(name) ?? new Set()).add(head.place ?? 0));
    }
    expect(placeOf.size).toBe(count * senders.length);
    expect([...placeOf.values()].every((places) => places.size === 1)).toBe(true);
    expect(new Set([...placeOf.values()].map((places) => [...places][0])).size).toBe(placeOf.size);
    for (const { sid } of senders) {
      const places = Array.from({ length: count }, (_, n) => [...(placeOf.get(`${sid} ${n}`) ?? [])][0] ?? 0);
      expect(places).toEqual(places.toSorted((a, b) => a - b));
    }
  });

  it("that was placed and not said, because its replica died, is said when it comes again", async () => {
    const events = await listen(world);
    const bob = await member();
    const frame = await bob.message(0, "once");
    const stop = world.before("state.get", async (_replica, key) => {
      // The look at whether the sender is still there, behind the place.
      if (key === liveSessionKey(bob.sid) && (await world.platform.state.sum("keys:places:socket-1")) === 1) {
        stop();
        throw new Error("killed");
      }
    });
    expect(await codeOf(bob.take(frame))).toBe("internal");
    expect(events).toEqual([]);
    await bob.take(frame);
    await expect.poll(() => events.length).toBe(1);
    expect((await messagesOf(events, bob))[0]?.head.place).toBe(1);
  });

  it.each([
    ["a counter that is not the next", async (bob: Entered) => bob.message(1, "x"), 4501],
    ["a message that is not sealed", async () => encodeMessageUp({ counter: 0, body: Buffer.from("x") }), 4501],
    ["a message over the socket's limit", async (bob: Entered) => bob.message(0, new Uint8Array(65_537)), 4502],
    ["a record that does not open", async (bob: Entered) => (await bob.message(0, "x")).fill(0, 20), 4500],
    ["a record of the handshake", async (bob: Entered) => (await bob.message(0, "x")).fill(0x10, 0, 1), 4501],
    ["words that nobody knows", async (bob: Entered) => bob.seal(Buffer.from('{"t":"rekey"}')), 4500],
  ])("%s ends the session, and what came before it counts", async (_what, frame, close) => {
    const events = await listen(world);
    const bob = await member();
    expect(await bob.take(await frame(bob))).toEqual({ frames: [], close, stepUp: null });
    expect(events).toEqual([]);
    const eve = await member();
    const bad = await eve.message(5, "bad");
    expect(await eve.take(await eve.message(0, "good"), bad, await eve.message(1, "late"))).toMatchObject({
      close: 4501,
    });
    await expect.poll(() => events.length).toBe(1);
    expect((await messagesOf(events, eve)).map(bodyOf)).toEqual(["good"]);
  });

  it("is said again only as it was: another one under its number is none", async () => {
    const events = await listen(world);
    const bob = await member();
    await bob.take(await bob.message(0, "one"));
    await expect.poll(() => events.length).toBe(1);
    expect(await bob.take(await bob.message(0, "another"), await bob.message(1, "two"))).toMatchObject({ close: null });
    await expect.poll(async () => (await messagesOf(events, bob)).map(bodyOf)).toEqual(["one", "two"]);
  });

  it("of somebody else's connection, or of nobody's session, is not taken", async () => {
    const events = await listen(world);
    const [bob, eve] = [await member(), await member()];
    const frames = [await bob.message(0, "x")];
    const over = { frames: [], close: 4001, stepUp: null };
    expect(await world.edge.call(takeMessages, { sid: bob.sid, hid: eve.hid, frames })).toEqual(over);
    expect(await world.edge.call(takeMessages, { sid: "nobody", hid: bob.hid, frames })).toEqual(over);
    expect(await eve.take(...frames)).toMatchObject({ close: 4500 });
    expect(events).toEqual([]);
  });

  it("ticks until a while after the last message, so that its loss is noticed", async () => {
    const events = await listen(world);
    const bob = await member();
    await bob.take(await bob.message(0, "the last"));
    await expect.poll(() => events.length, { timeout: 3_000 }).toBe(5);
    const opened = await Promise.all(events.map(({ frame }) => openGroup(bob.accepted.group, frame)));
    expect(opened.slice(1)).toEqual(Array(4).fill({ t: "tick", place: 1 }));
    await sleep(250);
    expect(events).toHaveLength(5);
  });

  it("is followed by as many ticks, also where there were some before it", () => {
    vi.useFakeTimers();
    try {
      const ticked: string[] = [];
      const ticks = createTicks({
        everyMs: 10,
        tick: async (socketId) => void ticked.push(socketId),
        log: { warn: () => {} },
      });
      ticks.after("socket-1");
      vi.advanceTimersByTime(35);
      ticks.after("socket-1");
      vi.advanceTimersByTime(1_000);
      expect(ticked).toHaveLength(3 + 4);
      expect(vi.getTimerCount()).toBe(0);
      ticks.after("socket-1");
      ticks.close();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("who was put out", () => {
  it("has no part in what is said from then on, nor in its key; the others get it", async () => {
    const events = await listen(world);
    const [bob, eve] = [await member(), await member()];
    await putOut(eve);
    expect(await eve.take(await eve.message(0, "still here?"))).toEqual({ frames: [], close: 4001, stepUp: null });
    expect(await eve.take(await eve.catchUp(0))).toEqual({ frames: [], close: 4001, stepUp: null });
    await bob.take(await bob.message(0, "she is gone"));
    await expect.poll(() => events.length).toBe(1);
    const [first] = events;
    expect(first?.epoch).toBe(1);
    await expect(openGroup(eve.accepted.group, first?.frame ?? new Uint8Array())).rejects.toThrow(CryptoError);

    const frames = await grants(1, bob.sid, eve.sid, "nobody");
    expect(frames.map(({ sid }) => sid)).toEqual([bob.sid]);
    const grant = await bob.open(frames[0]?.frame ?? new Uint8Array());
    if (grant.t !== "grant") throw new Error("no grant");
    expect(bodyOf(await openGroup(grant.group, first?.frame ?? new Uint8Array()))).toBe("she is gone");
    // The new key has nothing of the old one.
    await expect(
      openGroup({ ...grant.group, key: bob.accepted.group?.key ?? "" }, first?.frame ?? new Uint8Array()),
    ).rejects.toThrow(CryptoError);
  });

  it.each(["before the epoch is read", "before it is looked at whether they live"])(
    "while a message of theirs is looked at, %s, leaves nothing that they or others could misread",
    async (when) => {
      const events = await listen(world);
      const [bob, eve] = [await member(), await member()];
      const frame = await eve.message(0, "last words");
      let looks = 0;
      const stop =
        when === "before the epoch is read"
          ? world.before("state.sum", async (_replica, key) => {
              if (key !== removalsKey("socket-1")) return;
              stop();
              await putOut(eve);
            })
          : world.before("state.get", async (_replica, key) => {
              if (key !== liveSessionKey(eve.sid)) return;
              looks += 1;
              if (looks < 2) return;
              stop();
              await putOut(eve);
            });
      expect(await eve.take(frame)).toEqual({ frames: [], close: 4001, stepUp: null });
      await bob.take(await bob.message(0, "who?"));
      await expect.poll(() => events.length).toBe(1);
      expect(events[0]?.epoch).toBe(1);
    },
  );

  it("cannot open what gets its place afterwards, however long its replica stood still", async () => {
    const events = await listen(world);
    const [bob, eve] = [await member(), await member()];
    const frames = [await bob.message(0, "one"), await bob.message(1, "she is gone")];
    let places = 0;
    const stop = world.before("state.replaceAndCount", async () => {
      places += 1;
      if (places < 2) return;
      stop();
      await putOut(eve);
    });
    await bob.take(...frames);
    await expect.poll(() => events.slice(0, 2).map(({ epoch }) => epoch)).toEqual([0, 1]);
    await expect(openGroup(eve.accepted.group, events[1]?.frame ?? new Uint8Array())).rejects.toThrow(CryptoError);
  });

  it("with others in a row leaves to those who stay what was said in between, and to nobody else", async () => {
    const events = await listen(world);
    const [bob, ann, eve, mallory] = [await member(), await member(), await member(), await member()];
    for (const out of [eve, mallory]) {
      await putOut(out);
      await bob.take(await bob.message(out === eve ? 0 : 1, "x"));
    }
    await expect.poll(() => events.slice(0, 2).map(({ epoch }) => epoch)).toEqual([1, 2]);
    const late = await member();
    // An edge asks when both were put out already: first for what comes second.
    for (const [asked, given] of [
      [2, [1, 2]],
      [1, [1]],
    ] as const) {
      const frames = await grants(asked, ann.sid, eve.sid, mallory.sid, late.sid);
      expect(frames.map(({ sid }) => sid)).toEqual(given.map(() => ann.sid));
      for (const [index, { frame }] of frames.entries()) {
        const opened = await ann.open(frame);
        const group = opened.t === "grant" ? opened.group : undefined;
        expect(bodyOf(await openGroup(group, events[(given[index] ?? 0) - 1]?.frame ?? new Uint8Array()))).toBe("x");
      }
    }
  });

  it("while they ask for what they missed gets nothing, nor the key that came with that", async () => {
    const [bob, eve] = [await member(), await member()];
    await bob.take(await bob.message(0, "x"));
    const stop = world.before("state.sum", async (_replica, key) => {
      if (key !== removalsKey("socket-1")) return;
      stop();
      await putOut(eve);
    });
    expect(await eve.take(await eve.catchUp(0))).toEqual({ frames: [], close: 4001, stepUp: null });
  });

  it("while a message of theirs gets its place leaves it to nobody, not to who catches up either", async () => {
    const history = { messages: 3, ms: 60_000 };
    const [bob, eve] = [await member({ history }), await member({ history })];
    const stop = world.after("state.replaceAndCount", async () => {
      stop();
      await putOut(eve);
    });
    expect(await eve.take(await eve.message(0, "last words"))).toEqual({ frames: [], close: 4001, stepUp: null });
    const { frames } = await bob.take(await bob.catchUp(0));
    expect((await Promise.all(frames.map(bob.open))).map(({ t }) => t)).toEqual(["caught-up"]);
  });

  it("by time says nothing, whoever still holds its connection", async () => {
    const events = await listen(world);
    const bob = await member();
    world.advance(3_600_000);
    expect(await bob.take(await bob.message(0, "late"))).toEqual({ frames: [], close: 4001, stepUp: null });
    expect(events).toEqual([]);
  });

  it("while they are let in does not get the key that came with that", async () => {
    await member();
    const outcome = letIn(world);
    world.identity.onOpen = () => outcome;
    const client = await world.client({ appKey });
    const stop = world.before("state.sum", async (_replica, key) => {
      if (key !== removalsKey("socket-1")) return;
      stop();
      await world.platform.state.deleteAndCount(
        liveSessionKey(outcome.admitted.sid),
        removalsKey("socket-1"),
        removalsTtlMs,
      );
    });
    expect(await client.hear(await world.open(client.route, client.open))).toMatchObject({ t: "denied" });
  });

  it("by time together with others leaves the others one more key, not one for each", async () => {
    const bob = await member();
    const outcome = letIn(world);
    const brief: string[] = [];
    for (const sid of ["one", "two", "three"]) {
      const admitted = { ...outcome.admitted, sid, expiresAtMs: world.now() + 1_000 };
      brief.push((await enter(world, { appKey, outcome: { ...outcome, admitted } })).sid);
    }
    world.advance(1_000);
    expect((await world.edge.call(sealExpiries, { sids: brief })).frames).toHaveLength(3);
    expect((await member()).accepted.group?.epoch).toBe((bob.accepted.group?.epoch ?? 0) + 1);
  });

  it("by time counts too", async () => {
    const [bob, eve] = [await member(), await member()];
    const outcome = letIn(world);
    const brief = await enter(world, {
      appKey,
      outcome: { ...outcome, admitted: { ...outcome.admitted, expiresAtMs: world.now() + 1_000 } },
    });
    world.advance(1_000);
    await world.edge.call(sealExpiries, { sids: [brief.sid] });
    await bob.take(await bob.message(0, "without them"));
    expect(await grants((bob.accepted.group?.epoch ?? 0) + 1, bob.sid, eve.sid)).toHaveLength(2);
  });

  it("or was never in gets no key: of another socket, or of one that is not sealed", async () => {
    const [bob, stranger] = [await member(), await member({ socketId: "socket-2" })];
    const open = await member({ sealed: false, history: { messages: 3, ms: 60_000 } });
    await putOut(await member());
    await bob.take(await bob.message(0, "x"));
    expect((await grants(1, stranger.sid, open.sid, bob.sid)).map(({ sid }) => sid)).toEqual([bob.sid]);
  });

  it("or not: nobody has one key for longer than half a day", async () => {
    const bob = await member();
    world.advance(12 * 3_600_000);
    const eve = await member();
    expect(eve.accepted.group?.epoch).toBe((bob.accepted.group?.epoch ?? 0) + 1);
    expect(eve.accepted.group?.key).not.toBe(bob.accepted.group?.key);
  });

  it("leaves replicas that make the next key at once with one and the same", async () => {
    const [bob, eve, out] = [await member(), await member(), await member()];
    await putOut(out);
    const asked = [bob, eve, bob, eve, bob, eve].map(async (each) => each.take(await each.catchUp(0)));
    // Each may have heard it from another replica.
    const keys = await Promise.all(
      (await Promise.all(asked)).map(async ({ frames }, index) => {
        const opened = await (index % 2 === 0 ? bob : eve).open(frames[0] ?? new Uint8Array());
        return opened.t === "caught-up" ? opened.group?.key : "";
      }),
    );
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^.{43}$/);
  });
});

describe("what was missed", () => {
  const history = { messages: 3, ms: 60_000 };
  const texts = async (entered: Entered, after: number) => {
    const { frames } = await entered.take(await entered.catchUp(after));
    const opened = await Promise.all(frames.map(entered.open));
    return { texts: opened.filter(isMessage).map(bodyOf), end: opened.at(-1) };
  };

  it.each([true, false])("is said again as far as it is kept, for one alone (sealed: %s)", async (sealed) => {
    const [bob, eve] = [await member({ history, sealed }), await member({ history, sealed })];
    for (const n of [0, 1, 2, 3, 4]) await bob.take(await bob.message(n, `${n}`));
    expect(await texts(eve, 2)).toMatchObject({
      texts: ["2", "3", "4"],
      end: { t: "caught-up", through: 5, complete: true, more: false },
    });
    expect(await texts(eve, 0)).toMatchObject({ texts: ["2", "3", "4"], end: { complete: false } });
    expect(await texts(eve, 99)).toMatchObject({ texts: [], end: { through: 5, complete: true } });
    world.advance(60_000);
    expect(await texts(eve, 2)).toMatchObject({ texts: [], end: { through: 5, complete: false } });
    const { end } = await texts(eve, 2);
    expect(end !== undefined && "group" in end).toBe(sealed);
  });

  it("is kept no longer than it may be asked for", async () => {
    const bob = await member({ history });
    for (const n of [0, 1, 2, 3, 4]) await bob.take(await bob.message(n, `${n}`));
    const entries = [1, 2, 3, 4, 5].map((place) => world.platform.state.get(`keys:history:socket-1:${place}`));
    expect((await Promise.all(entries)).map((entry) => entry !== null)).toEqual([false, false, true, true, true]);
  });

  it("is looked for no further back than it is kept, whatever is asked for", async () => {
    const bob = await member({ history });
    for (let n = 0; n < 10; n += 1) await bob.take(await bob.message(n, `${n}`));
    let looks = 0;
    const stop = world.before("state.get", (_replica, key) => {
      if (String(key).startsWith("keys:history:")) looks += 1;
    });
    await texts(bob, 0);
    stop();
    expect(looks).toBe(history.messages);
  });

  it("is said once to who asks many times at once", async () => {
    const [bob, eve] = [await member({ history }), await member({ history })];
    await bob.take(await bob.message(0, "once"));
    const asks = [await eve.catchUp(1), await eve.catchUp(0), await eve.catchUp(1)];
    const { frames } = await eve.take(...asks);
    expect(frames).toHaveLength(2);
  });

  it("before one came is nobody's to hear", async () => {
    const bob = await member({ history });
    await bob.take(await bob.message(0, "among us"));
    const eve = await member({ history });
    expect(eve.accepted.place).toBe(1);
    expect(await texts(eve, 0)).toMatchObject({ texts: [], end: { through: 1, complete: true } });
  });

  it("is said to be lost where nothing is kept", async () => {
    const [bob, eve] = [await member(), await member()];
    await bob.take(await bob.message(0, "gone"));
    expect(await texts(eve, 0)).toMatchObject({ texts: [], end: { through: 1, complete: false } });
    expect(await texts(eve, 1)).toMatchObject({ texts: [], end: { through: 1, complete: true } });
  });

  it("comes in pages that the bus can carry", async () => {
    const kept = { messages: 12, ms: 60_000 };
    const [bob, eve] = [await member({ history: kept }), await member({ history: kept })];
    for (let n = 0; n < 12; n += 1) await bob.take(await bob.message(n, new Uint8Array(65_536).fill(n)));
    const first = await texts(eve, 0);
    expect(first.end).toMatchObject({ more: true, complete: true });
    const through = (first.end as { through: number }).through;
    const second = await texts(eve, through);
    expect(first.texts.length + second.texts.length).toBe(12);
    expect(second.end).toMatchObject({ through: 12, more: false, complete: true });
  });

  it("lies at rest under the master key", async () => {
    const bob = await member({ history });
    await bob.take(await bob.message(0, "a canary of its own"));
    const { state } = world.platform;
    const entry = Buffer.from((await state.get("keys:history:socket-1:1"))?.value ?? new Uint8Array());
    const order = Buffer.from((await state.get(`keys:order:${bob.sid}`))?.value ?? new Uint8Array());
    expect(entry.length).toBeGreaterThan(20);
    for (const bytes of [entry, order]) expect(bytes.includes("canary")).toBe(false);
  });
});

describe("an unsealed socket that keeps its messages", () => {
  it("gives them places too, in the open", async () => {
    const events = await listen(world);
    const bob = await member({ sealed: false, history: { messages: 3, ms: 60_000 } });
    expect(bob.accepted).toMatchObject({ sealed: false, place: 0 });
    expect(bob.accepted).not.toHaveProperty("group");
    await bob.take(await bob.message(0, "open"));
    await expect.poll(() => events.length).toBe(1);
    expect(events[0]?.epoch).toBe(null);
    expect(parseMessageDown(events[0]?.frame ?? new Uint8Array())).toMatchObject({ head: { place: 1, sid: bob.sid } });
    const wrapped = await bob.seal(encodeMessageUp({ counter: 1, body: Buffer.from("x") }));
    expect(await bob.take(wrapped)).toMatchObject({ close: 4501 });
  });
});

it("the bus is asked to publish by the subject of the socket alone", () => {
  expect(placedMessage).toMatchObject({ publishers: ["keys"], subscribers: ["edge"], routed: true });
});
