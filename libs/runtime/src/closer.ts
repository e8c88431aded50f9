export type Stop = () => Promise<void>;

/** What has to be undone when the process stops, in reverse order of registration: what was opened last depends on the rest. */
export interface Closer {
  /** @param name appears in the log and in the line that names what hung. Added after `close`: runs at once. */
  add(name: string, stop: Stop): void;
  /** Runs every stop once, one after the other; a stop that fails does not keep the next from running. Idempotent. */
  close(): Promise<void>;
  /** Name of the stop that runs now, or null. */
  current(): string | null;
  /** How many stops failed so far. */
  failures(): number;
}

export function createCloser(onError: (name: string, error: unknown) => void): Closer {
  const stops: { readonly name: string; readonly stop: Stop }[] = [];
  let running: string | null = null;
  let failed = 0;
  let closing: Promise<void> | null = null;

  async function run(): Promise<void> {
    for (let next = stops.pop(); next !== undefined; next = stops.pop()) {
      running = next.name;
      try {
        await next.stop();
      } catch (error) {
        failed += 1;
        onError(next.name, error);
      }
    }
    running = null;
  }

  return {
    add(name, stop) {
      stops.push({ name, stop });
      // Start-up that was overtaken by a stop still hands over what it had just opened.
      if (closing !== null) closing = closing.then(run);
    },
    close() {
      closing ??= run();
      const whole: Promise<void> = closing;
      // Something may have been added while the last round ran.
      return whole.then(() => (closing === whole ? undefined : this.close()));
    },
    current: () => running,
    failures: () => failed,
  };
}
