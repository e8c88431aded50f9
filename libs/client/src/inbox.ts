/** Messages on their way to the application: bounded, since a WebSocket cannot be told to wait. */
export interface Inbox<T> {
  /** @returns false where it would be more than may wait; nothing is added then. */
  push(item: T, bytes: number): boolean;
  /** What waits can still be read; then iteration ends, or throws `error` once. */
  end(error: unknown): void;
  /** Ends it, and what waits is erased and cannot be read any more: whoever asks for more is told `error`. */
  wipe(error: unknown): void;
  /** All iterators share what comes: each item goes to one of them. */
  iterate(): AsyncIterableIterator<T>;
}

interface Reader<T> {
  readonly by: object;
  readonly resolve: (result: IteratorResult<T>) => void;
  readonly reject: (error: unknown) => void;
}

/** @param erase makes nothing of an item that nobody reads */
export function createInbox<T>(itemsMax: number, bytesMax: number, erase: (item: T) => void): Inbox<T> {
  const waiting: { readonly item: T; readonly bytes: number }[] = [];
  const readers: Reader<T>[] = [];
  let bytesWaiting = 0;
  let ended = false;
  let failure: { readonly error: unknown } | null = null;
  let wiped: { readonly error: unknown } | null = null;

  const next = (by: object): Promise<IteratorResult<T>> => {
    const first = waiting.shift();
    if (first !== undefined) {
      bytesWaiting -= first.bytes;
      return Promise.resolve({ done: false, value: first.item });
    }
    if (wiped !== null) return Promise.reject(wiped.error);
    if (failure !== null) {
      const { error } = failure;
      failure = null;
      return Promise.reject(error);
    }
    if (ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => readers.push({ by, resolve, reject }));
  };

  function end(error: unknown): void {
    if (ended) return;
    ended = true;
    if (error !== null) {
      const first = readers.shift();
      if (first === undefined) failure = { error };
      else first.reject(error);
    }
    for (const { resolve } of readers.splice(0)) resolve({ done: true, value: undefined });
  }

  return {
    push(item, bytes) {
      if (ended) return true;
      const reader = readers.shift();
      if (reader !== undefined) reader.resolve({ done: false, value: item });
      else if (waiting.length >= itemsMax || bytesWaiting + bytes > bytesMax) return false;
      else {
        waiting.push({ item, bytes });
        bytesWaiting += bytes;
      }
      return true;
    },
    end,
    wipe(error) {
      end(null);
      wiped = { error };
      for (const { item } of waiting.splice(0)) erase(item);
      bytesWaiting = 0;
    },
    iterate() {
      let left = false;
      const iterator: AsyncIterableIterator<T> = {
        next: () => (left ? Promise.resolve({ done: true, value: undefined }) : next(iterator)),
        // Leaving the loop is not leaving the session: the next loop goes on where this one stopped.
        return: () => {
          left = true;
          // Who no longer waits must not take what comes next.
          for (const reader of readers.filter(({ by }) => by === iterator)) {
            readers.splice(readers.indexOf(reader), 1);
            reader.resolve({ done: true, value: undefined });
          }
          return Promise.resolve({ done: true, value: undefined });
        },
        [Symbol.asyncIterator]: () => iterator,
      };
      return iterator;
    },
  };
}
