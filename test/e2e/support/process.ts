import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Program {
  readonly pid: number;
  /** Standard output and error so far. */
  readonly out: () => string;
  readonly err: () => string;
  /** Resolves when a line of standard output matches. @throws when it ends before, or after a minute. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves when it has ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

// A machine that runs other tests at the same time is slow.
const startMsMax = 60_000;
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A launcher of `deploy/local` in a process of its own, with nothing of this one's environment but where programs are. */
export function startProgram(name: `${string}.ts`, env: Readonly<Record<string, string>>): Program {
  const file = fileURLToPath(new URL(`../../../deploy/local/${name}`, import.meta.url));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", file], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    // By the channel it notices that this process is gone, kill -9 included.
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("no pipes");
  running.add(child);
  let out = "";
  let err = "";
  let wake = () => {};
  stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
    wake();
  });
  stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  let over = false;
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      over = true;
      running.delete(child);
      wake();
      resolve({ code, signal });
    });
  });
  return {
    pid: child.pid ?? -1,
    out: () => out,
    err: () => err,
    ended,
    signal: (signal) => void child.kill(signal),
    async until(pattern) {
      const deadline = Date.now() + startMsMax;
      for (;;) {
        const match = pattern.exec(out);
        if (match !== null) return match;
        if (over || Date.now() > deadline) throw new Error(`${name} never said ${pattern}:\n${out}\n${err}`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 200);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
  };
}
