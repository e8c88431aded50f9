import * as z from "zod/mini";
import { bytes64, label } from "../fields.ts";
import { identityStatementBytesMax, prekeyStatementBytesMax } from "./statements.ts";

/** Identities of one name that are remembered, so that who knows an old one is led to the newest: as many as fit into an answer. */
export const directoryHistoryMax = 8;

const encoded = (bytesMax: number) =>
  z.string().check(z.regex(/^[A-Za-z0-9_-]+$/), z.maxLength(Math.ceil((bytesMax * 4) / 3)));

/** Statements travel as the bytes that were signed. */
const signedIdentity = z.strictObject({
  statement: encoded(identityStatementBytesMax),
  /** By the key that it is about. */
  sig: bytes64,
  /** By the key before. */
  sigBefore: z.optional(bytes64),
});
const signedPrekey = z.strictObject({ statement: encoded(prekeyStatementBytesMax), sig: bytes64 });

export type SignedIdentity = z.infer<typeof signedIdentity>;
export type SignedPrekey = z.infer<typeof signedPrekey>;

/** What a socket's directory has under a name. */
export interface DirectoryEntry {
  readonly name: string;
  /** Oldest first; the last one counts. */
  readonly history: readonly SignedIdentity[];
  readonly prekey?: SignedPrekey | undefined;
}

/** C→S, record 20: who is behind this name. */
export const directory = z.strictObject({ t: z.literal("directory"), ref: label, name: label });

/** C→S, record 20, of a consumer or owner: this is its newest identity, or what is sealed to from now on. */
export const publish = z.strictObject({
  t: z.literal("publish"),
  ref: label,
  name: label,
  identity: z.optional(signedIdentity),
  prekey: z.optional(signedPrekey),
});

/** S→C, record 21: the answer to `directory`. */
export const entry = z.strictObject({
  t: z.literal("entry"),
  ref: label,
  name: label,
  history: z.array(signedIdentity).check(z.minLength(1), z.maxLength(directoryHistoryMax)),
  prekey: z.optional(signedPrekey),
});

export type AskDirectory = z.infer<typeof directory>;
export type Publish = z.infer<typeof publish>;
export type Entry = z.infer<typeof entry>;

/** How bodies of messages may be sealed beyond the server; absent: not at all. */
export const endToEndModes = ["allowed", "required"] as const;
export type EndToEndMode = (typeof endToEndModes)[number];
export const endToEndMode = z.enum(endToEndModes);
