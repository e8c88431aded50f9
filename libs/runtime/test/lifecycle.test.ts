import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";

const fixture = fileURLToPath(new URL("fixtures/child.ts", import.meta.url));
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

function run(...argv: string[]) {
  const child = spawn(process.execPath, [fixture, ...argv], { stdio: ["ignore", "pipe", "pipe", "ipc"], env: {} });
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("no output");
  children.push(child);
  const text = { out: "", err: "" };
  stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text.out += chunk;
  });
  stderr.setEncoding("utf8").on("data", (chunk: string) => {
    text.err += chunk;
  });
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
  // Not `close` of the child: it does not come where the channel was closed from here.
  const silent = [stdout, stderr].map((stream) => new Promise((resolve) => stream.once("close", resolve)));
  const ended = Promise.all([exit, ...silent]).then(([code]) => ({
    code,
    ...text,
    stopMs: performance.now() - signalledMs,
  }));
  let signalledMs = 0;
  return {
    ended,
    async said(line: string) {
      for (let tries = 0; tries < 500 && !text.out.includes(line); tries += 1) await sleep(10);
      expect(text.out).toContain(line);
    },
    disconnect: () => child.disconnect(),
    closeOutput: () => stdout.destroy(),
    kill(signal: NodeJS.Signals) {
      signalledMs = performance.now();
      child.kill(signal);
    },
  };
}

describe("life of a process", () => {
  it.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "closes what it opened in reverse order on %s and exits with 0",
    async (signal) => {
      const child = run("plain");
      await child.said("ready");
      child.kill(signal);
      const { code, out, err } = await child.ended;
      expect(out).toBe("ready\nstopping\nclosed last\nclosed nats\nclosed store\n");
      expect({ code, err }).toEqual({ code: 0, err: "" });
    },
  );

  it("closes what it opened when the parent that holds its channel is gone, and exits with 0", async () => {
    const child = run("plain");
    await child.said("ready");
    child.disconnect();
    const { code, out, err } = await child.ended;
    expect(out).toBe("ready\nstopping\nclosed last\nclosed nats\nclosed store\n");
    expect({ code, err }).toEqual({ code: 0, err: "" });
  });

  it("goes on when nobody reads what it says any more, and still stops in order", async () => {
    const child = run("talks");
    await child.said("ready");
    child.closeOutput();
    await sleep(100);
    child.kill("SIGTERM");
    const { code, err } = await child.ended;
    expect({ code, err }).toEqual({ code: 0, err: "" });
  });

  it("takes the same signal twice within milliseconds as one, as npm delivers Ctrl-C", async () => {
    const child = run("slow");
    await child.said("ready");
    child.kill("SIGINT");
    await child.said("stopping");
    child.kill("SIGINT");
    expect(await child.ended).toMatchObject({ code: 0, out: expect.stringContaining("closed store") });
  });

  it("ends at once on a second signal", async () => {
    const child = run("hangs");
    await child.said("ready");
    child.kill("SIGTERM");
    await child.said("closed last");
    await sleep(350);
    child.kill("SIGINT");
    const { code, err, stopMs } = await child.ended;
    expect({ code, err }).toEqual({ code: 130, err: "child: stopped at once by a second signal\n" });
    expect(stopMs).toBeLessThan(500);
  });

  it("gives up on a stop that hangs, and names it", async () => {
    const child = run("hangs");
    await child.said("ready");
    child.kill("SIGTERM");
    const { code, err, stopMs } = await child.ended;
    expect({ code, err }).toEqual({ code: 1, err: "child: nats did not stop within 1.5 s\n" });
    expect(stopMs).toBeLessThan(2_500);
  });

  it("closes the rest when one stop fails, and tells by exit code", async () => {
    const child = run("fails-to-stop");
    await child.said("ready");
    child.kill("SIGTERM");
    const { code, out, err } = await child.ended;
    expect(code).toBe(1);
    expect(out).toContain("closed store");
    expect(err).toContain("child: nats did not stop cleanly: Error: lost");
  });

  it.each([
    ["throws-later", "child: an error was not caught: SyntaxError"],
    ["rejects-later", "child: a rejection was not handled: Error: nobody waits"],
  ])("closes what it opened when it %s, and exits with 1", async (way, line) => {
    const { code, out, err } = await run(way).ended;
    expect(code).toBe(1);
    expect(out).toContain("closed last\nclosed nats\nclosed store\n");
    expect(err).toContain(line);
  });

  it("logs an uncaught error through the logger once there is one", async () => {
    const { code, out, err } = await run("logged").ended;
    expect({ code, err }).toEqual({ code: 1, err: "" });
    const line = out.split("\n").find((text) => text.startsWith("{"));
    expect(JSON.parse(line ?? "")).toMatchObject({
      level: "error",
      service: "child",
      msg: "an error was not caught",
      err: { name: "SyntaxError" },
    });
  });

  it("says what is wrong with the settings, all at once, without stack or secret", async () => {
    const { code, out, err } = await run("config").ended;
    expect(code).toBe(1);
    expect(err).toBe(
      'child: PORT: "abc" is not a number between 0 and 65535 (default 1)\n' +
        "child: KEY: the value (secret, not shown) is not a key of 32 bytes as 43 characters of base64url\n",
    );
    expect(out).toContain("closed store");
  });

  it("says an expected reason in one line", async () => {
    expect(await run("startup-error").ended).toMatchObject({
      code: 1,
      err: "child: redis 5 is too old: use 6.2 or newer\n",
    });
  });

  it("shows the stack of a bug at start", async () => {
    const { code, err } = await run("bug-at-start").ended;
    expect(code).toBe(1);
    expect(err).toMatch(/^child: could not start: TypeError: a bug\n {4}at /);
  });

  it.each(["listen", "listen-event"])("says in one line that the port is in use (%s)", async (way) => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    const { code, err } = await run(way, String(port)).ended;
    await new Promise((resolve) => server.close(resolve));
    expect({ code, err }).toEqual({
      code: 1,
      err: `child: port ${port} is in use: stop the other program or set EDGE_PORT\n`,
    });
  });

  it("can be stopped while it is still starting", async () => {
    const child = run("hangs-at-start");
    await child.said("ready");
    child.kill("SIGTERM");
    expect(await child.ended).toMatchObject({ code: 0, err: "", out: "ready\nstopping\nclosed nats\nclosed store\n" });
  });
});
