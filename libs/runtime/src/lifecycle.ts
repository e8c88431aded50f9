import { type Closer, createCloser, type Stop } from "./closer.ts";
import type { Logger } from "./log.ts";
import { asStartupError, type StartupHints } from "./startup-error.ts";

export interface ProcessContext {
  /** What was opened, for the way back. */
  readonly closer: Closer;
  /** Aborted when the process begins to stop: ends waits for engines, turns `/readyz` to `stopping`. */
  readonly signal: AbortSignal;
  /** Errors that nobody caught go there instead of standard error. */
  useLogger(log: Logger): void;
  /** Begins an orderly stop, as SIGTERM does. */
  stop(): void;
}

export interface RunOptions extends StartupHints {
  /** For all stops together. Default 4500: orchestrators and people lose patience at 5 s. */
  readonly stopMsMax?: number;
}

/**
 * `npm` passes Ctrl-C on to its children, which the terminal has told already: the same wish, twice within milliseconds. A
 * person who presses again because the first had no effect takes longer than this.
 */
const sameSignalMs = 300;
const signalExitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/**
 * The life of one process. `start` opens things and may return a last stop, which then runs first. SIGTERM, SIGINT, SIGHUP (the
 * terminal was closed) and the end of a parent that holds an IPC channel (it was killed, and nobody else would end this process)
 * stop it in order, once, within `stopMsMax`; a second signal ends it at once. Exit code 0 after an orderly stop; 1 when
 * start-up failed, a stop failed or hung, or an error went uncaught.
 */
export function runProcess(
  name: string,
  start: (context: ProcessContext) => Promise<Stop | undefined>,
  options: RunOptions = {},
): void {
  const stopMsMax = options.stopMsMax ?? 4_500;
  const abort = new AbortController();
  let log: Logger | null = null;
  let exitCode = 0;
  let started = false;
  let stoppingSinceMs: number | null = null;

  const closer = createCloser((what, error) => complain(`${what} did not stop cleanly`, error));

  function complain(message: string, error: unknown): void {
    if (log !== null) log.error(message, {}, error);
    else sayLine(`${name}: ${message}: ${error instanceof Error ? (error.stack ?? error.message) : typeof error}`);
  }

  function sayLine(line: string): void {
    try {
      process.stderr.write(`${line}\n`);
    } catch {
      // Nobody reads any more; the exit code still speaks.
    }
  }

  function stop(code: number): void {
    exitCode = Math.max(exitCode, code);
    if (stoppingSinceMs !== null) return;
    stoppingSinceMs = performance.now();
    setTimeout(() => {
      sayLine(`${name}: ${closer.current() ?? "the process"} did not stop within ${stopMsMax / 1_000} s`);
      process.exit(1);
    }, stopMsMax);
    abort.abort(new Error(`${name} is stopping`));
    closer.close().then(
      () => process.exit(closer.failures() > 0 ? 1 : exitCode),
      () => process.exit(1),
    );
  }

  // Of a terminal that was closed, or a reader that went: what cannot be said is no reason to end anything.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

  if (process.channel !== undefined) {
    process.once("disconnect", () => stop(0));
    // Whoever has nothing else to do may still end.
    process.channel.unref();
  }

  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (stoppingSinceMs === null) return stop(0);
      if (performance.now() - stoppingSinceMs < sameSignalMs) return;
      sayLine(`${name}: stopped at once by a second signal`);
      process.exit(signalExitCodes[signal]);
    });
  }

  function failed(message: string, error: unknown): void {
    // Servers report a port in use by an event, which may arrive as an uncaught error after `start` returned. Anything else
    // that happens later is no matter of set-up and deserves its stack.
    const expected = !started || isListenError(error) ? asStartupError(error, options) : null;
    if (expected === null) complain(message, error);
    else for (const line of expected.message.split("\n")) sayLine(`${name}: ${line}`);
    stop(1);
  }
  process.on("uncaughtException", (error) => failed("an error was not caught", error));
  process.on("unhandledRejection", (reason) => failed("a rejection was not handled", reason));

  const context: ProcessContext = {
    closer,
    signal: abort.signal,
    useLogger(logger) {
      log = logger;
    },
    stop: () => stop(0),
  };
  // A turn later, so that an error thrown by `start` itself takes the same way as a rejection.
  Promise.resolve()
    .then(() => start(context))
    .then(
      (last) => {
        started = true;
        if (last !== undefined) closer.add(name, last);
      },
      (error: unknown) => {
        // Whoever stops during start-up sees it fail because of that, which is no news.
        if (abort.signal.aborted) return;
        failed("could not start", error);
      },
    );
}

function isListenError(error: unknown): boolean {
  return error instanceof Error && (error as { readonly syscall?: unknown }).syscall === "listen";
}
