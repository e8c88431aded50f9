// Runs a TypeScript file of this repository on the Node that the lockfile pins, after installing what is missing.
// Usage: node deploy/local/with-setup.mjs <script.ts> [argument ...]
// Plain JavaScript without dependencies: it is what runs when there is nothing yet, on whatever Node the machine has.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
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

function install() {
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
  const options = ["--no-audit", "--no-fund", "--ignore-scripts", "--include=dev", "--include=optional"];
  const npmFile = process.env.npm_execpath;
  const [program, first] = npmFile?.endsWith("npm-cli.js") ? [process.execPath, [npmFile]] : ["npm", []];
  const { status, signal, error } = spawnSync(program, [...first, command, ...options], {
    cwd: root,
    // Standard output belongs to the script: somebody may parse it.
    stdio: ["ignore", 2, 2],
    shell: onWindows && program === "npm",
  });
  if (error) fail(`npm could not be started (${error.code}): it comes with Node, see https://nodejs.org`);
  if (status !== 0) fail(`npm ${command} failed (${signal ?? `exit code ${status}`}); its own words are above`);
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
  }
  if (isAtLeast(process.version, 24, 7)) return process.execPath;
  return fail(
    `no pinned Node runs on ${process.platform}-${process.arch}, and this one is ${process.version}: install Node 24.7 or later`,
  );
}

function run(node, script, args) {
  // On Windows the name may be `Path`.
  const pathName = Object.keys(process.env).find((name) => name.toUpperCase() === "PATH") ?? "PATH";
  const path = [join(modules, ".bin"), dirname(node), process.env[pathName]].filter(Boolean).join(delimiter);
  const env = { ...process.env, [pathName]: path };
  const child = spawn(node, [script, ...args], { stdio: "inherit", env });
  child.on("error", (error) => fail(`${node} could not be started: ${error.message}`));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      // A terminal has told the child as well: Ctrl-C and a hang-up go to the whole group of processes.
      if (signal === "SIGTERM" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

const [script, ...args] = process.argv.slice(2);
if (!isAtLeast(process.version, 20, 0)) fail(`this is Node ${process.version}; 20 or later is needed`);
if (script === undefined) fail("usage: node deploy/local/with-setup.mjs <script.ts> [argument ...]");
install();
run(findNode(), resolve(root, script), args);
