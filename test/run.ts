import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Engines, startEngines, testEnvironment } from "./engines/engines.ts";

const help = `npm test [-- file ...]: everything that proves Portcullis, on real engines where they can be had.
npm run test:full: the same and what takes longer.

Engines: NATS_URL, REDIS_URL and MONGODB_URL, else Docker, else programs on this machine. With CI=true one that is missing
is an error, else its tests are skipped. Arguments narrow the tests to files whose path contains one of them.
`;

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const root = join(import.meta.dirname, "..");
const args = process.argv.slice(2);
if (args.includes("--help")) {
  process.stdout.write(help);
  process.exit(0);
}
const full = args.includes("--full");
const files = args.filter((arg) => !arg.startsWith("--"));

const bin = (name: string) => join(root, "node_modules/.bin", name);
const children = new Set<ReturnType<typeof spawn>>();
const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
const folder = mkdtempSync(join(tmpdir(), "portcullis-test-"));
let engines: Engines | null = null;

let interrupted = false;
// A terminal that is gone must not end this before the engines have ended.
process.stdout.on("error", () => undefined);
const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // Ctrl-C may arrive more than once: from the terminal, and from the launcher, which passes it on.
    if (interrupted) return;
    interrupted = true;
    for (const child of children) child.kill(signal);
    say("interrupted");
    void finish(exitCodes[signal]);
  });
}

// The launcher was killed, by which nobody is told anything.
process.on("disconnect", () => process.kill(process.pid, "SIGHUP"));
process.channel?.unref();

await main();

async function main(): Promise<void> {
  // Engines start while the checks that need none run.
  const starting = startEngines({ log: (line) => say(`engine ${line}`) }).then(
    (started) => {
      engines = started;
    },
    (error: Error) => {
      say(`engines: ${error.message}`);
      tally.failed += 1;
    },
  );
  if (files.length === 0) {
    await check("lint", bin("biome"), ["check", "--error-on-warnings", "."]);
    await check("types", bin("tsc"), ["--noEmit"]);
    await check("architecture", process.execPath, ["test/architecture/check.ts"]);
  }
  await starting;
  await vitest();
  await finish(tally.failed > 0 || tally.passed === 0 ? 1 : 0);
}

async function check(name: string, program: string, programArgs: string[]): Promise<void> {
  say(name);
  const code = await run(program, programArgs, process.env);
  if (code === 0) tally.passed += 1;
  else {
    tally.failed += 1;
    say(`${name} failed`);
  }
}

async function vitest(): Promise<void> {
  const results = join(folder, "results.json");
  const env = {
    ...process.env,
    ...(engines === null ? {} : testEnvironment(engines)),
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} --disable-warning=ExperimentalWarning`.trim(),
    ...(full ? { PORTCULLIS_FULL: "1" } : {}),
  };
  const code = await run(
    bin("vitest"),
    ["run", "--reporter=dot", "--reporter=json", `--outputFile.json=${results}`, ...files],
    env,
  );
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, numFailedTestSuites } = JSON.parse(
      readFileSync(results, "utf8"),
    );
    tally.passed += numPassedTests;
    tally.failed += numFailedTests;
    tally.skipped += numPendingTests + numTodoTests;
    // A file that could not even be loaded has no failed test.
    if (numFailedTests === 0 && (numFailedTestSuites > 0 || code !== 0)) tally.failed += 1;
  } catch {
    say("vitest left no results");
    tally.failed += 1;
  }
}

function run(program: string, programArgs: string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve) => {
    // Nothing starts any more, and whoever waits for it ends with the process.
    if (interrupted) return;
    const child = spawn(program, programArgs, { cwd: root, env, stdio: ["ignore", "inherit", "inherit"] });
    children.add(child);
    child.once("error", (error) => {
      say(`${program}: ${error.message}`);
      resolve(1);
    });
    child.once("exit", (code, signal) => {
      children.delete(child);
      if (!interrupted) resolve(signal === null ? (code ?? 1) : 1);
    });
  });
}

async function finish(code: number): Promise<never> {
  await engines?.stop();
  rmSync(folder, { recursive: true, force: true });
  const skipped = tally.skipped > 0 ? `, ${tally.skipped} skipped` : "";
  say(`${tally.passed} passed, ${tally.failed} failed${skipped}`);
  process.exit(code);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
