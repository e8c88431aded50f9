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
  const { session, given: pinnedByUs, unpinned, pins, onKeyChange, clock } = parts;
  const { label: socket } = session;
  const found = new Map<string, { readonly atMs: number; readonly entry: Promise<VerifiedEntry> }>();
  /** By name: the identity that counts by now. */
  const current = new Map<string, string>();
  let judging: Promise<unknown> = Promise.resolve();

  function find(name: string, freshEnoughMs = freshMs): Promise<VerifiedEntry> {
    const last = found.get(name);
    if (last !== undefined && Math.abs(clock() - last.atMs) < freshEnoughMs) return last.entry;
    const entry = ask(name);
    const asked = { atMs: clock(), entry };
    found.set(name, asked);
    entry.catch(() => {
      if (found.get(name) === asked) found.delete(name);
    });
    return entry;
  }

  async function ask(name: string): Promise<VerifiedEntry> {
    const { pinned } = await known(name);
    if (pinned === null && unpinned !== "allow") throw new PortcullisError("untrusted-recipient");
    const entry = await session.directory.find(name);
    // One after the other: an answer that was held back is held against what those behind it have taught meanwhile.
    const judged = judging.then(() => judge(name, entry));
    judging = judged.catch(() => {});
    return judged;
  }

  async function known(name: string) {
    const given = Object.hasOwn(pinnedByUs, name) ? (pinnedByUs[name] ?? null) : null;
    const kept = await pins.get(`${socket} ${name}`);
    // Another pin by the application is its word, and what was learnt from the one before counts no more. No pin is no word.
    const learnt = given === null || kept?.given === given ? kept : null;
    return { given: given ?? learnt?.given ?? null, learnt, pinned: learnt?.fingerprint ?? given };
  }

  async function judge(name: string, entry: DirectoryEntry): Promise<VerifiedEntry> {
    const { given, learnt, pinned } = await known(name);
    const verified = await verifiedOf(entry, name, pinned);
    const { fingerprint, successorOf, prekey } = verified;
    const newest = successorOf === null ? (learnt?.prekeyFrom ?? 0) : 0;
    // Whoever carries could bring back a prekey whose secret they have meanwhile.
    if (prekey !== null && prekey.from < newest) throw new PortcullisError("untrusted-recipient");
    await pins.set(`${socket} ${name}`, { given, fingerprint, prekeyFrom: prekey?.from ?? newest });
    if (successorOf !== null) tellChange(onKeyChange, { name, from: successorOf, to: fingerprint, vouched: true });
    current.set(name, fingerprint);
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
      for (const [name, identity] of current) if (identity === fingerprint) return name;
      // An answer may be the first that is heard of an identity that follows another one.
      for (const name of new Set([...Object.keys(pinnedByUs), ...found.keys()])) {
        const entry = await find(name, 1_000).catch(() => null);
        if (entry?.fingerprint === fingerprint) return name;
      }
      return null;
    },
  };
}
