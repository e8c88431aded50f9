import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBrowser } from "./e2e/browser/find-browser.ts";
import { type ContainerEngines, startContainerEngines } from "./engines/containers.ts";
import { type Engines, startEngines, testEnvironment } from "./engines/engines.ts";
import { findPython } from "./interop/environment.ts";

const help = `npm test [-- file ...]: everything that proves Portcullis, on real engines where they can be had.
npm run test:full: the same and what takes longer, then the suites of the ports once more on engines in containers, where a
Docker daemon of their own can be had (root, Debian's docker.io). npm test -- --containers: only these.

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
const containersOnly = args.includes("--containers");
const files = args.filter((arg) => !arg.startsWith("--"));

const bin = (name: string) => join(root, "node_modules/.bin", name);
const children = new Set<ReturnType<typeof spawn>>();
let runs = 0;
const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
const folder = mkdtempSync(join(tmpdir(), "portcullis-test-"));
/** What this run does not prove, one line each: told last, where it is read. */
const unproven: string[] = [];
let engines: Engines | null = null;
let contained: ContainerEngines | null = null;

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
  if (containersOnly) await containers();
  else await everything();
  await finish(tally.failed > 0 || tally.passed === 0 ? 1 : 0);
}

async function everything(): Promise<void> {
  if (findBrowser(process.env) === null) unproven.push("browser: skipped: there is no Chromium");
  // What a machine lacks of these is looked for, and installed, while the checks that need none run.
  const python = findPython().then((found) => {
    if ("missing" in found) unproven.push(`second client: skipped: ${found.missing}`);
  });
  const starting = startEngines({ log: (line) => say(`engine ${line}`) }).then(
    (started) => {
      engines = started;
      for (const { engine, why } of started.missing) unproven.push(`${engine}: skipped: ${why}`);
      if (!started.capabilities.mongoAtomic) {
        const why =
          started.mongodbUrl === null ? "there is no MongoDB" : "only FerretDB is there, which does not promise it";
        unproven.push(`mongo-atomic: unproven: ${why}`);
      }
    },
    (error: Error) => {
      say(`engines: ${error.message}`);
      tally.failed += 1;
    },
  );
  if (files.length === 0) {
    await check("lint", bin("biome"), ["check", "--error-on-warnings", "."]);
    await check("types", bin("tsc"), ["--noEmit"]);
    await check("types in a browser", bin("tsc"), ["--noEmit", "-p", "tsconfig.browser.json"]);
    await check("architecture", process.execPath, ["test/architecture/check.ts"]);
  }
  await Promise.all([starting, python]);
  await vitest(files, engines === null ? {} : testEnvironment(engines));
  if (full && files.length === 0) await containers();
}

/** The ports' suites on engines that testcontainers starts, which is how they come about where Docker is. */
async function containers(): Promise<void> {
  say("containers");
  try {
    const started = await startContainerEngines({ env: process.env, log: (line) => say(`containers: ${line}`) });
    if ("why" in started) {
      unproven.push(`containers: skipped: ${started.why}`);
      tally.skipped += 1;
      return;
    }
    contained = started;
    await vitest(["test/conformance/"], contained.environment);
    await contained.assertContained();
    tally.passed += 1;
  } catch (error) {
    say(`containers: ${error instanceof Error ? error.message : String(error)}`);
    tally.failed += 1;
  }
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

async function vitest(only: readonly string[], environment: Record<string, string>): Promise<void> {
  const results = join(folder, `results-${runs}.json`);
  runs += 1;
  const env = {
    ...process.env,
    ...environment,
    // A log is read by people: without a terminal no colours, which vitest would force in CI, and a line for each file.
    ...(process.stdout.isTTY ? {} : { NO_COLOR: "1" }),
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} --disable-warning=ExperimentalWarning`.trim(),
    ...(full ? { PORTCULLIS_FULL: "1" } : {}),
  };
  const code = await run(
    bin("vitest"),
    [
      "run",
      `--reporter=${process.stdout.isTTY ? "dot" : "default"}`,
      "--reporter=json",
      `--outputFile.json=${results}`,
      ...only,
    ],
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
  await Promise.all([engines?.stop(), contained?.stop()]);
  rmSync(folder, { recursive: true, force: true });
  for (const line of unproven) say(line);
  const skipped = tally.skipped > 0 ? `, ${tally.skipped} skipped` : "";
  say(`${tally.passed} passed, ${tally.failed} failed${skipped}`);
  process.exit(code);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
