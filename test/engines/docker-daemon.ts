import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findProgram } from "./binaries.ts";
import { answersPing, type Daemon } from "./docker-api.ts";

export interface OwnDaemon {
  readonly daemon: Daemon;
  readonly url: string;
  stop(): Promise<void>;
}

const readyTimeoutMs = 40_000;
const stopTimeoutMs = 15_000;

/**
 * Everything runs in namespaces of its own, for process ids and mounts: with the first process in there the kernel ends all of
 * it, containers included, and unmounts what Docker has mounted. That process ends with dockerd, and dockerd when file
 * descriptor 3 closes, which it does whatever ends the one that started this.
 */
const script = `
containerd --config "$1/containerd.toml" >"$1/containerd.log" 2>&1 &
dockerd --config-file "$1/daemon.json" --host "unix://$1/docker.sock" --containerd "$1/containerd.sock" \
  --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/docker.pid" --storage-driver vfs \
  --exec-opt native.cgroupdriver=cgroupfs --bridge none --iptables=false --ip6tables=false --ip-forward=false &
daemon=$!
(cat <&3 >/dev/null; : >"$1/unwanted"; kill -TERM "$daemon") &
wait "$daemon"
[ ! -e "$1/unwanted" ] || rm -rf "$1"
`;

/**
 * A Docker daemon for this process alone, with its data in a temporary folder. It has no network of its own and touches
 * nobody's firewall: containers use the network of the host. @returns why there is none, where there can be none.
 */
export async function startDockerDaemon(env: NodeJS.ProcessEnv): Promise<OwnDaemon | { readonly why: string }> {
  if (process.platform !== "linux") return { why: "this is not Linux" };
  for (const program of ["dockerd", "containerd", "runc", "unshare"]) {
    if (findProgram(program, env) === null) return { why: `${program} is not installed` };
  }
  if (process.getuid?.() !== 0) return { why: "dockerd needs root" };

  const folder = mkdtempSync(join(tmpdir(), "portcullis-docker-"));
  const log = join(folder, "log");
  // Not the machine's own configuration.
  writeFileSync(join(folder, "daemon.json"), "{}");
  writeFileSync(
    join(folder, "containerd.toml"),
    [
      "version = 2",
      `root = "${folder}/containerd"`,
      `state = "${folder}/containerd-state"`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
      "[grpc]",
      `address = "${folder}/containerd.sock"`,
      "",
    ].join("\n"),
  );
  const child = spawn(
    "unshare",
    [
      "--mount",
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
      "sh",
      "-c",
      `exec >"$1/log" 2>&1\n${script}`,
      "sh",
      folder,
    ],
    { env: { ...env, PATH: `${env.PATH ?? ""}:/usr/sbin:/sbin` }, stdio: ["ignore", "ignore", "pipe", "pipe"] },
  );
  let refused = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    refused = `${refused}${chunk}`.slice(-300);
  });
  let ended = false;
  const exit = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  }).then(() => {
    ended = true;
  });
  const wish = child.stdio[3];
  wish?.on("error", () => undefined);
  const stop = async () => {
    wish?.destroy();
    const timer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
    await exit;
    clearTimeout(timer);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };

  const daemon = { socketPath: join(folder, "docker.sock") };
  const deadline = Date.now() + readyTimeoutMs;
  while (!(await answersPing(daemon))) {
    if (!ended && Date.now() < deadline) {
      await sleep(100);
      continue;
    }
    const why = `dockerd ${ended ? "cannot run here" : "does not answer"}: ${lastComplaint(log) ?? (refused.trim() || "it wrote no log")}`;
    await stop();
    return { why };
  }
  return { daemon, url: `unix://${daemon.socketPath}`, stop };
}

function lastComplaint(log: string): string | null {
  try {
    const lines = readFileSync(log, "utf8").trim().split("\n");
    const worst = lines.findLast((line) => /fail|error|not permitted|denied/i.test(line)) ?? lines.at(-1) ?? "";
    return worst.slice(0, 300);
  } catch {
    return null;
  }
}
