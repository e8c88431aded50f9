import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "./free-port.ts";

const repository = join(import.meta.dirname, "../..");
const flags = ["--disable-warning=ExperimentalWarning"];
const full = process.env.PORTCULLIS_FULL === "1";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "portcullis-left-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Ended by the tests at the latest. */
function watched(pid: number): number {
  onTestFinished(() => {
    if (isAlive(pid)) process.kill(pid, "SIGKILL");
  });
  return pid;
}

interface Launcher {
  readonly child: ChildProcess;
  readonly out: () => string;
}

/** As the first process of a terminal of its own. `TMPDIR` is the test's folder. */
function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Launcher {
  const { NATS_URL: _, REDIS_URL: __, MONGODB_URL: ___, ...own } = process.env;
  const child = spawn(process.execPath, [...flags, ...args], {
    cwd: repository,
    env: { ...own, TMPDIR: folder, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  watched(child.pid ?? 0);
  let out = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (out += chunk));
  return { child, out: () => out };
}

/** A program of a few lines, beside which everything of the repository can be imported. */
function program(text: string): string {
  const file = join(folder, "launcher.ts");
  writeFileSync(file, text.replaceAll("$", repository));
  return file;
}

const matches = async ({ out }: Launcher, pattern: RegExp): Promise<string> => {
  await expect.poll(out, { timeout: 60_000 }).toMatch(pattern);
  return pattern.exec(out())?.[1] ?? "";
};

const engineFolders = () => readdirSync(folder).filter((name) => name.startsWith("portcullis-"));

async function answers(port: number): Promise<boolean> {
  try {
    await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(1_000) });
    return true;
  } catch {
    return false;
  }
}

describe("whoever started it is killed with -9", () => {
  test("an engine ends, and its files go", async () => {
    const launcher = start([
      program(`
        import { spawn } from "node:child_process";
        import { mkdtempSync } from "node:fs";
        import { guard } from "$/deploy/local/guard.ts";
        const engine = spawn("sleep", ["100"], { detached: true });
        guard(engine, mkdtempSync(process.env.TMPDIR + "/portcullis-engine-"));
        console.log("pid", engine.pid);
        setInterval(() => {}, 1000);
      `),
    ]);
    const pid = watched(Number(await matches(launcher, /pid (\d+)/)));
    expect(engineFolders()).toHaveLength(1);
    launcher.child.kill("SIGKILL");
    await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
    await expect.poll(engineFolders, { timeout: 5_000 }).toEqual([]);
  });

  test("an engine that ended before takes its guard along", async () => {
    const launcher = start([
      program(`
        import { execFileSync, spawn } from "node:child_process";
        import { guard } from "$/deploy/local/guard.ts";
        const engine = spawn("sleep", ["100"]);
        guard(engine);
        const guards = () => execFileSync("ps", ["-o", "args=", "--ppid", String(process.pid)], { encoding: "utf8" })
          .split("\\n").filter((line) => line.includes("read -r _")).length;
        console.log("before", guards());
        engine.once("exit", () => setTimeout(() => console.log("after", guards()), 300));
        engine.kill();
        setInterval(() => {}, 1000);
      `),
    ]);
    await expect.poll(launcher.out, { timeout: 10_000 }).toBe("before 1\nafter 0\n");
  });

  test("a service process ends, also while it waits for its engines", async () => {
    const launcher = start([
      program(`
        import { environmentOf, readSecrets } from "$/deploy/local/secrets.ts";
        import { startReplica } from "$/deploy/local/replica.ts";
        const secrets = await readSecrets(process.env.TMPDIR + "/data");
        const env = { NATS_URL: "nats://127.0.0.1:1", HEALTH_PORT: "0", ...environmentOf("notify", secrets), REDIS_URL: "redis://127.0.0.1:1" };
        const logFile = process.env.TMPDIR + "/notify.log";
        const replica = startReplica({ name: "n", service: "notify", healthPort: 0, env, logFile, onExit: console.log });
        console.log("pid", replica.pid());
      `),
    ]);
    const pid = watched(Number(await matches(launcher, /pid (\d+)/)));
    const logFile = join(folder, "notify.log");
    const logged = () => (existsSync(logFile) ? readFileSync(logFile, "utf8") : "");
    await expect.poll(logged, { timeout: 10_000 }).toContain("waiting for redis jobs");
    launcher.child.kill("SIGKILL");
    await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
  });

  test.runIf(full)(
    "nothing of the distributed form stays: no service, no engine, no file of theirs",
    async () => {
      const port = await freePort();
      const env = { PORT: String(port), DATA_DIR: join(folder, "data"), DEMO: "false" };
      const launcher = start(["deploy/local/start-distributed.ts"], env);
      await matches(launcher, /(is ready)/);
      expect(engineFolders()).toHaveLength(3);
      // Ten services, three engines, their guards, the launcher.
      expect(descendants(folder).length).toBeGreaterThan(13);
      launcher.child.kill("SIGKILL");
      await expect.poll(engineFolders, { timeout: 5_000 }).toEqual([]);
      await expect.poll(() => descendants(folder), { timeout: 10_000 }).toEqual([]);
      expect(await answers(port)).toBe(false);
    },
    120_000,
  );
});

describe("the terminal is closed", () => {
  test("everything in one process ends in order, although nobody reads what it says", async () => {
    const port = await freePort();
    const env = { PORT: String(port), DATA_DIR: join(folder, "data"), DEMO: "false" };
    const { child, out } = start(["deploy/local/start.ts"], env);
    await expect.poll(out, { timeout: 60_000 }).toContain("is ready");
    const ended = new Promise((resolve) => child.once("exit", (...how) => resolve(how)));
    child.stdout?.destroy();
    child.stderr?.destroy();
    process.kill(-(child.pid ?? 0), "SIGHUP");
    expect(await ended).toEqual([0, null]);
  }, 60_000);

  test.runIf(full)(
    "the distributed form ends in order: edges first, engines last",
    async () => {
      const env = { PORT: String(await freePort()), DATA_DIR: join(folder, "data"), DEMO: "false" };
      const launcher = start(["deploy/local/start-distributed.ts"], env);
      await matches(launcher, /(is ready)/);
      const ended = new Promise((resolve) => launcher.child.once("exit", (...how) => resolve(how)));
      process.kill(-(launcher.child.pid ?? 0), "SIGHUP");
      expect(await ended).toEqual([0, null]);
      expect(engineFolders()).toEqual([]);
      expect(descendants(folder)).toEqual([]);
      expect(launcher.out()).not.toMatch(/ended|second signal|did not stop/);
      const logs = readdirSync(join(folder, "data/logs")).map((name) =>
        readFileSync(join(folder, "data/logs", name), "utf8"),
      );
      expect(logs.join("")).not.toMatch(/second signal|did not stop|"nats"|waiting for/);
    },
    120_000,
  );
});

/** Processes whose environment names the folder: whatever became of their parents. Linux only. */
function descendants(place: string): number[] {
  if (!existsSync("/proc/self/environ")) return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(place) ||
          readFileSync(`/proc/${pid}/environ`, "utf8").includes(place)
        );
      } catch {
        return false;
      }
    })
    .map(Number);
}
