import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ServiceName } from "@portcullis/contracts";

export interface Replica {
  readonly name: string;
  readonly service: ServiceName;
  /** Where it answers `/readyz`. */
  readonly healthPort: number;
  readonly pid: () => number | null;
  /** As a crash: it comes back after a second. */
  kill(signal?: NodeJS.Signals): void;
  /** Ends it for good. */
  stop(): Promise<void>;
}

export interface ReplicaOptions {
  readonly name: string;
  readonly service: ServiceName;
  readonly healthPort: number;
  readonly env: Readonly<Record<string, string>>;
  /** Gets standard output and error. */
  readonly logFile: string;
  readonly onExit: (name: string, how: string) => void;
}

const restartMs = 1_000;
const stopMsMax = 6_000;

/** One service process that is started again when it dies, as an orchestrator would. */
export function startReplica(options: ReplicaOptions): Replica {
  const { name, service, healthPort, env, logFile, onExit } = options;
  const main = fileURLToPath(new URL(`../../services/${service}/src/main.ts`, import.meta.url));
  const log = createWriteStream(logFile, { flags: "a", mode: 0o600 });
  let child: ChildProcess | null = null;
  let stopping = false;
  let restart: NodeJS.Timeout | undefined;

  function start(): void {
    // Nothing is inherited but what a program needs to run: a secret of the launcher's environment is none of the service's.
    const inherited = Object.fromEntries(
      ["PATH", "HOME", "TZ", "LANG"].flatMap((key) =>
        process.env[key] === undefined ? [] : [[key, process.env[key]]],
      ),
    );
    child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main], {
      env: { ...inherited, ...env },
      // By the channel it notices that this process is gone, kill -9 included.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // Ctrl-C is for the launcher, which stops its services in order.
      detached: true,
    });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    child.once("error", (error) => onExit(name, error.message));
    child.once("exit", (code, signal) => {
      child = null;
      if (stopping) return;
      onExit(name, signal === null ? `exit code ${code}` : signal);
      restart = setTimeout(start, restartMs);
    });
  }
  start();

  return {
    name,
    service,
    healthPort,
    pid: () => child?.pid ?? null,
    kill: (signal = "SIGKILL") => void child?.kill(signal),
    async stop() {
      stopping = true;
      clearTimeout(restart);
      const running = child;
      if (running !== null) {
        const gone = new Promise<void>((resolve) => running.once("exit", () => resolve()));
        running.kill("SIGTERM");
        const hard = setTimeout(() => running.kill("SIGKILL"), stopMsMax);
        await gone;
        clearTimeout(hard);
      }
      log.end();
    },
  };
}
