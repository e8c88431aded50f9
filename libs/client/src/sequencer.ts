/** Puts what comes into its places: messages of a socket whose order the server gives. */
export interface Sequencer<T> {
  /** @param item dropped where its place was passed. @param bytes how large it is */
  put(place: number, item: T, bytes: number): void;
  /** The server has come so far: what is not here by then is missing. */
  reached(place: number): void;
  /**
   * The server has said again what it still had, up to here. @param complete whether that was all: otherwise what was known to be missing
   * never comes; what has got its place since then may be on its way.
   */
  caughtUp(through: number, complete: boolean): void;
  /** Asks at once, and again until it is answered, whatever comes meanwhile: the answer may bring a key without which nothing else is known to be missing. @param after what was passed, or has come */
  ask(after?: number): void;
  /** The last place that was passed. */
  readonly place: number;
  end(): void;
}

/** How long what is missing may be on its way: replicas of the server do not wait for each other. */
const patienceMs = 500;
/** Whoever was asked may be gone: nobody else knows that we wait. */
const answerMsMax = 5_000;

export function createSequencer<T>(options: {
  /** The last place before the first. */
  readonly after: number;
  /** What may wait for what is missing: an edge that keeps one message back must not fill our memory with the others. */
  readonly heldMax: number;
  readonly heldBytesMax: number;
  readonly deliver: (item: T) => void;
  /** Makes nothing of an item that is never delivered. */
  readonly erase: (item: T) => void;
  /** Something behind this place does not come. */
  readonly onMissing: (after: number) => void;
  /** Something will never come. */
  readonly onLost: () => void;
}): Sequencer<T> {
  const { heldMax, heldBytesMax, deliver, erase, onMissing, onLost } = options;
  const held = new Map<number, { readonly item: T; readonly bytes: number }>();
  let heldBytes = 0;
  let passed = options.after;
  let expected = options.after;
  /** What was expected when it was asked for; null while nothing is asked. */
  let askedFor: number | null = null;
  /** Asked for by whoever needs the answer itself. */
  let isOwed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  // What was said while this client was let in is nobody's loss.
  let heardAnything = false;
  let ended = false;

  const isFull = () => held.size >= heldMax || heldBytes >= heldBytesMax;

  function release(place: number): void {
    const released = held.get(place);
    if (released === undefined) return;
    held.delete(place);
    heldBytes -= released.bytes;
    deliver(released.item);
  }

  function drain(): void {
    while (held.has(passed + 1)) {
      passed += 1;
      heardAnything = true;
      release(passed);
    }
    expected = Math.max(expected, passed);
    // What is delivered may be what ends it.
    if (ended) return;
    if (passed === expected) {
      if (isOwed) return;
      clearTimeout(timer);
      timer = undefined;
    } else if (isFull() && askedFor === null) ask();
    else timer ??= setTimeout(ask, patienceMs);
  }

  function ask(after = passed): void {
    if (ended) return;
    clearTimeout(timer);
    askedFor = expected;
    timer = setTimeout(ask, answerMsMax);
    onMissing(after);
  }

  return {
    put(place, item, bytes) {
      if (place <= passed || held.has(place)) return;
      expected = Math.max(expected, place);
      // Beyond that it is asked for once more, which is cheaper than to hold it.
      if (place === passed + 1 || !isFull()) {
        held.set(place, { item, bytes });
        heldBytes += bytes;
      }
      drain();
    },
    reached(place) {
      expected = Math.max(expected, place);
      drain();
    },
    caughtUp(through, complete) {
      clearTimeout(timer);
      timer = undefined;
      const last = complete ? through : Math.min(through, askedFor ?? passed);
      askedFor = null;
      isOwed = false;
      const isMissing = passed < last;
      for (const place of [...held.keys()].filter((each) => each <= last).sort((a, b) => a - b)) release(place);
      if (ended) return;
      if (isMissing && !complete && heardAnything) onLost();
      passed = Math.max(passed, last);
      heardAnything = true;
      drain();
    },
    ask(after) {
      isOwed = true;
      ask(after);
    },
    get place() {
      return passed;
    },
    end() {
      ended = true;
      clearTimeout(timer);
      for (const { item } of held.values()) erase(item);
      held.clear();
      heldBytes = 0;
    },
  };
}
