import { ServiceError } from "@portcullis/contracts";
import { type Clock, type Logger, OutboundError, type SafeFetch } from "@portcullis/runtime";
import type { JSONWebKeySet, JWK } from "jose";
import { z } from "zod";

/** The keys of identity providers, fetched from where owners say they are. */
export interface KeySets {
  /**
   * @param kid of a token: where it is not known here, the set is fetched anew, at most every half minute
   * @param socketId whose request it is
   * @throws {ServiceError} unavailable: the keys cannot be had now
   */
  get(url: string, kid: string | null, socketId: string): Promise<JSONWebKeySet>;
}

/** As long as a key that its provider has withdrawn is still taken. */
const freshMs = 5 * 60_000;
/** Between two requests to one place: who makes up ids of keys, or hits a provider that is down, causes no more than that. */
const cooldownMs = 30_000;
const retryMs = 5_000;
const timeoutMs = 3_000;
const bytesMax = 65_536;
const keysMax = 64;
const setsMax = 256;

/** Of a key only what is public and of use here; anything else that a provider says of it is not looked at. */
const text = z.string().max(2_048);
const jwk = z
  .object({
    kty: z.enum(["RSA", "EC", "OKP"]),
    kid: z.string().max(256).optional(),
    use: text.optional(),
    alg: text.optional(),
    key_ops: z.array(text).max(16).optional(),
    crv: text.optional(),
    x: text.optional(),
    y: text.optional(),
    n: text.optional(),
    e: text.optional(),
  })
  .transform((key) => Object.fromEntries(Object.entries(key).filter(([, value]) => value !== undefined)));
const keySet = z.object({ keys: z.array(z.unknown()).max(keysMax) });

interface Entry {
  keys: JSONWebKeySet | null;
  fetchedAtMs: number;
  triedAtMs: number;
  underWay: Promise<void> | null;
}

/** A cache and nothing else: what it forgets, or another replica does not know, is fetched. */
export function createKeySets(options: {
  readonly fetch: SafeFetch;
  readonly clock: Clock;
  readonly log: Pick<Logger, "warn">;
}): KeySets {
  const { fetch, clock, log } = options;
  const sets = new Map<string, Entry>();

  async function load(url: string, entry: Entry, group: string): Promise<void> {
    entry.triedAtMs = clock();
    try {
      const { status, body } = await fetch({ url, group, timeoutMs, maxBytes: bytesMax });
      if (status !== 200) throw new TypeError("status");
      entry.keys = read(body);
      entry.fetchedAtMs = clock();
    } catch (error) {
      // One word: where the keys are is the owner's business, and what answered may be anything.
      log.warn("the keys of an identity provider cannot be had", {
        failure: error instanceof OutboundError ? error.failure : "answer",
      });
    }
  }

  function entryOf(name: string): Entry {
    const known = sets.get(name);
    // Most recently used last: the one that is looked at least makes room.
    sets.delete(name);
    const [oldest] = sets.keys();
    if (oldest !== undefined && sets.size >= setsMax) sets.delete(oldest);
    const entry = known ?? { keys: null, fetchedAtMs: 0, triedAtMs: Number.NEGATIVE_INFINITY, underWay: null };
    sets.set(name, entry);
    return entry;
  }

  return {
    async get(url, kid, socketId) {
      // Not shared: somebody else's socket, with ids of keys that it makes up and requests that it has too many of, would keep these keys away.
      const entry = entryOf(`${socketId} ${url}`);
      const isFresh = () => entry.keys !== null && clock() - entry.fetchedAtMs < freshMs;
      const knows = () => kid === null || (entry.keys?.keys.some((key) => key.kid === kid) ?? false);
      const waitMs = isFresh() ? cooldownMs : retryMs;
      const mayTry = clock() - entry.triedAtMs >= waitMs;
      if (entry.underWay !== null || ((!isFresh() || !knows()) && mayTry)) {
        entry.underWay ??= load(url, entry, socketId).finally(() => {
          entry.underWay = null;
        });
        await entry.underWay;
      }
      // Fails closed: an old set may hold a key that was withdrawn because it is somebody else's now.
      if (!isFresh() || entry.keys === null) throw new ServiceError("unavailable");
      return entry.keys;
    },
  };
}

/** Keys that are none of ours (encryption, other types) are left out; a set that is no set is an error. */
function read(body: Uint8Array): JSONWebKeySet {
  const { keys } = keySet.parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)));
  const known: JWK[] = [];
  for (const key of keys) {
    const { data } = jwk.safeParse(key);
    if (data !== undefined) known.push(data as JWK);
  }
  return { keys: known };
}
