import { pushStep, type Step } from "@portcullis/contracts";
import { describe, expect, it } from "vitest";
import { connect, message, open, record, textOf } from "./support/client.ts";
import { accept, createWorld, deny, type World } from "./support/world.ts";

/** Sealed frames, named by what they would say, with their numbers. */
const said = (deadlineMs: number, ...frames: readonly (readonly [number, string])[]): Step => ({
  frames: frames.map(([n, text]) => ({ kind: "binary", data: new TextEncoder().encode(text), n })),
  admitted: null,
  close: null,
  deadlineMs,
});
const soon = () => Date.now() + 10_000;

/** A client whose handshake is at its first question. */
async function asked(world: World, first = said(soon(), [1, "challenge"])) {
  const { port } = await world.edge();
  world.onOpen = async () => first;
  const client = await connect(port);
  const { hid } = await client.hello();
  client.send(open());
  expect(String(await client.next())).toBe("challenge");
  const push = (step: Step, to = hid) =>
    world.keys.caller.call(pushStep, { hid: to, step }, { route: hid.split(".")[0] ?? "" });
  return { client, hid, push, port };
}

/** The same, with a record of the client's that is being looked at until `answer` says what becomes of it. */
async function underWay(world: World) {
  const { client, push } = await asked(world);
  const { promise, resolve: answer } = Promise.withResolvers<Step>();
  world.onRecord = () => promise;
  client.send(record());
  await expect.poll(() => world.records.length).toBe(1);
  return { client, push, answer };
}

describe("what is pushed", () => {
  it("is written to the connection that it is for, and moves its deadline", async () => {
    const world = await createWorld();
    const { client, push } = await asked(world, said(Date.now() + 400, [1, "challenge"]));
    expect(await push(said(soon(), [2, "wait"]))).toEqual({ taken: true });
    expect(String(await client.next())).toBe("wait");
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(await push(said(Date.now() + 50, [3, "wait again"]))).toEqual({ taken: true });
    expect(String(await client.next())).toBe("wait again");
    expect(await client.closed).toEqual({ code: 4008, reason: "deadline" });
  });

  it("finds nobody where there is no such connection, where it has not opened, and where it is gone", async () => {
    const world = await createWorld();
    const { client, push, hid, port } = await asked(world);
    expect(await push(said(soon(), [2, "wait"]), `${hid.split(".")[0]}.${"A".repeat(22)}`)).toEqual({ taken: false });
    const other = await connect(port);
    const unopened = await other.hello();
    expect(await push(said(soon(), [1, "challenge"]), unopened.hid)).toEqual({ taken: false });
    client.websocket.terminate();
    await expect.poll(() => push(said(soon(), [2, "wait"]))).toEqual({ taken: false });
    expect(other.waiting).toEqual([]);
  });

  it("is written once, whether it comes again, or along with an answer, or behind it", async () => {
    const world = await createWorld();
    const { client, push } = await asked(world);
    await push(said(soon(), [2, "two"]));
    await push(said(soon(), [2, "two"]));
    await push(said(soon(), [2, "two"], [3, "three"]));
    world.onRecord = async () => said(soon(), [2, "two"], [3, "three"], [4, "four"], [5, "five"]);
    client.send(record());
    for (const text of ["two", "three", "four", "five"]) expect(String(await client.next())).toBe(text);
    await push(said(soon(), [4, "four"]));
    // A record that is repeated gets its answer again, and only what was its answer.
    client.send(record());
    expect(String(await client.next())).toBe("four");
    expect(String(await client.next())).toBe("five");
    expect(client.waiting).toEqual([]);
  });

  it("lets in at once, and a record that was under way changes nothing", async () => {
    const world = await createWorld();
    const { client, push, answer } = await underWay(world);
    expect(await push(accept({ sid: "s1" }))).toEqual({ taken: true });
    expect(await push(accept({ sid: "s1" }))).toEqual({ taken: true });
    expect(String(await client.next())).toBe("accepted");
    answer(deny("denied"));
    client.send(message(0, "hello"));
    expect(textOf(await client.message())).toBe("hello");
    expect(client.waiting).toEqual([]);
    expect(world.left).toEqual([]);
  });

  it("that overtakes an answer waits for it: what is said arrives in its order", async () => {
    const world = await createWorld();
    const { client, push, answer } = await underWay(world);
    expect(await push(said(soon(), [3, "three"]))).toEqual({ taken: true });
    expect(await push(said(soon(), [3, "three"], [4, "four"]))).toEqual({ taken: true });
    answer(said(soon(), [2, "two"]));
    for (const text of ["two", "three", "four"]) expect(String(await client.next())).toBe(text);
    expect(client.waiting).toEqual([]);
  });

  it("lets in behind the answer that it has overtaken", async () => {
    const world = await createWorld();
    const { client, push, answer } = await underWay(world);
    expect(await push({ ...accept({ sid: "s1" }), frames: said(0, [3, "accepted"]).frames })).toEqual({ taken: true });
    answer(said(soon(), [2, "two"]));
    for (const text of ["two", "accepted"]) expect(String(await client.next())).toBe(text);
    client.send(message(0, "hello"));
    expect(textOf(await client.message())).toBe("hello");
  });

  it("and has overtaken the answer that its client did not wait for leaves no session behind", async () => {
    const world = await createWorld();
    const { client, push, answer } = await underWay(world);
    await push({ ...accept({ sid: "s1" }), frames: said(0, [3, "accepted"]).frames });
    client.websocket.terminate();
    await client.closed;
    answer(said(soon(), [2, "two"]));
    await expect.poll(() => world.ended.map(({ sid, why }) => [sid, why])).toEqual([["s1", "lost"]]);
    expect(world.left).toEqual([]);
  });

  it("lets in once where the answer says so too", async () => {
    const world = await createWorld();
    const { client, push } = await asked(world);
    world.onRecord = async () => accept({ sid: "s1" });
    client.send(record());
    expect(String(await client.next())).toBe("accepted");
    expect(await push(accept({ sid: "s1" }))).toEqual({ taken: true });
    client.send(message(0, "hello"));
    expect(textOf(await client.message())).toBe("hello");
    expect(client.waiting).toEqual([]);
  });

  it("ends it where it is a refusal, and is not reported as left", async () => {
    const world = await createWorld();
    const { client, push } = await asked(world);
    await push({ ...said(soon(), [2, "denied"]), deadlineMs: null, close: 4503 });
    expect(String(await client.next())).toBe("denied");
    expect(await client.closed).toEqual({ code: 4503, reason: "denied" });
    expect(world.left).toEqual([]);
  });
});

describe("the end of a handshake is told for what it is", () => {
  it.each([
    [1000, "closed"],
    [1001, "closed"],
    [1005, "closed"],
    [1006, "lost"],
    [4001, "lost"],
  ])("closed by the client with %d: %s", async (code, why) => {
    const world = await createWorld();
    const { client } = await asked(world);
    if (code === 1006) client.websocket.terminate();
    else if (code === 1005) client.websocket.close();
    else client.websocket.close(code);
    await expect.poll(() => world.left.map((each) => each.why)).toEqual([why]);
  });

  it("ended by a restart: lost, so that the client goes on at the same gate", async () => {
    const world = await createWorld();
    const edge = await world.edge();
    world.onOpen = async () => said(soon(), [1, "challenge"]);
    const client = await connect(edge.port);
    await client.hello();
    client.send(open());
    await client.next();
    const stopping = edge.stop();
    expect((await client.closed).code).toBe(1012);
    await stopping;
    expect(world.left.map(({ why }) => why)).toEqual(["lost"]);
  });
});
