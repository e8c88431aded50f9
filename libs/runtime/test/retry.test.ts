import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { connectionProblem, StartupError, untilReady } from "../src/mod.ts";

function recorder() {
  const lines: string[] = [];
  return {
    lines,
    log: { info: (message: string) => void lines.push(message), warn: (message: string) => void lines.push(message) },
  };
}

const refused = () =>
  Promise.reject(Object.assign(new Error("connect to nats://u:hunter2@h"), { code: "ECONNREFUSED" }));

describe("waiting for an engine", () => {
  it("tries again with doubling, bounded, jittered delays and one line each", async () => {
    const { lines, log } = recorder();
    const delays: number[] = [];
    let left = 5;
    const result = await untilReady({
      what: "nats at 127.0.0.1:4222",
      attempt: () => (left-- > 0 ? refused() : Promise.resolve("connected")),
      log,
      signal: new AbortController().signal,
      firstDelayMs: 1_000,
      maxDelayMs: 5_000,
      jitter: () => 0.5,
      sleep: async (delayMs) => void delays.push(delayMs),
    });
    expect(result).toBe("connected");
    expect(delays).toEqual([750, 1_500, 3_000, 3_750, 3_750]);
    expect(lines[0]).toBe("waiting for nats at 127.0.0.1:4222: connection refused; next try in 750 ms");
    expect(lines[2]).toBe("waiting for nats at 127.0.0.1:4222: connection refused; next try in 3 s");
    expect(lines.at(-1)).toBe("nats at 127.0.0.1:4222 is there");
    expect(lines).toHaveLength(6);
    expect(lines.join()).not.toContain("hunter2");
  });

  it("says nothing when the engine is there at once", async () => {
    const { lines, log } = recorder();
    await untilReady({ what: "x", attempt: () => Promise.resolve(), log, signal: new AbortController().signal });
    expect(lines).toEqual([]);
  });

  it("names a real refused connection", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    await new Promise((resolve) => server.close(resolve));
    const error = await fetch(`http://127.0.0.1:${port}/`).catch((reason: unknown) => reason);
    expect(connectionProblem(error)).toBe("connection refused");
  });

  it("looks through causes and aggregates, and else names class and code only", () => {
    const inner = Object.assign(new Error("x"), { code: "ENOTFOUND" });
    expect(connectionProblem(new Error("outer", { cause: new AggregateError([new Error("y"), inner]) }))).toBe(
      "no such host",
    );
    const denied = Object.assign(new Error("WRONGPASS hunter2"), {
      name: "MongoServerError",
      codeName: "AuthenticationFailed",
      code: 18,
    });
    expect(connectionProblem(denied)).toBe("MongoServerError AuthenticationFailed");
    expect(connectionProblem(Object.assign(new Error("x"), { name: "has hunter2 in it", code: "so has this" }))).toBe(
      "Error",
    );
    const circle = new Error("a");
    circle.cause = circle;
    expect(connectionProblem(circle)).toBe("Error");
    expect(connectionProblem("hunter2")).toBe("Error");
  });

  it("says that an engine did not answer in time, unless a cause tells more", async () => {
    const named = (name: string, cause?: Error) => Object.assign(new Error("x", { cause }), { name });
    expect(connectionProblem(new DOMException("x", "TimeoutError"))).toBe("timed out");
    expect(connectionProblem(new Error("x", { cause: named("TimeoutError") }))).toBe("timed out");
    expect(connectionProblem(named("MongoServerSelectionError", named("MongoNetworkTimeoutError")))).toBe("timed out");
    const refusal = Object.assign(new Error("x"), { code: "ECONNREFUSED" });
    expect(connectionProblem(named("MongoServerSelectionError", refusal))).toBe("connection refused");
    expect(connectionProblem(named("TimeoutErrorOfMine"))).toBe("TimeoutErrorOfMine");
  });

  it.each(["between tries", "during a try that hangs"])("ends at once when the process stops %s", async (when) => {
    const { log } = recorder();
    const abort = new AbortController();
    const waiting = untilReady({
      what: "x",
      attempt: when === "between tries" ? refused : () => new Promise<never>(() => {}),
      log,
      signal: abort.signal,
      firstDelayMs: 60_000,
      maxDelayMs: 60_000,
    });
    setTimeout(() => abort.abort(new Error("stopping")), 20);
    await expect(waiting).rejects.toThrow(/stopping|aborted/);
  });

  it("does not repeat what says that waiting will not help", async () => {
    const { lines, log } = recorder();
    const attempt = () => Promise.reject(new StartupError("redis 5 is too old: use 6.2 or newer"));
    await expect(untilReady({ what: "x", attempt, log, signal: new AbortController().signal })).rejects.toThrow(
      "too old",
    );
    expect(lines).toEqual([]);
  });
});
