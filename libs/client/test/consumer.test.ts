import { afterEach, describe, expect, it, vi } from "vitest";
import { beginConsumer, type Peer } from "../src/consumer.ts";
import { consumerOf } from "../src/consumer-of.ts";
import { createDirected } from "../src/directed.ts";
import { createInbox } from "../src/inbox.ts";
import type { Message } from "../src/message.ts";
import type { OwnSession } from "../src/session.ts";
import { pause } from "./support/harness.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const about = (ref: string, sid: string) => ({
  ...{ t: "about" as const, ref, sid, member: null, memberProven: false, role: "member" as const, gates: [] },
  ...{ assurance: { key: false, memberBound: false, gates: [] }, context: { rest: "", query: "" }, parameters: {} },
  ...{ acceptedAt: 1, expiresAt: 2, steppedUpAt: null, words: null },
});

/** What is asked, and what is told by the server. */
function spoken() {
  const asked: string[] = [];
  const undelivered: number[] = [];
  const directed = createDirected({
    send: ({ ref }) => void asked.push(ref),
    onArrived: () => {},
    onUndelivered: (counter) => void undelivered.push(counter),
  });
  return { asked, undelivered, directed };
}

describe("who comes and goes", () => {
  it("is told in that order, also where one is gone before it is known who it was", async () => {
    const told: string[] = [];
    const { asked, directed } = spoken();
    beginConsumer({ directed } as OwnSession, {
      onJoin: ({ sid }) => void told.push(`${sid} is here`),
      onLeave: (sid) => void told.push(`${sid} has left`),
    });
    directed.hear({ t: "joined", sid: "ann" });
    directed.hear({ t: "joined", sid: "bob" });
    directed.hear({ t: "left", sid: "ann" });
    for (const [index, ref] of asked.entries()) directed.hear(about(ref, index === 0 ? "ann" : "bob"));
    await pause(10);
    expect(told).toEqual(["ann has left", "bob is here"]);
    directed.end();
  });

  it("is told to a listener that throws, which is its own problem", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const { asked, directed } = spoken();
    const onJoin = vi.fn((_peer: Peer) => {
      throw new Error("the listener's own");
    });
    beginConsumer({ directed } as OwnSession, { onJoin, onLeave: undefined });
    directed.hear({ t: "joined", sid: "ann" });
    directed.hear(about(asked[0] ?? "", "ann"));
    await pause(10);
    process.off("unhandledRejection", unhandled);
    expect(onJoin).toHaveBeenCalledOnce();
    expect(unhandled).not.toHaveBeenCalled();
    directed.end();
  });
});

it("a program that leaves while it waits for a message takes none of those who stay", async () => {
  const inbox = createInbox<Message>(10, 100, () => {});
  const { asked, directed } = spoken();
  const session = beginConsumer(
    { directed, [Symbol.asyncIterator]: inbox.iterate } as Partial<OwnSession> as OwnSession,
    {
      onJoin: undefined,
      onLeave: undefined,
    },
  );
  const left = session[Symbol.asyncIterator]();
  const waited = left.next();
  await left.return?.();
  expect(await waited).toEqual({ done: true, value: undefined });
  inbox.push({ from: { sid: "ann", member: null }, class: null, text: () => "for who stays" } as Message, 1);
  inbox.end(null);
  const heard: string[] = [];
  const loop = (async () => {
    for await (const message of session) heard.push(`${message.from.sid}: ${message.text()}`);
  })();
  await expect.poll(() => asked).toHaveLength(1);
  directed.hear(about(asked[0] ?? "", "ann"));
  await loop;
  expect(heard).toEqual(["ann: for who stays"]);
  directed.end();
});

it("whoever waits for a message that nobody has taken is told so, however many there are", async () => {
  const { undelivered, directed } = spoken();
  const count = 1_500;
  const outcomes = Array.from({ length: count }, (_, counter) =>
    directed.arrival(counter).then(
      () => "arrived",
      ({ code }) => code,
    ),
  );
  for (let counter = 0; counter < count; counter += 1) directed.hear({ t: "undelivered", counter });
  directed.hear({ t: "arrived", counter: count - 1 });
  expect(new Set(await Promise.all(outcomes))).toEqual(new Set(["undelivered"]));
  expect(undelivered).toHaveLength(count);
  directed.end();
});

describe("the API that makes the ticket of an owner's program", () => {
  const entering = (fetch: typeof globalThis.fetch, signal?: AbortSignal) =>
    consumerOf({ api: "https://api.example.com", token: "t", socket: "s", path: "p", fetch, signal });

  it("is unreachable where it breaks off, and where it does not answer", async () => {
    const broken = new ReadableStream({ start: (stream) => stream.error(new TypeError("terminated")) });
    await expect(entering(async () => new Response(broken))).rejects.toMatchObject({ code: "unreachable" });
    vi.useFakeTimers();
    let given: AbortSignal | null | undefined;
    const silent = entering((_url, init) => {
      given = init?.signal;
      return new Promise(() => {});
    });
    const outcome = expect(silent).rejects.toMatchObject({ code: "unreachable" });
    await vi.advanceTimersByTimeAsync(30_000);
    await outcome;
    expect(given?.aborted).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is left by an abort, and not asked behind one", async () => {
    const over = new AbortController();
    const fetch = vi.fn(async () => new Response(new ReadableStream()));
    const left = entering(fetch, over.signal);
    setTimeout(() => over.abort(), 10);
    await expect(left).rejects.toMatchObject({ code: "cancelled" });
    await expect(entering(fetch, over.signal)).rejects.toMatchObject({ code: "cancelled" });
    expect(fetch).toHaveBeenCalledOnce();
  });
});
