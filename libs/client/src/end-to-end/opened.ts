import { endToEndFingerprint, type KemPrivateKey, openBody } from "@portcullis/crypto";
import { base64url, parseSealedBody, type SealedBody, type SealedContent } from "@portcullis/protocol";
import { PortcullisError } from "../errors.ts";
import type { SeenStore } from "./stores.ts";

/** What was sealed to us, and by whom it was signed. */
export interface Opened {
  readonly bytes: Uint8Array;
  /** `bytes` as UTF-8; what is not, becomes U+FFFD. */
  text(): string;
  /** The sender's own name for the message, random: the same again is the same message. */
  readonly id: string;
  /** Rises with each that this sender says to us in this session, from 0. */
  readonly seq: number;
  /** How many of those were not opened here. */
  readonly missed: number;
}

/** As far as opening needs it. */
export interface SealedMessage {
  readonly from: { readonly sid: string };
  readonly bytes: Uint8Array;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** @returns null: it is for somebody else. @throws {PortcullisError} `unopened`: it is not sealed */
export function sealedFor(fingerprint: string, { bytes }: SealedMessage): SealedBody | null {
  let body: SealedBody;
  try {
    body = parseSealedBody(bytes);
  } catch {
    throw new PortcullisError("unopened");
  }
  return base64url.encode(body.recipient) === fingerprint ? body : null;
}

/** @returns the content, its signature verified; who the sender is has to be judged. @throws {PortcullisError} `unopened`, whatever is wrong */
export async function contentOf(parts: {
  readonly socket: string;
  readonly sid: string;
  readonly recipient: string;
  readonly privateKey: KemPrivateKey;
  readonly body: SealedBody;
}): Promise<{ readonly content: SealedContent; readonly sender: string }> {
  try {
    const content = await openBody(parts);
    return { content, sender: await endToEndFingerprint(content.sender) };
  } catch {
    throw new PortcullisError("unopened");
  }
}

/** Last of all: only what is good uses up its number. @throws {PortcullisError} `unopened`: it was opened before */
export async function openedOf(
  { body, seq, messageId, reply }: SealedContent,
  { sender, sid, seen }: { readonly sender: string; readonly sid: string; readonly seen: SeenStore },
): Promise<Opened> {
  // Names of sessions are the server's, and two of one sender's could have the same: by what they are answered is their own.
  const session = reply === null ? sid : `${sid} ${base64url.encode(reply.keyId)}`;
  const before = await seen.advance(`${sender} ${session}`, seq);
  if (before === null) throw new PortcullisError("unopened");
  return {
    bytes: body,
    text: () => decoder.decode(body),
    id: base64url.encode(messageId),
    seq,
    missed: seq - before - 1,
  };
}
