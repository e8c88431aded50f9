import { deliverToSession, sessionPresence, takeMessages } from "@portcullis/contracts";
import { parseHandshakeId } from "@portcullis/protocol";
import { describe, expect, it } from "vitest";
import { createOnce } from "../src/sessions/once.ts";
import { admittedClient, type Client, message, record } from "./support/client.ts";
import { accept, createWorld } from "./support/world.ts";

/** Sessions s1, s2, ... of a socket, and what `keys` hears of who is there. */
async function worldOf(terms: Partial<Parameters<typeof accept>[0]> = {}) {
  const world = await createWorld();
  world.onOpen = async () => accept({ sid: `s${world.opens.length}`, placed: true, relayed: true, ...terms });
  const present: string[] = [];
  await world.keys.server.on(sessionPresence, ({ sid, hid, is }) => {
    const isRight = world.opens[Number(sid.slice(1)) - 1]?.hid === hid;
    present.push(`${is} ${sid}${isRight ? "" : " elsewhere"}`);
  });
  const { port } = await world.edge();
  const deliver = async (sid: string, hid: string, ref: string | null, text: string) => {
    const { edgeId } = parseHandshakeId(world.opens[0]?.hid ?? "");
    const body = { sid, hid, ref, frame: Buffer.from(text) };
    return (await world.keys.caller.call(deliverToSession, body, { route: edgeId })).taken;
  };
  const hidOf = (index: number) => world.opens[index]?.hid ?? "";
  return { world, port, present, deliver, hidOf };
}
const next = async (client: Client) => String(await client.next());

describe("a frame for one session", () => {
  it("is written to that one, on that connection, and to nobody else", async () => {
    const { port, deliver, hidOf } = await worldOf();
    const [bob, eve] = [await admittedClient(port), await admittedClient(port)];
    expect(await deliver("s1", hidOf(0), "a", "for bob")).toBe(true);
    expect(await next(bob)).toBe("for bob");
    expect(eve.waiting).toEqual([]);
    expect(await deliver("s1", hidOf(1), "b", "on another connection")).toBe(false);
    expect(await deliver("s3", hidOf(0), "c", "to nobody")).toBe(false);
    expect(await deliver("s2", hidOf(1), "d", "for eve")).toBe(true);
    expect(await next(eve)).toBe("for eve");
    expect(bob.waiting).toEqual([]);
  });

  it("is written once by its name, at once or later, and as often as it comes without one", async () => {
    const { port, deliver, hidOf } = await worldOf();
    const bob = await admittedClient(port);
    const hid = hidOf(0);
    const taken = await Promise.all(["a", "a", "b", "a", null, null].map((ref) => deliver("s1", hid, ref, `${ref}`)));
    expect(taken.every((each) => each)).toBe(true);
    expect(await deliver("s1", hid, "b", "again")).toBe(true);
    expect(await deliver("s1", hid, null, "end")).toBe(true);
    const heard: string[] = [];
    while (heard.at(-1) !== "end") heard.push(await next(bob));
    expect(heard.sort()).toEqual(["a", "b", "end", "null", "null"]);
  });

  it("is not taken for who has gone: somebody else can have it", async () => {
    const { port, deliver, hidOf, present } = await worldOf();
    const bob = await admittedClient(port);
    bob.websocket.close(1000);
    await expect.poll(() => present).toContain("gone s1");
    expect(await deliver("s1", hidOf(0), "a", "late")).toBe(false);
  });
});

describe("who is there", () => {
  it("is told when they are let in and when they are gone, whatever ended them", async () => {
    const { world, port, present } = await worldOf();
    const bob = await admittedClient(port);
    await admittedClient(port);
    await expect.poll(() => present).toEqual(["here s1", "here s2"]);
    world.kick("s2");
    await expect.poll(() => present.at(-1)).toBe("gone s2");
    bob.websocket.close(1000);
    await expect.poll(() => present.at(-1)).toBe("gone s1");
  });
});

describe("who may say more than messages", () => {
  it("is handed on to keys, also where messages have no places", async () => {
    const { world, port } = await worldOf({ placed: false, relayed: true, role: "consumer" });
    const asked: number[] = [];
    await world.keys.server.serve(takeMessages, ({ frames }) => {
      for (const frame of frames) asked.push(frame[0] ?? 0);
      return { frames: [], close: null, stepUp: null };
    });
    const program = await admittedClient(port);
    program.send(message(0, "plain"));
    program.send(record(0, 0x20));
    await expect.poll(() => asked).toEqual([0x40, 0x20]);
  });

  it("is nobody else there: a question of a member's ends its session", async () => {
    const { port } = await worldOf({ placed: false, relayed: false });
    const bob = await admittedClient(port);
    bob.send(record(0, 0x20));
    expect(await bob.closed).toMatchObject({ code: 4501 });
  });
});

describe("names that are remembered", () => {
  it("are the last thousand", () => {
    const once = createOnce();
    for (let n = 0; n < 1_001; n += 1) expect(once.see(`${n}`)).toBe(true);
    expect([once.see("1"), once.see("1000"), once.see("0")]).toEqual([false, false, true]);
  });
});
