import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../deploy/local/free-port.ts";
import { guard } from "../../deploy/local/guard.ts";
import { ready } from "./ready.ts";
import type { EngineName, RunningEngine } from "./types.ts";

const startsMax = 3;
const readyTimeoutMs = 15_000;
const termTimeoutMs = 3000;

const memory = "/dev/shm";
const memoryBytesMin = 2 * 1024 ** 3;

/**
 * In memory where there is enough of it, and `TMPDIR` says nothing else. What these engines keep ends with them, and outlives a kill -9 there as well; but Redis, which syncs
 * every write, answers nobody while a disk stands still, and a busy machine's does for seconds.
 */
function home(): string {
  if (process.env.TMPDIR) return tmpdir();
  try {
    accessSync(memory, constants.W_OK);
    const { bavail, bsize } = statfsSync(memory);
    return bavail * bsize >= memoryBytesMin ? memory : tmpdir();
  } catch {
    return tmpdir();
  }
}

const children = new Set<ChildProcess>();
// Whatever ends this process, no engine stays behind; after kill -9 a guard sees to it.
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

/** Starts a program on a free loopback port in a folder of its own, and ends it by its process id. */
export async function startChild(
  engine: EngineName,
  program: string,
  argumentsFor: (port: number, folder: string) => readonly string[],
): Promise<RunningEngine> {
  for (let start = 1; ; start += 1) {
    const port = await freePort();
    const folder = mkdtempSync(join(home(), `portcullis-${engine}-`));
    const logFile = join(folder, "engine.log");
    const output = openSync(logFile, "a");
    // In a session of its own: Ctrl-C and the end of a terminal are for us, and engines go last.
    const child = spawn(program, argumentsFor(port, folder), {
      cwd: folder,
      stdio: ["ignore", output, output],
      detached: true,
    });
    closeSync(output);
    children.add(child);
    guard(child, folder);
    const ended = new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(`ended with ${signal ?? code}`));
    });
    const stop = async () => {
      child.kill("SIGTERM");
      await Promise.race([ended, sleep(termTimeoutMs).then(() => child.kill("SIGKILL"))]);
      await ended;
      children.delete(child);
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    };
    try {
      await Promise.race([
        ready(engine, "127.0.0.1", port, readyTimeoutMs),
        ended.then((how) => Promise.reject(new Error(`${program} ${how}: ${lastLine(logFile)}`))),
      ]);
      const scheme = engine === "mongodb" ? "mongodb" : engine;
      return { url: `${scheme}://127.0.0.1:${port}`, from: `${program} on 127.0.0.1:${port}`, stop };
    } catch (error) {
      await stop();
      // Somebody else may have taken the port in between.
      if (start === startsMax) throw error;
    }
  }
}

function lastLine(file: string): string {
  return readFileSync(file, "utf8").trim().split("\n").at(-1)?.slice(0, 300) ?? "";
}
