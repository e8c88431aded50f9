import { chmodSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { findProgram, startProgram } from "./binaries.ts";
import { runProgram } from "./programs.ts";
import type { EngineName, StartContext, Way } from "./types.ts";

const packages: Partial<Record<EngineName, string>> = { nats: "nats-server", redis: "redis-server" };
const timeoutMs = 300_000;
/** Debian asks it whether a package may start its server. */
const startPolicy = "/usr/sbin/policy-rc.d";
let updated: Promise<string> | undefined;

/** Debian's own package, installed on the spot: only for root on Debian, which is what a CI container is. */
export const fromDebian: Way = async (engine, context) => {
  const name = packages[engine];
  if (!name || !(await installFromDebian(name, engine, context))) return null;
  const program = findProgram(name, context.env);
  if (program === null) throw new Error(`${name} was installed but is not there`);
  return await startProgram(engine, program, context);
};

/** @returns false where this is not root on Debian. @throws when the package cannot be had. */
export async function installFromDebian(
  name: string,
  engine: EngineName,
  { env, log }: Pick<StartContext, "env" | "log">,
): Promise<boolean> {
  const apt = findProgram("apt-get", env);
  if (!apt || process.getuid?.() !== 0 || !existsSync("/etc/debian_version")) return false;
  log(`${engine}: installing Debian's ${name}`);
  const options = { timeoutMs, env: { ...env, DEBIAN_FRONTEND: "noninteractive" } };
  updated ??= runProgram(apt, ["update", "-qq"], options);
  await updated;
  // The package's own server, on the usual port, is nothing that a test run may leave behind.
  const hasPolicy = existsSync(startPolicy);
  if (!hasPolicy) {
    writeFileSync(startPolicy, "#!/bin/sh\nexit 101\n");
    chmodSync(startPolicy, 0o755);
  }
  try {
    await runProgram(apt, ["install", "-y", "-qq", "--no-install-recommends", name], options);
  } finally {
    if (!hasPolicy) rmSync(startPolicy, { force: true });
  }
  return true;
}
