import { createHash } from "node:crypto";
import { generateKemKeyPair, type KemPrivateKey, type SuiteId, signBundle, suiteIds } from "@portcullis/crypto";
import { nativeSuites } from "@portcullis/crypto/native";
import type { Clock, Ids } from "@portcullis/runtime";
import type { IdentitySource, ServerIdentity } from "../identity.ts";

export interface SignedBundle {
  readonly kid: string;
  readonly bundle: Uint8Array;
  readonly signature: Uint8Array;
  readonly expiresAtMs: number;
}

/** A bundle with its secrets and what was opened under it. */
export interface LiveBundle extends SignedBundle {
  readonly privateKeys: ReadonlyMap<SuiteId, KemPrivateKey>;
  /** Whose it is: raw key of the identity that signed. */
  readonly idKey: Uint8Array;
  /**
   * Each encapsulation is opened for one opening only, whatever a dishonest edge repeats.
   *
   * @param by names the opening; the same one may come again.
   */
  claim(enc: Uint8Array, by: string): boolean;
}

export interface Bundles {
  current(): Promise<SignedBundle>;
  /** Null: expired and erased, or another replica's. */
  live(kid: string): LiveBundle | null;
  close(): void;
}

/** Given out for half of its life, so that an edge always holds one that is good for a whole handshake start. */
const freshMs = 30_000;
const lifeMs = 60_000;
/** An `open` may come as late as an edge lets it, after the bundle that its hello carried has expired. */
const graceMs = 15_000;
/** Enough for half a minute of openings at full speed; beyond it nothing is opened under this bundle any more, and there is another one. */
const openingsMaxDefault = 200_000;

/**
 * Short-lived KEM keys, in this replica's memory only: what was recorded on the wire cannot be opened once they are gone, even
 * with every long-lived key of the server (forward secrecy). Made when asked for, so an idle server makes none.
 */
export function createBundles(parts: {
  readonly identities: IdentitySource;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Under one bundle. Default 200000. */
  readonly openingsMax?: number;
}): Bundles {
  const { identities, clock, ids, openingsMax = openingsMaxDefault } = parts;
  const alive = new Map<string, Held>();
  // Without the secrets: an idle server would hold the last ones for ever.
  let newest: {
    readonly bundle: Promise<SignedBundle>;
    readonly untilMs: number;
    /** Who signed it, and what came before them. */
    readonly by: ServerIdentity;
  } | null = null;
  const sweep = setInterval(erase, 5_000);
  sweep.unref();

  function erase(): void {
    const now = clock();
    for (const [kid, bundle] of alive) if (now > bundle.expiresAtMs + graceMs) alive.delete(kid);
  }

  async function make({ identity, successions }: ServerIdentity): Promise<SignedBundle> {
    const privateKeys = new Map<SuiteId, KemPrivateKey>();
    const suites: Partial<Record<SuiteId, Uint8Array>> = {};
    for (const id of suiteIds) {
      const pair = await generateKemKeyPair(id, nativeSuites[id]);
      privateKeys.set(id, pair.privateKey);
      suites[id] = pair.publicKey;
    }
    const kid = ids.id();
    const expiresAtMs = clock() + lifeMs;
    const { bundle, sig } = await signBundle(identity, {
      kid,
      suites,
      exp: Math.floor(expiresAtMs / 1000),
      successions,
    });
    const signed: SignedBundle = { kid, bundle, signature: sig, expiresAtMs };
    alive.set(kid, hold({ ...signed, idKey: identity.publicKey, privateKeys }, openingsMax));
    return signed;
  }

  async function current(): Promise<SignedBundle> {
    const by = await identities.current();
    const now = clock();
    const isOfAnother = newest?.by.identity !== by.identity || newest.by.successions.length !== by.successions.length;
    if (newest === null || now >= newest.untilMs || isOfAnother) {
      const bundle = make(by);
      newest = { bundle, untilMs: now + freshMs, by };
      bundle.catch(() => {
        newest = null;
      });
    }
    const { bundle } = newest;
    const signed = await bundle;
    if (alive.get(signed.kid)?.isFull() !== true) return signed;
    // Whoever sends that many openings must not have all others told to come back for as long as it is fresh.
    if (newest?.bundle === bundle) newest = null;
    return current();
  }

  return {
    current,
    live(kid) {
      const found = alive.get(kid);
      return found === undefined || clock() > found.expiresAtMs + graceMs || found.isFull() ? null : found;
    },
    close() {
      clearInterval(sweep);
      alive.clear();
      newest = null;
    },
  };
}

interface Held extends LiveBundle {
  isFull(): boolean;
}

function hold(parts: Omit<LiveBundle, "claim">, openingsMax: number): Held {
  const seen = new Map<string, string>();
  return {
    ...parts,
    isFull: () => seen.size >= openingsMax,
    claim(enc, by) {
      const name = createHash("sha256").update(enc).digest("base64url");
      const first = seen.get(name);
      if (first === undefined) seen.set(name, by);
      return first === undefined || first === by;
    },
  };
}
