import { connect, PortcullisError, type Session } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import { keyAndOtp, keyOnly, makeMember, makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { type Bystanders, startBystanders } from "./support/bystander.ts";
import { type Passing, type Relay, startRelay, type Tamper } from "./support/relay.ts";
import { acceptsIn, liveSessions } from "./support/sessions.ts";

vi.setConfig({ testTimeout: 40_000 });

let world: World;
let bystanders: Bystanders;
/** Hello, open, accepted. */
let quick: OwnedSocket;
/** Hello, open, challenge, answer, accepted. */
let slow: OwnedSocket;
let phone: Authenticator;
const relays: Relay[] = [];

beforeAll(async () => {
  world = await startWorld();
  bystanders = await startBystanders(world);
  quick = await makeSocket(world.owner, keyOnly);
  slow = await makeSocket(world.owner, { ...keyAndOtp, deadlines: { answer: "10m", handshake: "60m" } });
  phone = await makeMember(world.owner, slow, "bob");
  for (let n = 0; n < 8; n += 1) relays.push(await startRelay(world.url.replace(/^http/, "ws")));
});
afterEach(async () => {
  await bystanders.undisturbed();
  for (const { id } of [quick, slow]) await expect.poll(() => liveSessions(world, id)).toEqual([]);
});
afterAll(async () => {
  await Promise.all(relays.map((relay) => relay.close()));
  await bystanders.leave();
  await world.close();
});

/** @returns the session, or the code of the error. Anything else than one of ours is thrown. */
async function enter(relay: Relay, socket: OwnedSocket, tamper: Tamper): Promise<Session | string> {
  relay.tamper = tamper;
  const code = phone.code(world.now());
  const url = socket === slow ? `${socket.url}?id=bob` : socket.url;
  try {
    return await connect(relay.through(url), { appKey: socket.appKey, answers: { otp: () => code }, timeoutMs: 4_000 });
  } catch (error) {
    if (!(error instanceof PortcullisError)) throw error;
    return error.code;
  }
}

interface Place {
  readonly from: Passing["from"];
  readonly index: number;
}

async function recordedFrame(socket: OwnedSocket, { from, index }: Place): Promise<Passing> {
  const [relay] = relays;
  if (relay === undefined) throw new Error("no relay");
  const session = await enter(relay, socket, (frame) => [frame]);
  if (typeof session === "string") throw new Error(`through an honest relay: ${session}`);
  await session.close();
  world.advance(30_000);
  await world.fresh();
  const frame = relay.seen.filter((each) => each.from === from)[index];
  if (frame === undefined) throw new Error("no such frame");
  return frame;
}

/** Positions that are tried: every one in the first and last bytes, a sample in between. */
function positionsIn(length: number, every: number): number[] {
  const edgeBytes = 32;
  return Array.from({ length }, (_, position) => position).filter(
    (position) => position < edgeBytes || position >= length - edgeBytes || position % every === 0,
  );
}

function flip({ data, ...rest }: Passing, position: number, bits: number): Passing {
  const altered = Buffer.from(data);
  altered[position] = (altered[position] ?? 0) ^ bits;
  return { ...rest, data: altered };
}

/** Tries each alteration of one frame on a connection of its own, eight at a time. @returns how each ended, in order. */
async function tryAll(
  socket: OwnedSocket,
  { from, index }: Place,
  alterations: readonly ((frame: Passing) => Passing[])[],
) {
  const waiting = [...alterations.entries()];
  const ends: string[] = [];
  const work = async (relay: Relay) => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [number, alter] = next;
      const outcome = await enter(relay, socket, (frame) =>
        frame.from === from && frame.index === index ? alter(frame) : [frame],
      );
      if (typeof outcome !== "string") await outcome.close();
      ends[number] = typeof outcome === "string" ? outcome : "accepted";
    }
  };
  await Promise.all(relays.map(work));
  return ends;
}

describe("one bit that is altered on the way keeps everybody out", () => {
  test.each<[string, "quick" | "slow", Place, { every: number; acceptedByServer: boolean }]>([
    ["hello", "quick", { from: "server", index: 0 }, { every: 97, acceptedByServer: false }],
    ["open", "quick", { from: "client", index: 0 }, { every: 41, acceptedByServer: false }],
    ["challenge", "slow", { from: "server", index: 1 }, { every: 11, acceptedByServer: false }],
    ["answer", "slow", { from: "client", index: 1 }, { every: 11, acceptedByServer: false }],
    // The server has let the client in when it says so; the client notices, leaves, and the session is over (afterEach).
    ["accepted", "quick", { from: "server", index: 1 }, { every: 29, acceptedByServer: true }],
  ])("%s", async (_name, which, place, { every, acceptedByServer }) => {
    const socket = which === "quick" ? quick : slow;
    const { data, binary } = await recordedFrame(socket, place);
    // In text, flips that leave it text: what is no UTF-8 does not get past a WebSocket library.
    const bits = binary ? [0x01, 0x80] : [0x01, 0x02];
    const positions = positionsIn(data.length, every);
    const accepts = acceptsIn(world);
    const ends = await tryAll(
      socket,
      place,
      positions.map((position, number) => (frame) => [flip(frame, position, bits[number % 2] ?? 1)]),
    );
    expect(ends).toHaveLength(positions.length);
    expect(positions.filter((_, number) => ends[number] === "accepted")).toEqual([]);
    expect(ends.filter((end) => end === "timeout")).toEqual([]);
    if (!acceptedByServer) expect(acceptsIn(world)).toBe(accepts);
  });

  test("and it is the alteration that does it: the same client, code and relay without it get in", async () => {
    const [relay] = relays;
    if (relay === undefined) throw new Error("no relay");
    const accepts = acceptsIn(world);
    const session = await enter(relay, slow, (frame) => [frame]);
    expect(typeof session).not.toBe("string");
    expect(acceptsIn(world)).toBe(accepts + 1);
    if (typeof session !== "string") await session.close();
    world.advance(30_000);
    await world.fresh();
  });
});

describe("a frame that is cut, lengthened, repeated or exchanged keeps everybody out", () => {
  const shorter = (frame: Passing) => [{ ...frame, data: frame.data.subarray(0, -1) }];
  const longer = (frame: Passing) => [{ ...frame, data: Buffer.concat([frame.data, Buffer.from(" ")]) }];
  const otherKind = (frame: Passing) => [{ ...frame, binary: !frame.binary }];
  const emptied = (frame: Passing) => [{ ...frame, data: Buffer.alloc(0) }];
  const zeroed = (frame: Passing) => [{ ...frame, data: Buffer.alloc(frame.data.length) }];
  const places: readonly (readonly [string, Place])[] = [
    ["hello", { from: "server", index: 0 }],
    ["open", { from: "client", index: 0 }],
    ["accepted", { from: "server", index: 1 }],
  ];

  test.each(places)("%s", async (name, place) => {
    const ends = await tryAll(quick, place, [shorter, longer, otherKind, emptied, zeroed]);
    // A blank behind JSON is JSON: it changes neither what is said nor what is hashed.
    const harmless = name === "accepted" ? [] : [1];
    expect(ends.flatMap((end, number) => (end === "accepted" ? [number] : []))).toEqual(harmless);
  });

  test("a hello twice, an open twice, the verdict before its time", async () => {
    const twice = (frame: Passing) => [frame, frame];
    expect(await tryAll(quick, { from: "server", index: 0 }, [twice])).not.toContain("accepted");
    const [end] = await tryAll(quick, { from: "client", index: 0 }, [twice]);
    // The server ends it for the second open; the session may have begun by then, and is over with it.
    expect(["protocol", "accepted", "closed"]).toContain(end);
    let verdict: Buffer | null = null;
    const [relay] = relays;
    if (relay === undefined) throw new Error("no relay");
    const first = await enter(relay, quick, (frame) => {
      if (frame.from === "server" && frame.index === 1) verdict = frame.data;
      return [frame];
    });
    if (typeof first !== "string") await first.close();
    // The verdict of one connection on another.
    expect(
      await enter(relay, quick, (frame) =>
        frame.from === "server" && frame.index === 1 && verdict !== null ? [{ ...frame, data: verdict }] : [frame],
      ),
    ).toBe("protocol");
  });

  test("records of the handshake that are repeated say nothing new, to either side", async () => {
    const [relay] = relays;
    if (relay === undefined) throw new Error("no relay");
    const accepts = acceptsIn(world);
    const session = await enter(relay, slow, (frame) => (frame.binary ? [frame, frame] : [frame]));
    expect(typeof session).not.toBe("string");
    expect(acceptsIn(world)).toBe(accepts + 1);
    if (typeof session !== "string") await session.close();
  });

  test("a verdict or a denial that a stranger makes up is believed as little as it says", async () => {
    const [relay] = relays;
    if (relay === undefined) throw new Error("no relay");
    const made = (text: string) => (frame: Passing) =>
      frame.from === "server" && frame.index === 1 ? [{ ...frame, data: Buffer.from(text), binary: false }] : [frame];
    expect(await enter(relay, quick, made('{"n":1,"t":"accepted"}'))).toBe("protocol");
    const denied = connect(relay.through(quick.url), { appKey: quick.appKey, timeoutMs: 4_000 });
    relay.tamper = made('{"t":"denied","code":"revoked","retryAfterMs":1}');
    const outcome = await denied.catch((error: unknown) => error);
    if (outcome instanceof PortcullisError) expect(outcome.sealed).toBe(false);
    else await (outcome as Session).close();
  });
});
