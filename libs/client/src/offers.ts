import { ofCallback } from "./errors.ts";
import type { Server } from "./question.ts";

type Eventually<T> = T | PromiseLike<T>;

export interface OfferedAnswer {
  readonly gate: string;
  readonly value: string;
  /** Where the policy has that gate more than once: which of them. */
  readonly at?: string | undefined;
}

/** Answers that are offered together: at most 16. */
export type Offered = readonly OfferedAnswer[];

/** What a function that makes offers is told. */
export interface Offering {
  /** Verified by now. */
  readonly server: Server;
  /** Aborted when no further offer is wanted: the server decided, or it asks instead, or the connection is gone. */
  readonly signal: AbortSignal;
}

/** @returns one offer, or one after the other (an async generator). What it throws gives up. */
export type OfferCallback = (offering: Offering) => Eventually<Offered> | AsyncIterable<Offered>;

/** What the application offers, in order. One call of `next` at a time. */
export interface Offers {
  /**
   * The next offer, a second after the one before at the earliest: a server says nothing to what is not enough, and a client
   * cannot see until a challenge comes that a socket counts every offer as a failed attempt.
   *
   * @returns null when there are no more.
   * @throws {PortcullisError} `cancelled` with what the application threw as its cause.
   */
  next(): Promise<OfferedAnswer[] | null>;
  /** Idempotent. Leaves no timer behind; an iterator is told that it is over. */
  stop(): void;
}

const pauseMs = 1_000;

export function createOffers(offer: Offered | OfferCallback | undefined, server: Server): Offers {
  const over = new AbortController();
  const { signal } = over;
  let iterator: AsyncIterator<Offered> | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let rest = Promise.resolve();

  const begin = async (): Promise<AsyncIterator<Offered>> => {
    const made = typeof offer === "function" ? await offer({ server, signal }) : (offer ?? []);
    return isIterable(made) ? made[Symbol.asyncIterator]() : once(made);
  };
  const pull = async (): Promise<OfferedAnswer[] | null> => {
    try {
      iterator ??= await begin();
      if (signal.aborted) void leave(iterator);
      const { done, value } = await iterator.next();
      return done === true
        ? null
        : value.map(({ gate, value, at }) => ({ gate, value, ...(at === undefined ? {} : { at }) }));
    } catch (thrown) {
      throw ofCallback(thrown);
    }
  };

  return {
    async next() {
      const offered = await pull();
      if (offered === null) clearTimeout(timer);
      else {
        await rest;
        rest = new Promise((resolve) => {
          if (!signal.aborted) timer = setTimeout(resolve, pauseMs);
        });
      }
      return offered;
    },
    stop() {
      if (signal.aborted) return;
      over.abort();
      clearTimeout(timer);
      if (iterator !== null) void leave(iterator);
    },
  };
}

function isIterable(made: Offered | AsyncIterable<Offered>): made is AsyncIterable<Offered> {
  return Symbol.asyncIterator in made;
}

async function* once(offered: Offered): AsyncGenerator<Offered> {
  yield offered;
}

/** So that its `finally` runs; how that ends is the application's own business. */
async function leave(iterator: AsyncIterator<Offered>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // On purpose.
  }
}
