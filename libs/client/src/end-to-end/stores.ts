type Eventually<T> = T | PromiseLike<T>;

/** What is known of somebody who can be sealed to, or who has sealed. Plain JSON. */
export interface Pin {
  /** The fingerprint that the application gave when this was learnt; null: it gave none. */
  readonly given: string | null;
  /** The identity that counts by now. */
  readonly fingerprint: string;
  /** From when the newest prekey is that was seen, epoch milliseconds: an older one is not taken any more. */
  readonly prekeyFrom: number;
}

/** Where pins outlive a session. Names are `<label of the socket> <name>`. */
export interface PinStore {
  get(name: string): Eventually<Pin | null>;
  set(name: string, pin: Pin): Eventually<unknown>;
}

/** Where a recipient's private prekeys outlive its program, and are shared by its replicas. A secret: whoever reads it opens what was sealed to them. */
export interface PrekeyStore {
  /** What was put last; null: nothing was. */
  get(): Eventually<string | null>;
  /** Compare-and-set. What was there before must not be found again by anybody. @returns false where `before` is not what is there */
  put(next: string, before: string | null): Eventually<boolean>;
}

/** Where it outlives a program, and is shared by replicas, what was opened already: the server could otherwise have it opened once by each. */
export interface SeenStore {
  /**
   * In one step: raises a mark.
   *
   * @returns where it stood, -1 for a new one; null: at `seq` or above, and nothing has changed
   */
  advance(sender: string, seq: number): Eventually<number | null>;
}

const seenMax = 65_536;

export function createPins(): PinStore {
  const pins = new Map<string, Pin>();
  return { get: (name) => pins.get(name) ?? null, set: (name, pin) => pins.set(name, pin) };
}

export function createPrekeyStore(): PrekeyStore {
  let stored: string | null = null;
  return {
    get: () => stored,
    put(next, before) {
      if (before !== stored) return false;
      stored = next;
      return true;
    },
  };
}

/** The 65536 that were heard last. */
export function createSeen(): SeenStore {
  const marks = new Map<string, number>();
  return {
    advance(sender, seq) {
      const before = marks.get(sender) ?? -1;
      if (seq <= before) return null;
      marks.delete(sender);
      marks.set(sender, seq);
      const [oldest] = marks.keys();
      if (marks.size > seenMax && oldest !== undefined) marks.delete(oldest);
      return before;
    },
  };
}
