import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";

/** Stands in for npm: writes down what it was asked for, leaves what npm leaves, and fails when told to. */
const fakeNpm = `
const { appendFileSync, mkdirSync, writeFileSync, existsSync } = require("node:fs");
appendFileSync("npm.log", process.argv[2] + "\\n");
console.log("npm speaks");
if (existsSync("npm-fails")) { console.error("npm error: no network"); process.exit(7); }
mkdirSync("node_modules", { recursive: true });
writeFileSync("node_modules/.package-lock.json", "{}");
`;

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "portcullis-setup-"));
  mkdirSync(join(root, "deploy/local"), { recursive: true });
  mkdirSync(join(root, "libs/a"), { recursive: true });
  cpSync(join(import.meta.dirname, "with-setup.mjs"), join(root, "deploy/local/with-setup.mjs"));
  write("package.json", JSON.stringify({ workspaces: ["libs/*", "services/*"] }));
  write("package-lock.json", "{}");
  write("libs/a/package.json", "{}");
  write("npm-cli.js", fakeNpm);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(file: string, text: string): void {
  writeFileSync(join(root, file), text);
}

function start(script: string, ...args: string[]): { child: ChildProcess; ended: Promise<Ended>; said: Promise<void> } {
  const child = spawn(process.execPath, [join(root, "deploy/local/with-setup.mjs"), script, ...args], {
    cwd: tmpdir(),
    env: { ...process.env, npm_execpath: join(root, "npm-cli.js") },
    // A group of its own, as a terminal gives to what it runs.
    detached: true,
  });
  const ended: Ended = { code: null, out: "", err: "" };
  const said = new Promise<void>((resolve) => {
    child.stdout?.on("data", (chunk) => {
      ended.out += chunk;
      resolve();
    });
  });
  child.stderr?.on("data", (chunk) => {
    ended.err += chunk;
  });
  return { child, said, ended: new Promise((resolve) => child.on("close", (code) => resolve({ ...ended, code }))) };
}

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

const asked = () => (existsSync(join(root, "npm.log")) ? readFileSync(join(root, "npm.log"), "utf8").split("\n") : []);

test("dependencies are installed once, from the lock, and again when lock or any package changes", async () => {
  write("a.ts", "console.log('ran');");
  expect(await start("a.ts").ended).toMatchObject({ code: 0, out: "ran\n" });
  expect(await start("a.ts").ended).toMatchObject({ code: 0, out: "ran\n", err: "" });
  expect(asked()).toEqual(["ci", ""]);
  write("package-lock.json", '{ "changed": true }');
  await start("a.ts").ended;
  expect(asked()).toEqual(["ci", "install", ""]);
  write("libs/a/package.json", '{ "changed": true }');
  await start("a.ts").ended;
  expect(asked()).toEqual(["ci", "install", "install", ""]);
});

test("an install that was cut short is done anew", async () => {
  write("a.ts", "");
  mkdirSync(join(root, "node_modules/half"), { recursive: true });
  await start("a.ts").ended;
  expect(asked()).toEqual(["ci", ""]);
});

test("an install that fails is reported in npm's words, nothing runs, and the next run tries again", async () => {
  write("a.ts", "console.log('ran');");
  write("npm-fails", "");
  const failed = await start("a.ts").ended;
  expect(failed).toMatchObject({ code: 1, out: "" });
  expect(failed.err).toContain("npm error: no network");
  expect(failed.err).toMatch(/portcullis: npm ci failed with exit code 7.*\n$/);
  rmSync(join(root, "npm-fails"));
  expect(await start("a.ts").ended).toMatchObject({ code: 0, out: "ran\n" });
});

test("arguments, exit code and the repository's own programs reach the script", async () => {
  write(
    "a.ts",
    "const first: string = (process.env.PATH ?? '').split(':')[0] ?? '';\nconsole.log(JSON.stringify([process.argv.slice(2), first]));\nprocess.exitCode = 5;",
  );
  const { code, out } = await start("a.ts", "--one", "two 3").ended;
  expect(code).toBe(5);
  expect(JSON.parse(out)).toEqual([["--one", "two 3"], join(root, "node_modules/.bin")]);
});

test("a signal to the launcher alone reaches the script once, and its exit code is kept", async () => {
  write(
    "a.ts",
    "let times = 0;\nprocess.on('SIGTERM', () => { times += 1; setTimeout(() => process.exit(20 + times), 400); });\nsetInterval(() => {}, 1000);\nconsole.log(process.pid);",
  );
  const { child, said, ended } = start("a.ts");
  await said;
  child.kill("SIGTERM");
  expect((await ended).code).toBe(21);
});

test("a second signal after the first one went unheeded is passed on too", async () => {
  write(
    "a.ts",
    "let times = 0;\nprocess.on('SIGINT', () => { times += 1; console.log(times); if (times === 2) process.exit(9); });\nsetInterval(() => {}, 1000);\nconsole.log(0);",
  );
  const { child, said, ended } = start("a.ts");
  await said;
  child.kill("SIGINT");
  await new Promise((resolve) => child.stdout?.once("data", resolve));
  child.kill("SIGINT");
  expect((await ended).code).toBe(9);
});

test("Ctrl-C of a terminal, which the script hears itself, is not repeated to a script that ends at once", async () => {
  write(
    "a.ts",
    "let times = 0;\nprocess.on('SIGINT', () => { times += 1; setTimeout(() => process.exit(30 + times), 20); });\nsetInterval(() => {}, 1000);\nconsole.log(0);",
  );
  const { child, said, ended } = start("a.ts");
  await said;
  process.kill(-Number(child.pid), "SIGINT");
  expect((await ended).code).toBe(31);
});

test("a script that a signal killed gives 128 + the signal's number, and leaves no process", async () => {
  write("a.ts", "console.log(process.pid);\nsetInterval(() => {}, 1000);");
  const { child, said, ended } = start("a.ts");
  await said;
  child.kill("SIGTERM");
  const { code, out } = await ended;
  expect(code).toBe(143);
  expect(isAlive(Number(out))).toBe(false);
});

test("a launcher that is killed with -9 lets the script know", async () => {
  write(
    "a.ts",
    "process.once('disconnect', () => process.exit());\nsetInterval(() => {}, 1000);\nconsole.log(process.pid);",
  );
  const { child, ended, said } = start("a.ts");
  await said;
  child.kill("SIGKILL");
  const pid = Number((await ended).out);
  endedWithTest(pid);
  await expect.poll(() => isAlive(pid), { timeout: 3000 }).toBe(false);
});

test("the launcher's channel does not keep a script that is done", async () => {
  write("a.ts", "process.on('message', () => undefined);\nprocess.channel?.unref();\nconsole.log('done');");
  expect(await start("a.ts").ended).toMatchObject({ code: 0, out: "done\n" });
});

const untilTerm =
  "process.on('SIGTERM', () => process.exit());\nsetInterval(() => {}, 1000);\nconsole.log(process.pid);";
const throughShell = () => `'${process.execPath}' '${join(root, "deploy/local/with-setup.mjs")}' a.ts; exit $?`;
const asNpm = () => ({ ...process.env, npm_execpath: join(root, "npm-cli.js"), npm_lifecycle_event: "start" });

test("a signal to npm stops the script too, although it only reaches the shell in between", async () => {
  write("a.ts", untilTerm);
  const shell = spawn("sh", ["-c", throughShell()], { env: asNpm(), stdio: ["ignore", "pipe", "ignore"] });
  const pid = await new Promise<number>((resolve) => shell.stdout.once("data", (chunk) => resolve(Number(chunk))));
  endedWithTest(pid);
  shell.kill("SIGTERM");
  await expect.poll(() => isAlive(pid), { timeout: 3000 }).toBe(false);
});

// Other systems do not tell as cheaply who the parent of the shell is.
test.runIf(process.platform === "linux")(
  "npm killed with -9 stops the script too, although its shell stays",
  async () => {
    write("a.ts", untilTerm);
    const npm = spawn(
      process.execPath,
      [
        "-e",
        "require('node:child_process').spawn('sh', ['-c', process.argv[1]], { stdio: 'inherit' })",
        throughShell(),
      ],
      { env: asNpm(), stdio: ["ignore", "pipe", "ignore"] },
    );
    const pid = await new Promise<number>((resolve) => npm.stdout.once("data", (chunk) => resolve(Number(chunk))));
    endedWithTest(pid);
    npm.kill("SIGKILL");
    await expect.poll(() => isAlive(pid), { timeout: 3000 }).toBe(false);
  },
);

function endedWithTest(pid: number): void {
  onTestFinished(() => {
    if (isAlive(pid)) process.kill(pid, "SIGKILL");
  });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
