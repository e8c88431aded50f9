// Runs a TypeScript file of this repository on the Node that the lockfile pins, after installing what is missing.
// Usage: node deploy/local/with-setup.mjs <script.ts> [argument ...]
// Plain JavaScript without dependencies: it is what runs when there is nothing yet, on whatever Node the machine has.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const modules = join(root, "node_modules");
const stamp = join(modules, ".portcullis-setup");
const onWindows = process.platform === "win32";

function fail(line) {
  process.stderr.write(`portcullis: ${line}\n`);
  process.exit(1);
}

function isAtLeast(version, major, minor) {
  const [ownMajor = 0, ownMinor = 0] = version.replace(/^v/, "").split(".").map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

/** Changes whenever an install is due: other dependencies, or the same folder seen from another machine. */
function fingerprint() {
  const { workspaces = [] } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const manifests = workspaces
    .map((pattern) => pattern.replace(/\/\*$/, ""))
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(folder, name, "package.json")))
    .filter((file) => existsSync(join(root, file)))
    .sort();
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}`);
  for (const file of ["package-lock.json", "package.json", ...manifests]) {
    hash.update(`\n${file}\n`).update(existsSync(join(root, file)) ? readFileSync(join(root, file)) : "");
  }
  return hash.digest("hex");
}

/** @returns 0 where the machine does not tell (only Linux does, as a file). */
function parentOf(pid) {
  try {
    // The name, in parentheses, may hold anything.
    const [, , parent] = readFileSync(`/proc/${pid}/stat`, "utf8").split(")").pop().split(" ");
    return Number(parent);
  } catch {
    return 0;
  }
}

/** Runs a program to its end. @returns its exit code; 128 + n when signal n ended it, as a shell reports it. */
function run(program, args, options) {
  const child = spawn(program, args, options);
  let pending = null;
  const handlers = ["SIGINT", "SIGTERM", "SIGHUP"].map((signal) => {
    // Ctrl-C reaches the child by itself, and npm sends it once more to this process; a plain kill reaches only this process.
    // Nobody can tell which it was, so what still runs after a moment is told once. That is short enough for a server to
    // take it as the same wish (libs/runtime), not as an impatient second one. On Windows it would end the child by force.
    const handler = () => {
      if (pending !== null || onWindows) return;
      pending = setTimeout(() => {
        pending = null;
        child.kill(signal);
      }, 100);
    };
    process.on(signal, handler);
    return () => process.off(signal, handler);
  });
  // npm starts this through a shell. A signal that npm passes on ends the shell only, and npm with it (Debian's dash does not
  // become what it runs), and kill -9 ends npm only: without the one or the other, this was asked to stop.
  const [shell, npm] = [process.ppid, parentOf(process.ppid)];
  const watch = setInterval(() => {
    if (process.env.npm_lifecycle_event === undefined) return;
    if (process.ppid === shell && parentOf(shell) === npm) return;
    clearInterval(watch);
    child.kill("SIGTERM");
  }, 100);
  return new Promise((done) => {
    child.on("error", (error) => fail(`${program} could not be started: ${error.message}`));
    child.on("exit", (code, signal) => {
      clearTimeout(pending);
      clearInterval(watch);
      for (const off of handlers) off();
      done(signal === null ? code : 128 + constants.signals[signal]);
    });
  });
}

async function install() {
  const wanted = fingerprint();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  // npm writes this file last. Where it is, `install` brings the tree up to date in place; `ci` would pull it away from under
  // whatever runs beside this.
  const complete = existsSync(join(modules, ".package-lock.json"));
  const command = !complete && existsSync(join(root, "package-lock.json")) ? "ci" : "install";
  process.stderr.write(
    complete ? "Dependencies changed: updating them…\n" : "Installing dependencies (first run, about a minute)…\n",
  );
  // No dependency needs its install script, and some would try to compile. NODE_ENV or a user's settings must not leave out
  // development tools or the pinned Node.
  const flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--include=dev", "--include=optional"];
  // Warnings about the machine's Node miss the point: it is not the one that will run.
  const quiet = ["--loglevel=error", "--no-update-notifier"];
  const npm = process.env.npm_execpath || "";
  const [program, first] = npm.endsWith("npm-cli.js") ? [process.execPath, [npm]] : ["npm", []];
  const code = await run(program, [...first, command, ...flags, ...quiet], {
    cwd: root,
    // Standard output belongs to the script: somebody may parse it.
    stdio: ["ignore", 2, 2],
    shell: onWindows && program === "npm",
  });
  if (code > 128) process.exit(code);
  if (code !== 0) fail(`npm ${command} failed with exit code ${code}; its own words are above`);
  // Not `wanted`: an install without a lock has written one.
  writeFileSync(stamp, fingerprint());
}

/** The pinned Node where its package fits this machine; else the one that runs this, if it is new enough. */
function findNode() {
  const name = onWindows ? "node.exe" : "node";
  const os = onWindows ? "win" : process.platform;
  const pinned = [`node-${os}-${process.arch}`, `node-bin-${os}-${process.arch}`]
    .map((folder) => join(modules, folder, "bin", name))
    .filter(existsSync);
  for (const program of pinned) {
    // A file that is there may still not run: built for another C library, say.
    const { status, stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
    if (status === 0 && isAtLeast(stdout.trim(), 24, 7)) return program;
    // npm puts this link first on the path of every script, where it would hide the Node that works.
    const link = join(modules, ".bin", name);
    if (existsSync(link)) unlinkSync(link);
  }
  if (isAtLeast(process.version, 24, 7)) return process.execPath;
  return fail(
    `no pinned Node runs on ${process.platform}-${process.arch}, and this one is ${process.version}: install Node 24.7 or later`,
  );
}

/** @returns the environment with the repository's own programs first, so that `node` means the same Node everywhere. */
function environment(node) {
  // On Windows the name may be `Path`.
  const name = Object.keys(process.env).find((some) => some.toUpperCase() === "PATH") || "PATH";
  const path = [join(modules, ".bin"), dirname(node), process.env[name]].filter(Boolean).join(delimiter);
  return { ...process.env, [name]: path };
}

async function main([script, ...args]) {
  if (!isAtLeast(process.version, 20, 0)) fail(`this is Node ${process.version}; 20 or later is needed`);
  if (script === undefined) fail("usage: node deploy/local/with-setup.mjs <script.ts> [argument ...]");
  await install();
  const node = findNode();
  // ML-KEM is still marked experimental in Node; a line about it on every start would only worry people.
  return await run(node, ["--disable-warning=ExperimentalWarning", resolve(root, script), ...args], {
    // By the channel the script notices that this process is gone, kill -9 included.
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: environment(node),
  });
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error) => fail(error.message),
);
