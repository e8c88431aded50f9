import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { findProgram, startProgram } from "./binaries.ts";
import type { EngineName, Way } from "./types.ts";

const run = promisify(execFile);
const packages: Partial<Record<EngineName, string>> = { nats: "nats-server", redis: "redis-server" };
const timeoutMs = 180_000;
let updated: Promise<unknown> | undefined;

/** Debian's own package, installed on the spot: only for root on Debian, which is what a CI container is. */
export const fromDebian: Way = async (engine, context) => {
  const { env, log } = context;
  const name = packages[engine];
  const apt = findProgram("apt-get", env);
  if (!name || !apt || process.getuid?.() !== 0 || !existsSync("/etc/debian_version")) return null;
  log(`${engine}: installing Debian's ${name}`);
  const options = { timeout: timeoutMs, env: { ...env, DEBIAN_FRONTEND: "noninteractive" } };
  updated ??= run(apt, ["update", "-qq"], options);
  await updated;
  await run(apt, ["install", "-y", "-qq", "--no-install-recommends", name], options);
  const program = findProgram(name, env);
  if (program === null) throw new Error(`${name} was installed but is not there`);
  return await startProgram(engine, program, context);
};
