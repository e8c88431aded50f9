/** `error` is whatever was thrown; `subject` says where. Must not throw. */
export type BusErrorListener = (error: unknown, subject: string) => void;

export interface TaskSet {
  /** Calls `task` at once; counts it as running until its promise settles; reports what it throws. */
  run(task: () => void | Promise<void>): void;
  /** Holds `idle` open for something that will run later. The returned function must be called exactly once. */
  hold(): () => void;
  /** Resolves when nothing runs. */
  idle(): Promise<void>;
}

/** The handlers that run for one subscription: what `close` waits for. */
export function createTaskSet(subject: string, onError: BusErrorListener): TaskSet {
  let running = 0;
  let waiting: (() => void)[] = [];
  const done = () => {
    running -= 1;
    if (running > 0) return;
    const resolvers = waiting;
    waiting = [];
    for (const resolve of resolvers) resolve();
  };
  const failed = (error: unknown) => {
    onError(error, subject);
    done();
  };
  return {
    run(task) {
      running += 1;
      try {
        const result = task();
        if (result === undefined) done();
        else result.then(done, failed);
      } catch (error) {
        failed(error);
      }
    },
    hold() {
      running += 1;
      return done;
    },
    idle: () => (running === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}
