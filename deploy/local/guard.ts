import { type ChildProcess, spawn } from "node:child_process";

const waitThenEnd = 'read -r _; kill -KILL "$0" 2>/dev/null; [ -z "$1" ] || rm -rf -- "$1"';

/**
 * Ends a program that has no way to notice that this process is gone, even by kill -9: a shell in a session of its own waits for
 * the end of a pipe that only this process holds. Programs of this repository are given an IPC channel instead.
 *
 * @param folder of the program alone; removed then as well
 */
export function guard(program: ChildProcess, folder = ""): void {
  if (program.pid === undefined) return;
  const shell = spawn("sh", ["-c", waitThenEnd, String(program.pid), folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  // Where there is no shell, there is no guard.
  shell.on("error", () => undefined);
  shell.unref();
  // A later process may get the same number.
  program.once("exit", () => shell.kill("SIGKILL"));
}
