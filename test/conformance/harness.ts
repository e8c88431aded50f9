import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** A name that no other test and no earlier run on the same engine has used. */
export const unique = (prefix: string) => `${prefix}${randomBytes(8).toString("hex")}`;

/** Real time plus what a test has skipped: engines have their own clocks, so time never stands still here. */
export function skippingClock(): { readonly clock: () => number; skip(ms: number): void } {
  let skippedMs = 0;
  return {
    clock: () => Date.now() + skippedMs,
    skip(ms) {
      skippedMs += ms;
    },
  };
}

export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${condition.toString()}`);
    await sleep(20);
  }
}

export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "portcullis-conformance-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** What a fixture needs to open the same store in another process. */
export interface Target {
  readonly adapter: "embedded" | "engine";
  /** A file or a URL. */
  readonly at: string;
}

export interface Fixture {
  /** The next line that it prints. @throws when it ends instead. */
  line(): Promise<string>;
  /** kill -9: no handler, no flush, no goodbye. */
  kill(): Promise<void>;
  /** Resolves with what it printed in all, when it ended by itself. */
  end(): Promise<string[]>;
}

/** Starts `fixtures/<name>.ts` in a process of its own with one JSON argument. */
export function startFixture(name: string, argument: unknown): Fixture {
  const file = join(import.meta.dirname, "fixtures", `${name}.ts`);
  const child: ChildProcess = spawn(process.execPath, [file, JSON.stringify(argument)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (!child.stdout) throw new Error("no output");
  const lines: string[] = [];
  let read = 0;
  let ended = false;
  createInterface({ input: child.stdout }).on("line", (line) => void lines.push(line));
  const exit = new Promise<void>((resolve) => child.once("close", () => resolve())).then(() => {
    ended = true;
  });
  return {
    async line() {
      await until(() => lines.length > read || ended);
      const line = lines[read];
      if (line === undefined) throw new Error(`${name} ended early`);
      read += 1;
      return line;
    },
    async kill() {
      child.kill("SIGKILL");
      await exit;
    },
    async end() {
      await exit;
      return lines;
    },
  };
}

/** A wire to an engine that a test can cut and mend, or freeze so that nothing comes through any more. */
export async function startWire(url: string): Promise<{
  readonly url: string;
  cut(): Promise<void>;
  freeze(): void;
  mend(): Promise<void>;
  close(): Promise<void>;
}> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let frozen = false;
  const server = createServer((near) => {
    const far = connect({ host: target.hostname, port: Number(target.port) });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("error", () => undefined);
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on("data", (chunk) => {
        if (!frozen) to.write(chunk);
      });
    }
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  await listen(0);
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const { port } = address;
  const cut = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  const through = new URL(url);
  through.host = `127.0.0.1:${port}`;
  return {
    url: through.href,
    cut,
    freeze: () => {
      frozen = true;
    },
    mend: async () => {
      frozen = false;
      if (!server.listening) await listen(port);
    },
    close: async () => {
      if (server.listening) await cut();
    },
  };
}

/** How long something took, and that it failed. @throws when it did not. */
export async function rejection(work: Promise<unknown>): Promise<{ readonly error: unknown; readonly tookMs: number }> {
  const startedAt = performance.now();
  const outcome = await work.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("value" in outcome) throw new Error("it did not reject");
  return { error: outcome.error, tookMs: performance.now() - startedAt };
}
