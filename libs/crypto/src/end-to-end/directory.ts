import {
  base64url,
  type DirectoryEntry,
  directoryHistoryMax,
  encodeIdentityStatement,
  encodePrekeyStatement,
  type PrekeyStatement,
  parseIdentityStatement,
  parsePrekeyStatement,
  type SignedIdentity,
  type SignedPrekey,
} from "@portcullis/protocol";
import { CryptoError } from "../errors.ts";
import { type Identity, sign, verify } from "../identity.ts";
import { endToEndFingerprint } from "./identity.ts";

const labels = { own: "e2e identity", before: "e2e successor", prekey: "e2e prekey" } as const;

/** Clocks differ. */
const skewMs = 5 * 60_000;

/** Whose: label of the socket's address, and a name there. */
export interface DirectoryName {
  readonly socket: string;
  readonly name: string;
}

/** @param parts.before the identity that this one follows; null for the first. */
export async function signIdentityStatement(
  parts: DirectoryName & { readonly identity: Identity; readonly before: Identity | null; readonly atMs: number },
): Promise<SignedIdentity> {
  const { socket, name, identity, before, atMs: at } = parts;
  const follows = before === null ? {} : { before: before.fingerprint };
  const statement = encodeIdentityStatement({ socket, name, key: identity.publicKey, at, ...follows });
  const signed = {
    statement: base64url.encode(statement),
    sig: base64url.encode(await sign(identity, labels.own, statement)),
  };
  return before === null
    ? signed
    : { ...signed, sigBefore: base64url.encode(await sign(before, labels.before, statement)) };
}

export async function signPrekeyStatement(identity: Identity, prekey: PrekeyStatement): Promise<SignedPrekey> {
  const statement = encodePrekeyStatement(prekey);
  return {
    statement: base64url.encode(statement),
    sig: base64url.encode(await sign(identity, labels.prekey, statement)),
  };
}

export interface ListedIdentity {
  readonly key: Uint8Array;
  readonly fingerprint: string;
  readonly before: string | null;
}

/** @param name null: of whichever socket, for a server, which knows them by other names. @throws {CryptoError} `signature` */
export async function verifyIdentityStatement(
  { statement, sig, sigBefore }: SignedIdentity,
  { socket, name }: { readonly socket: string | null; readonly name: string },
  previous: ListedIdentity | null,
): Promise<ListedIdentity> {
  const bytes = base64url.decode(statement);
  const said = parseIdentityStatement(bytes);
  const { key, before = null } = said;
  if (said.name !== name || (socket !== null && said.socket !== socket)) throw new CryptoError("signature");
  if (!(await verify(key, labels.own, bytes, base64url.decode(sig)))) throw new CryptoError("signature");
  if (previous !== null) {
    if (sigBefore === undefined || before !== previous.fingerprint) throw new CryptoError("signature");
    if (!(await verify(previous.key, labels.before, bytes, base64url.decode(sigBefore))))
      throw new CryptoError("signature");
  }
  return { key, fingerprint: await endToEndFingerprint(key), before };
}

/** @throws {CryptoError} `signature`, `expired` @throws {ProtocolError} */
export async function verifyPrekeyStatement(
  { statement, sig }: SignedPrekey,
  {
    socket,
    name,
    key,
    nowMs,
  }: { readonly socket: string | null; readonly name: string; readonly key: Uint8Array; readonly nowMs: number },
): Promise<PrekeyStatement> {
  const bytes = base64url.decode(statement);
  if (!(await verify(key, labels.prekey, bytes, base64url.decode(sig)))) throw new CryptoError("signature");
  const prekey = parsePrekeyStatement(bytes);
  if (prekey.name !== name || (socket !== null && prekey.socket !== socket)) throw new CryptoError("signature");
  if (nowMs < prekey.from - skewMs || nowMs > prekey.until + skewMs) throw new CryptoError("expired");
  return prekey;
}

export interface VerifiedEntry {
  readonly key: Uint8Array;
  readonly fingerprint: string;
  /** The pinned fingerprint, where the key that counts follows that one; null where it is that one, or nothing is pinned. */
  readonly successorOf: string | null;
  readonly prekey: PrekeyStatement | null;
}

/**
 * What a server says of a recipient, as far as the recipient has signed it. Nothing is taken on the server's word: an entry of another socket or name, one whose identities do not each
 * follow the one before, and one to which the pinned identity does not lead are refused. It only leads forward: who has seen the newer identity is not led back.
 *
 * @param parts.pinned fingerprint; null only for whoever has nothing to pin by
 * @throws {CryptoError} `pin`, `signature`, `expired` @throws {ProtocolError}
 */
export async function verifyDirectoryEntry(
  parts: DirectoryName & { readonly entry: DirectoryEntry; readonly pinned: string | null; readonly nowMs: number },
): Promise<VerifiedEntry> {
  const { entry, socket, name, pinned, nowMs } = parts;
  const { history } = entry;
  if (history.length > directoryHistoryMax) throw new CryptoError("signature");
  const listed: ListedIdentity[] = [];
  for (const signed of history) {
    const next = await verifyIdentityStatement(signed, { socket, name }, listed.at(-1) ?? null);
    if (listed.some(({ fingerprint }) => fingerprint === next.fingerprint)) throw new CryptoError("signature");
    listed.push(next);
  }
  const current = listed.at(-1);
  if (current === undefined) throw new CryptoError("signature");
  const { key, fingerprint } = current;
  // Fingerprints are public: nothing is learnt from how long it takes.
  if (pinned !== null && !listed.some((one) => one.fingerprint === pinned)) throw new CryptoError("pin");
  const successorOf = pinned === fingerprint ? null : pinned;
  const prekey =
    entry.prekey === undefined ? null : await verifyPrekeyStatement(entry.prekey, { socket, name, key, nowMs });
  return { key, fingerprint, successorOf, prekey };
}
