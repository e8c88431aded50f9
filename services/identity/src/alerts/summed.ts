/**
 * Work that may be added up: while some of a name is being done, all that comes under it becomes one more turn. However many come at once,
 * there is one write under way, and none of them is lost but with the process.
 *
 * @returns resolves, or rejects, with the turn that took it along
 */
export function summed<T>(
  nameOf: (item: T) => string,
  work: (item: T, count: number) => Promise<void>,
): (item: T) => Promise<void> {
  interface Turn {
    readonly item: T;
    count: number;
    readonly done: Promise<void>;
  }
  /** The turn that has not begun yet, behind the one that has. */
  const next = new Map<string, Turn>();
  const running = new Map<string, Promise<void>>();

  function begin(name: string, item: T, count: number): Promise<void> {
    const done = work(item, count);
    const over = done
      .catch(() => undefined)
      .then(() => {
        if (running.get(name) === over) running.delete(name);
      });
    running.set(name, over);
    return done;
  }

  return (item) => {
    const name = nameOf(item);
    const waiting = next.get(name);
    if (waiting !== undefined) {
      waiting.count += 1;
      return waiting.done;
    }
    const before = running.get(name);
    if (before === undefined) return begin(name, item, 1);
    const done = before.then(() => {
      const turn = next.get(name);
      next.delete(name);
      return begin(name, item, turn?.count ?? 1);
    });
    next.set(name, { item, count: 1, done });
    return done;
  };
}
