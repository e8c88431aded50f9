import { CryptoError, type VerifiedEntry, verifyDirectoryEntry } from "@portcullis/crypto";
import { type DirectoryEntry, ProtocolError } from "@portcullis/protocol";
import { PortcullisError } from "../errors.ts";
import type { Session } from "../session.ts";
import { type KeyChangeCallback, tellChange } from "./key-change.ts";
import type { PinStore } from "./stores.ts";

/** Those who can be sealed to, each as it was verified last. */
export interface Recipients {
  /** Rejects with `untrusted-recipient`, `not-found`, `unsupported`, `closed`. */
  find(name: string): Promise<VerifiedEntry>;
  /** Whose identity that is: asks once more where it is nobody's that is known here. Null: nobody's. */
  nameOf(fingerprint: string): Promise<string | null>;
}

/** So long an entry is taken for what it is by now: a recipient may have lost its prekeys, and published another. */
const freshMs = 60_000;

export function createRecipients(parts: {
  readonly session: Pick<Session, "label" | "directory">;
  /** By name. */
  readonly given: Readonly<Record<string, string>>;
  readonly unpinned: "refuse" | "allow";
  readonly pins: PinStore;
  readonly onKeyChange: KeyChangeCallback | undefined;
  readonly clock: () => number;
}): Recipients {
  const { session, given, unpinned, pins, onKeyChange, clock } = parts;
  const { label: socket } = session;
  const found = new Map<string, { readonly atMs: number; readonly entry: Promise<VerifiedEntry> }>();
  const names = new Map<string, string>();

  function find(name: string, freshEnoughMs = freshMs): Promise<VerifiedEntry> {
    const known = found.get(name);
    if (known !== undefined && clock() - known.atMs < freshEnoughMs) return known.entry;
    const entry = ask(name);
    const asked = { atMs: clock(), entry };
    found.set(name, asked);
    entry.catch(() => {
      if (found.get(name) === asked) found.delete(name);
    });
    return entry;
  }

  async function ask(name: string): Promise<VerifiedEntry> {
    const pinName = `${socket} ${name}`;
    const pinnedByUs = Object.hasOwn(given, name) ? (given[name] ?? null) : null;
    const kept = await pins.get(pinName);
    // Another pin by the application is its word, and what was learnt from the one before counts no more.
    const known = kept?.given === pinnedByUs ? kept : null;
    const pinned = known?.fingerprint ?? pinnedByUs;
    if (pinned === null && unpinned !== "allow") throw new PortcullisError("untrusted-recipient");
    const entry = await session.directory.find(name);
    const verified = await verifiedOf(entry, name, pinned);
    const { fingerprint, successorOf, prekey } = verified;
    // Whoever carries could bring back a prekey whose secret they have meanwhile.
    if (known !== null && successorOf === null && prekey !== null && prekey.from < known.prekeyFrom)
      throw new PortcullisError("untrusted-recipient");
    await pins.set(pinName, { given: pinnedByUs, fingerprint, prekeyFrom: prekey?.from ?? known?.prekeyFrom ?? 0 });
    if (successorOf !== null) tellChange(onKeyChange, { name, from: successorOf, to: fingerprint, vouched: true });
    names.set(fingerprint, name);
    return verified;
  }

  async function verifiedOf(entry: DirectoryEntry, name: string, pinned: string | null): Promise<VerifiedEntry> {
    const whole = { entry, socket, name, nowMs: clock() };
    try {
      return await verifyDirectoryEntry({ ...whole, pinned });
    } catch (error) {
      if (!(error instanceof CryptoError || error instanceof ProtocolError)) throw error;
      if (error.code === "pin" && pinned !== null) {
        const other = await verifyDirectoryEntry({ ...whole, pinned: null }).catch(() => null);
        if (other !== null) tellChange(onKeyChange, { name, from: pinned, to: other.fingerprint, vouched: false });
      }
      throw new PortcullisError("untrusted-recipient");
    }
  }

  return {
    find,
    async nameOf(fingerprint) {
      const known = names.get(fingerprint);
      if (known !== undefined) return known;
      // An answer may be the first that is heard of an identity that follows another one.
      for (const name of new Set([...Object.keys(given), ...found.keys()])) {
        const entry = await find(name, 1_000).catch(() => null);
        if (entry?.fingerprint === fingerprint) return name;
      }
      return null;
    },
  };
}
