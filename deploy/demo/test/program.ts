import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A program of this repository, as somebody at a terminal or in a pipe would run it. */
export interface Program {
  readonly child: ChildProcess;
  readonly stdout: string;
  readonly stderr: string;
  type(line: string): void;
  /** Ctrl-D. */
  endInput(): void;
  /** Resolves when the output, either of them, matches. Rejects with all of it when the program ends first. */
  until(pattern: RegExp): Promise<RegExpMatchArray>;
  /** Exit code; 128 + n where signal n ended it is null. */
  readonly exit: Promise<number | null>;
}

const running = new Set<ChildProcess>();

const flags = ["--disable-warning=ExperimentalWarning"];

/** @param script relative to the repository */
export function run(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
  return start(process.execPath, [...flags, script, ...args], env);
}

/** The same at a terminal (by util-linux' `script`), whose output has what a terminal is told. */
export function runInTerminal(script: string, args: readonly string[], env: Readonly<Record<string, string>>): Program {
  const command = [process.execPath, ...flags, script, ...args].map((word) => `'${word}'`).join(" ");
  return start("script", ["-qefc", command, "/dev/null"], { ...env, TERM: "xterm" });
}

function start(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Program {
  const child = spawn(command, [...args], {
    cwd: root,
    env: { ...process.env, ...env },
    // By the channel a server notices that this process is gone, kill -9 included.
    stdio: ["pipe", "pipe", "pipe", "ipc"],
  });
  const { stdin, stdout: out, stderr: err } = child;
  if (stdin === null || out === null || err === null) throw new Error("no pipes");
  running.add(child);
  let stdout = "";
  let stderr = "";
  out.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  err.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  stdin.on("error", () => {});
  const exit = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  void exit.then(() => running.delete(child));
  return {
    child,
    exit,
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    type: (line) => void stdin.write(`${line}\n`),
    endInput: () => void stdin.end(),
    async until(pattern) {
      let ended = false;
      void exit.then(() => {
        ended = true;
      });
      for (;;) {
        const match = `${stdout}\n${stderr}`.match(pattern);
        if (match !== null) return match;
        if (ended) throw new Error(`ended before ${pattern}:\n${stdout}\n${stderr}`);
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
  };
}

/** Ends, in order, what a test has left running. */
export async function stopPrograms(): Promise<void> {
  await Promise.all(
    [...running].map((child) => {
      const gone = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGTERM");
      return gone;
    }),
  );
}
