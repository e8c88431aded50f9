import type { Clock } from "@portcullis/runtime";

/** What was opened a moment ago, so that the next one does not open it again. */
export interface Lately<T> {
  get(name: string): T | null;
  put(name: string, value: T): void;
  readonly size: number;
}

/** Gone when its time is over, by whichever clock that is sooner, and not only when somebody asks for the next one: a server on which nobody speaks any more would hold the last keys for ever. */
export function createLately<T>(options: {
  readonly max: number;
  readonly forMs: number;
  readonly clock: Clock;
}): Lately<T> {
  const { max, forMs, clock } = options;
  /** In order of age. */
  const held = new Map<string, { readonly value: T; readonly untilMs: number; readonly timer: NodeJS.Timeout }>();

  function drop(name: string): void {
    clearTimeout(held.get(name)?.timer);
    held.delete(name);
  }

  return {
    get(name) {
      const found = held.get(name);
      return found !== undefined && clock() < found.untilMs ? found.value : null;
    },
    put(name, value) {
      drop(name);
      const timer = setTimeout(() => held.delete(name), forMs);
      timer.unref();
      held.set(name, { value, untilMs: clock() + forMs, timer });
      const [oldest] = held.keys();
      if (held.size > max && oldest !== undefined) drop(oldest);
    },
    get size() {
      return held.size;
    },
  };
}
