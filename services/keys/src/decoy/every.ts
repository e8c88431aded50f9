import type { Logger } from "@portcullis/runtime";

/** Does it again and again, never twice at once. @returns stops it, and resolves when the last time has ended */
export function startEvery(everyMs: number, work: () => Promise<void>, log: Pick<Logger, "warn">): () => Promise<void> {
  let running: Promise<void> | null = null;
  const timer = setInterval(() => {
    running ??= work()
      .catch((error: unknown) => log.warn("decoys could not be looked after", {}, error))
      .finally(() => {
        running = null;
      });
  }, everyMs);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await running;
  };
}
