import { base64url, concat, equalBytes, lp, utf8 } from "@portcullis/protocol";
import { H, L } from "./derive.ts";

/** Words that somebody typed for the server's, and where they typed them. */
export interface WordsProof {
  /** Of the connection on which they are answered. It holds the identity key of the server that answered there. */
  readonly th: Uint8Array;
  /** Of the challenge. */
  readonly cid: string;
  /** Six, with one space between. */
  readonly words: string;
}

/**
 * H(L("ident") ‖ TH ‖ lp(cid) ‖ lp(words)), base64url. The words are no secret: what counts is that the same were meant on the same connection. Whoever sits between
 * with another identity has another TH, and what they are told is of no use to them.
 */
export async function wordsProof({ th, cid, words }: WordsProof): Promise<string> {
  return base64url.encode(await H(L("ident"), concat(th, lp(utf8(cid)), lp(utf8(words)))));
}

export async function isWordsProof(proof: WordsProof, received: string): Promise<boolean> {
  return equalBytes(utf8(await wordsProof(proof)), utf8(received));
}

/** As somebody types them: however they are spaced, and whatever the keyboard made of their first letter. */
export function normalWords(typed: string): string {
  return typed.normalize("NFKC").trim().toLowerCase().replaceAll(/\s+/g, " ");
}
