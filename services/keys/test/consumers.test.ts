import {
  aboutSession,
  consumersKey,
  deliverToSession,
  demandStepUp,
  kickMember,
  liveSessionKey,
  placedMessage,
  ServiceError,
  socketMessage,
} from "@portcullis/contracts";
import { type ApplicationDown, encodeControl, encodeMessageUp, parseMessageDown } from "@portcullis/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Entered, enter, letIn, listen } from "./support/session.ts";
import { startWorld, type World } from "./support/world.ts";

interface Delivered {
  readonly sid: string;
  readonly ref: string | null;
  readonly frame: Uint8Array;
}

let world: World;
let appKey: string;
/** What the edge was given, and whom it holds no more. */
let delivered: Delivered[];
const gone = new Set<string>();
beforeEach(async () => {
  world = await startWorld();
  ({ key: appKey } = await world.mint());
  delivered = [];
  gone.clear();
  const edge = world.embedded.platformFor("edge");
  await edge.server.serve(
    deliverToSession,
    ({ sid, ref, frame }) => {
      if (gone.has(sid)) return { taken: false };
      if (ref === null || !delivered.some((each) => each.sid === sid && each.ref === ref))
        delivered.push({ sid, ref, frame });
      return { taken: true };
    },
    { route: "edge-1" },
  );
});
afterEach(() => world.close());

async function come(
  role: "member" | "owner" | "consumer",
  terms: { sealed?: boolean; mode?: "broadcast"; socketId?: string } = {},
) {
  const { sealed = true, mode = "consumer" as const, socketId = "socket-1" } = terms;
  const outcome = letIn(world, { sealed, socketId });
  const placed = sealed || mode === "consumer";
  const key = socketId === "socket-1" ? appKey : (await world.mint(socketId)).key;
  const admitted = { ...outcome.admitted, role, mode, placed, relayed: true, memberProven: role === "member" };
  const entered = await enter(world, { appKey: key, outcome: { ...outcome, admitted } });
  // As `identity` does it.
  if (role === "consumer")
    await world.platform.state.join(consumersKey(socketId), entered.sid, world.now() + 3_600_000);
  return entered;
}
const addressed = (from: Entered, counter: number, to: string, body = "x") => {
  const bytes = encodeMessageUp({ counter, head: { to }, body: Buffer.from(body) });
  return from.accepted.sealed ? from.seal(bytes) : bytes;
};
const putOut = ({ sid }: Entered) => world.platform.state.delete(liveSessionKey(sid));
async function heardBy(who: Entered): Promise<ApplicationDown[]> {
  const own = delivered.filter(({ sid }) => sid === who.sid);
  return Promise.all(
    own.map(async ({ frame }) => (frame[0] === 0x41 ? { t: "message", ...parseMessageDown(frame) } : who.open(frame))),
  );
}
const textsOf = async (who: Entered) =>
  (await heardBy(who)).map((down) => (down.t === "message" ? Buffer.from(down.body).toString() : down.t));
const answers = (who: Entered, { frames }: { frames: Uint8Array[] }) =>
  Promise.all(frames.map((frame) => who.open(frame)));

describe.each([[true], [false]])("a member's message to consumers (sealed: %s)", (sealed) => {
  it("goes to one of them, to nobody else, and its sender hears that it arrived", async () => {
    const said = await listen(world);
    const [one, two] = [await come("consumer", { sealed }), await come("consumer", { sealed })];
    const bob = await come("member", { sealed });
    const reply = await bob.take(await bob.message(0, "a"), await bob.message(1, "b"));
    expect(await answers(bob, reply)).toEqual([{ t: "arrived", counter: 1 }]);
    const heard = [...(await heardBy(one)), ...(await heardBy(two))];
    expect(heard).toHaveLength(2);
    const { sid } = delivered[0] ?? { sid: "" };
    expect([one.sid, two.sid]).toContain(sid);
    expect(heard[0]).toMatchObject({ t: "message", sequence: 0, head: { sid: bob.sid, to: sid, member: "bob" } });
    expect(heard[0]).not.toHaveProperty("head.place");
    expect(said).toEqual([]);
  });

  it("is shared out among members, and stays with one consumer while that one takes it", async () => {
    const pool = [await come("consumer", { sealed }), await come("consumer", { sealed })];
    const members: Entered[] = [];
    for (let n = 0; n < 4; n += 1) members.push(await come("member", { sealed }));
    for (let n = 0; n < 3; n += 1)
      await Promise.all(members.map(async (each, index) => each.take(await each.message(n, `${index}`))));
    const [left, right] = await Promise.all(pool.map(textsOf));
    expect([left?.length, right?.length]).toEqual([6, 6]);
    expect(left?.filter((text) => right?.includes(text))).toEqual([]);
    const [first] = pool;
    if (first === undefined) return;
    gone.add(first.sid);
    await Promise.all(members.map(async (each, index) => each.take(await each.message(3, `${index}`))));
    expect((await textsOf(pool[1] ?? first)).length).toBe(10);
  });

  it("is given to one consumer once, whoever is asked how often, at once or later, whichever consumers are there", async () => {
    const pool = [
      await come("consumer", { sealed }),
      await come("consumer", { sealed }),
      await come("consumer", { sealed }),
    ];
    const bob = await come("member", { sealed });
    for (let n = 0; n < 10; n += 1) {
      const frame = await bob.message(n, `${n}`);
      const replies = await Promise.all(Array.from({ length: 5 }, () => bob.take(frame)));
      for (const reply of replies) expect(await answers(bob, reply)).toEqual([{ t: "arrived", counter: n }]);
    }
    const last = await bob.message(9, "9");
    for (const each of pool) if (delivered.some(({ sid }) => sid === each.sid)) gone.add(each.sid);
    await bob.take(last);
    const all = (await Promise.all(pool.map(textsOf))).flat();
    expect(all.sort()).toEqual(Array.from({ length: 10 }, (_, n) => `${n}`));
  });

  it("that nobody takes is told to be undelivered, and again where that was not heard, and never delivered later", async () => {
    const bob = await come("member", { sealed });
    const frames = [await bob.message(0, "a"), await bob.message(1, "b")];
    const lost = [
      { t: "undelivered", counter: 0 },
      { t: "undelivered", counter: 1 },
      { t: "arrived", counter: 1 },
    ];
    expect(await answers(bob, await bob.take(...frames))).toEqual(lost);
    const late = await come("consumer", { sealed });
    expect(await answers(bob, await bob.take(...frames))).toEqual(lost);
    expect(await heardBy(late)).toEqual([]);
    await bob.take(await bob.message(2, "c"));
    expect(await textsOf(late)).toEqual(["c"]);
  });

  it("that nobody took is not taken for delivered where that was lost with the connection: it is asked for again", async () => {
    const bob = await come("member", { sealed });
    const bodies = ["a", "b", "c"];
    const frames = await Promise.all(bodies.map((body, n) => bob.message(n, body)));
    const { admitted, ...outcome } = letIn(world, { sealed });
    await bob.take(...frames);
    const back = await enter(world, {
      appKey: null,
      resumed: { sid: bob.sid, secret: bob.secrets.resume.slice() },
      payload: { resume: { next: 1 } },
      outcome: {
        ...outcome,
        admitted: { ...admitted, sid: bob.sid, mode: "consumer", placed: true, relayed: true, next: 1 },
      },
    });
    expect(back.accepted.next).toBe(1);
    const again = await Promise.all([1, 2].map((n) => back.message(n, bodies[n] ?? "")));
    expect(await answers(back, await back.take(...again))).toEqual([
      { t: "undelivered", counter: 1 },
      { t: "undelivered", counter: 2 },
      { t: "arrived", counter: 2 },
    ]);
  });

  it("of which it is not known any more that somebody got it is not said to be delivered", async () => {
    const bob = await come("member", { sealed });
    const many = 70;
    const frames = await Promise.all(Array.from({ length: many }, (_, n) => bob.message(n, `${n}`)));
    for (let from = 0; from < many; from += 32) await bob.take(...frames.slice(from, from + 32));
    const said = await answers(bob, await bob.take(...frames.slice(0, 4)));
    expect(said.map(({ t }) => t)).toEqual([...Array.from({ length: 4 }, () => "undelivered"), "arrived"]);
  });

  it("of who was put out meanwhile reaches nobody", async () => {
    await come("consumer", { sealed });
    const bob = await come("member", { sealed });
    const frame = await bob.message(0, "late");
    const stop = world.before("state.get", async (_replica, key) => {
      if (key !== `keys:order:${bob.sid}`) return;
      stop();
      await putOut(bob);
    });
    expect(await bob.take(frame)).toEqual({ frames: [], close: 4001, stepUp: null });
    expect(delivered).toEqual([]);
  });

  it("is nothing that a member could address, and nothing that a member could ask", async () => {
    const program = await come("consumer", { sealed });
    const [bob, eve] = [await come("member", { sealed }), await come("member", { sealed })];
    expect(await bob.take(await addressed(bob, 0, eve.sid))).toMatchObject({ close: 4501 });
    const mallory = await come("member", { sealed });
    expect(await mallory.take(await addressed(mallory, 0, program.sid))).toMatchObject({ close: 4501 });
    for (const control of [
      { t: "who", ref: "r", sid: eve.sid },
      { t: "kick", ref: "r", sid: eve.sid },
      { t: "step-up", ref: "r", sid: eve.sid },
    ] as const) {
      const each = await come("member", { sealed });
      expect(await each.take(await each.seal(encodeControl(control)))).toEqual({
        frames: [],
        close: 4501,
        stepUp: null,
      });
    }
    expect(delivered).toEqual([]);
  });

  it("is answered to one by a consumer, on its own socket alone; and to all, in places without a gap", async () => {
    const said = await listen(world);
    const program = await come("consumer", { sealed });
    const [bob, stranger] = [await come("member", { sealed }), await come("member", { sealed, socketId: "socket-2" })];
    const reply = await program.take(
      await addressed(program, 0, bob.sid, "you"),
      await program.message(1, "all"),
      await addressed(program, 2, stranger.sid),
      await addressed(program, 3, program.sid),
      await addressed(program, 4, "nobody"),
      await program.message(5, "all again"),
    );
    expect(await answers(program, reply)).toEqual([
      { t: "undelivered", counter: 2 },
      { t: "undelivered", counter: 3 },
      { t: "undelivered", counter: 4 },
      { t: "arrived", counter: 4 },
    ]);
    expect(await textsOf(bob)).toEqual(["you"]);
    expect(delivered.map(({ sid }) => sid)).toEqual([bob.sid]);
    await expect.poll(() => said.length).toBeGreaterThanOrEqual(2);
    expect(await world.platform.state.sum("keys:places:socket-1")).toBe(2);
  });
});

describe("what a consumer asks for", () => {
  it("is asked of identity for its own socket, and answered in order", async () => {
    const asked: object[] = [];
    const identity = world.embedded.platformFor("identity");
    const about = {
      member: "bob",
      memberProven: true,
      role: "member" as const,
      gates: ["key", "otp"],
      assurance: { key: true, memberBound: true, gates: ["otp"] },
      context: { rest: "room/2", query: "id=bob" },
      parameters: { a: "b" },
      acceptedAtMs: 1,
      expiresAtMs: 2,
      steppedUpAtMs: 2,
    };
    await identity.server.serve(aboutSession, (body) => {
      asked.push(body);
      return { about: body.sid === "bob" ? about : null };
    });
    await identity.server.serve(kickMember, (body) => {
      asked.push(body);
      return {};
    });
    const program = await come("consumer");
    const ask = async (control: Parameters<typeof encodeControl>[0]) => program.seal(encodeControl(control));
    // Bob's keys do not open, which is no reason for the program to lose its connection.
    await world.platform.state.create(liveSessionKey("bob"), Buffer.from("{}"), 1000);
    await world.platform.state.create("keys:session:bob", new Uint8Array(200), 1000);
    const reply = await program.take(
      await ask({ t: "who", ref: "1", sid: "bob" }),
      await ask({ t: "kick", ref: "2", sid: "bob" }),
      await ask({ t: "who", ref: "3", sid: "eve" }),
    );
    const { acceptedAtMs: acceptedAt, expiresAtMs: expiresAt, steppedUpAtMs: steppedUpAt, ...same } = about;
    expect(await answers(program, reply)).toEqual([
      { t: "about", ref: "1", sid: "bob", ...same, acceptedAt, expiresAt, steppedUpAt, words: null },
      { t: "done", ref: "2" },
      { t: "failed", ref: "3", code: "not-found" },
    ]);
    expect(asked).toEqual([
      { socketId: "socket-1", sid: "bob" },
      { socketId: "socket-1", by: program.sid, sid: "bob" },
      { socketId: "socket-1", sid: "eve" },
    ]);
  });

  it("is bounded: what does not fit into one answer is asked again", async () => {
    const identity = world.embedded.platformFor("identity");
    const parameters = Object.fromEntries(Array.from({ length: 32 }, (_, n) => [`p${n}`, "\u0001".repeat(1024)]));
    const assurance = { key: true, memberBound: false, gates: [] };
    const context = { rest: "", query: "" };
    const rest = {
      member: null,
      memberProven: false,
      role: "member" as const,
      gates: [],
      acceptedAtMs: 1,
      expiresAtMs: 2,
      steppedUpAtMs: null,
    };
    await identity.server.serve(aboutSession, () => ({ about: { ...rest, assurance, context, parameters } }));
    const program = await come("consumer");
    const frames = await Promise.all(
      ["1", "2", "3", "4"].map((ref) => program.seal(encodeControl({ t: "who", ref, sid: "bob" }))),
    );
    const said = await answers(program, await program.take(...frames));
    expect(said.map(({ t }) => t)).toEqual(["about", "about", "failed", "failed"]);
    expect(said[2]).toEqual({ t: "failed", ref: "3", code: "too-many" });
  });

  it("demands a step-up by its rule, and hears why there is none", async () => {
    const identity = world.embedded.platformFor("identity");
    const asked: unknown[] = [];
    await identity.server.serve(demandStepUp, (body) => {
      asked.push(body);
      if (body.sid === "eve") throw new ServiceError("not_found");
      if (body.rule === 1) throw new ServiceError("invalid", { issues: [{ path: "rule", message: "is none" }] });
      return { asked: false };
    });
    const program = await come("consumer");
    const ask = async (control: Parameters<typeof encodeControl>[0]) => program.seal(encodeControl(control));
    const reply = await program.take(
      await ask({ t: "step-up", ref: "1", sid: "bob" }),
      await ask({ t: "step-up", ref: "2", sid: "bob", rule: 1 }),
      await ask({ t: "step-up", ref: "3", sid: "eve" }),
    );
    expect(await answers(program, reply)).toEqual([
      { t: "done", ref: "1" },
      { t: "failed", ref: "2", code: "unsupported" },
      { t: "failed", ref: "3", code: "not-found" },
    ]);
    expect(asked).toEqual([
      { socketId: "socket-1", sid: "bob", rule: null },
      { socketId: "socket-1", sid: "bob", rule: 1 },
      { socketId: "socket-1", sid: "eve", rule: null },
    ]);
  });

  it("fails for now where identity cannot answer, and nothing is undone", async () => {
    const program = await come("consumer");
    const reply = await program.take(await program.seal(encodeControl({ t: "kick", ref: "1", sid: "bob" })));
    expect(await answers(program, reply)).toEqual([{ t: "failed", ref: "1", code: "unavailable" }]);
  });
});

describe("a consumer where everybody hears everybody", () => {
  it("speaks to all as a member does, and to one besides", async () => {
    const edge = world.embedded.platformFor("edge");
    const direct: { sid: string; seq: number }[] = [];
    await edge.server.on(socketMessage, ({ sid, seq }) => void direct.push({ sid, seq }), { route: "socket-1" });
    await edge.server.on(placedMessage, () => void direct.push({ sid: "placed", seq: 0 }), { route: "socket-1" });
    const program = await come("consumer", { sealed: false, mode: "broadcast" });
    const bob = await come("member", { sealed: false, mode: "broadcast" });
    await program.take(await addressed(program, 0, bob.sid, "you"), await program.message(1, "all"));
    await expect.poll(() => direct).toEqual([{ sid: program.sid, seq: 1 }]);
    expect(await textsOf(bob)).toEqual(["you"]);
  });
});
