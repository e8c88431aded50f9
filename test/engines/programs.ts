import { execFile } from "node:child_process";

export interface RunOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
  readonly cwd?: string;
}

const outputBytesMax = 16 * 1024 * 1024;

/** Runs a program to its end. @returns its standard output. @throws with the last line of its standard error. */
export function runProgram(program: string, args: readonly string[], options: RunOptions): Promise<string> {
  const { env, timeoutMs, cwd } = options;
  return new Promise((resolve, reject) => {
    execFile(
      program,
      args,
      { env, timeout: timeoutMs, maxBuffer: outputBytesMax, ...(cwd === undefined ? {} : { cwd }) },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        const how = error.killed ? `not done after ${timeoutMs / 1000} s` : stderr.trim().split("\n").at(-1);
        const called = [program, ...args.slice(0, 2)].join(" ");
        reject(new Error(`${called}: ${(how || error.message).slice(0, 300)}`, { cause: error }));
      },
    );
  });
}
