import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it, vi } from "vitest";
import { memoryBusNetwork, type Observed } from "../src/memory/mod.ts";
import type { Message } from "../src/mod.ts";

const message = (text: string): Message => ({ data: new TextEncoder().encode(text), headers: { "x-a": "b" } });

describe("memory bus network", () => {
  it("runs no handler in the asynchronous context of a sender: traces of two senders cannot mix", async () => {
    const bus = memoryBusNetwork().connect({ onError: () => undefined });
    const storage = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    await bus.subscribe("a", () => void seen.push(storage.getStore()));
    storage.run("first", () => bus.publish("a", message("1")));
    storage.run("second", () => bus.publish("a", message("2")));
    await expect.poll(() => seen.length).toBe(2);
    expect(seen).toEqual([undefined, undefined]);
  });

  it("bounds what waits: more is dropped and reported, and a request refused", async () => {
    const errors: string[] = [];
    const bus = memoryBusNetwork({ pendingMax: 3 }).connect({ onError: (_error, subject) => errors.push(subject) });
    const got: string[] = [];
    await bus.subscribe("a", ({ data }) => void got.push(new TextDecoder().decode(data)));
    for (const text of ["1", "2", "3", "4", "5"]) bus.publish("a", message(text));
    await expect(bus.request("a", message("6"), { timeoutMs: 100 })).rejects.toMatchObject({ reason: "refused" });
    await expect.poll(() => got).toEqual(["1", "2", "3"]);
    expect(errors).toEqual(["a", "a", "a"]);
    bus.publish("a", message("7"));
    await expect.poll(() => got).toEqual(["1", "2", "3", "7"]);
  });

  it("shows a tap every message of every handle, as copies, until it is stopped", async () => {
    const network = memoryBusNetwork();
    const seen: Observed[] = [];
    const stop = network.tap((observed) => {
      observed.message.data.fill(0);
      seen.push(observed);
    });
    const [asking, serving] = ["asking", "serving"].map((name) => network.connect({ name, onError: () => undefined }));
    if (asking === undefined || serving === undefined) throw new Error("no handles");
    const registration = await serving.register({ name: "s", version: "1.0.0", description: "" });
    await registration.add({ name: "e", subject: "q", queue: "q", handler: async (request) => request });
    const reply = await asking.request("q", message("hello"), { timeoutMs: 500 });
    expect(new TextDecoder().decode(reply.data)).toBe("hello");
    serving.publish("nobody", message("x"));
    expect(seen.map(({ kind, from, subject }) => [kind, from, subject])).toEqual([
      ["request", "asking", "q"],
      ["reply", "serving", "q"],
      ["publish", "serving", "nobody"],
    ]);
    stop();
    serving.publish("nobody", message("y"));
    expect(seen).toHaveLength(3);
  });

  it("delivers while a test holds the clock", async () => {
    const bus = memoryBusNetwork().connect({ onError: () => undefined });
    vi.useFakeTimers();
    try {
      const got = new Promise((resolve) => bus.subscribe("a", resolve));
      bus.publish("a", message("x"));
      expect(await got).toMatchObject({ subject: "a", headers: { "x-a": "b" } });
    } finally {
      vi.useRealTimers();
    }
  });
});
