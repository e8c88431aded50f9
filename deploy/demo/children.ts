import { type ChildProcess, fork, spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const nodeFlags = ["--disable-warning=ExperimentalWarning"];
const termMs = 2_000;

/** Every process of the demo, so that none stays behind whatever happens. */
export interface Children {
  /** A process that is talked to over IPC. Script paths are relative to this folder. */
  fork(script: string, args: readonly string[]): ChildProcess;
  /** A process that only writes, all of it to `logFile`. `stopMsMax`: what it may take to end in order. */
  spawn(
    script: string,
    options: { readonly env: NodeJS.ProcessEnv; readonly logFile: string; readonly stopMsMax: number },
  ): Promise<ChildProcess>;
  /** Idempotent; the youngest first. Resolves when all are gone, by force if need be. */
  stopAll(): Promise<void>;
  /** For the very end: by force, without waiting. */
  killAll(): void;
}

export function createChildren(): Children {
  const running = new Map<ChildProcess, number>();
  let stopping = false;

  function keep(child: ChildProcess, stopMsMax: number): ChildProcess {
    running.set(child, stopMsMax);
    child.once("exit", () => running.delete(child));
    // Where it could not even be started there is no exit.
    child.once("error", () => {
      if (child.pid === undefined) running.delete(child);
    });
    if (stopping) child.kill("SIGKILL");
    return child;
  }

  async function stop(child: ChildProcess, stopMsMax: number): Promise<void> {
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    if (!running.has(child)) return;
    child.kill("SIGTERM");
    const hard = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
    await gone;
    clearTimeout(hard);
  }

  return {
    fork(script, args) {
      const path = fileURLToPath(new URL(script, import.meta.url));
      const stdio = ["ignore", "ignore", "inherit", "ipc"] as const;
      return keep(fork(path, [...args], { execArgv: nodeFlags, stdio: [...stdio] }), termMs);
    },
    async spawn(script, { env, logFile, stopMsMax }) {
      const path = fileURLToPath(new URL(script, import.meta.url));
      const log = await open(logFile, "a", 0o600);
      try {
        // The channel is for noticing that this process is gone.
        const stdio: ("ignore" | "ipc" | number)[] = ["ignore", log.fd, log.fd, "ipc"];
        return keep(spawn(process.execPath, [...nodeFlags, path], { cwd: root, env, stdio }), stopMsMax);
      } finally {
        await log.close();
      }
    },
    async stopAll() {
      stopping = true;
      await Promise.all([...running].reverse().map(([child, stopMsMax]) => stop(child, stopMsMax)));
    },
    killAll() {
      for (const child of running.keys()) child.kill("SIGKILL");
    },
  };
}
