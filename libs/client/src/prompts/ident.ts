import { normalWords, wordsProof } from "@portcullis/crypto";
import { isSign, ProtocolError } from "@portcullis/protocol";
import { PortcullisError } from "../errors.ts";
import type { Asked, Prompt } from "./prompt.ts";

/** What `ident` asks, as it is read from the server's question and fit for any screen. */
export interface Ident {
  /**
   * `none`: nothing, it is only shown. `agree`: whether this is what the person knows. `type`: the words of the server, as the person has them elsewhere. `pick`: which of
   * `signs` is theirs, counted from 1.
   */
  readonly ask: "none" | "agree" | "type" | "pick";
  /** The member's own; null where there is none, or where it must not be shown yet. */
  readonly sign: string | null;
  /** Where one is to be picked; else empty. */
  readonly signs: readonly string[];
}

const asks = ["none", "agree", "type", "pick"] as const;
const signsMax = 9;

/**
 * @throws {PortcullisError} `unsupported` for what this version does not know
 * @throws {ProtocolError} a sign that a terminal would obey: no honest server keeps one, whoever set it
 */
export function identOf(details: Asked["details"]): Ident {
  const { sign = null, signs = [] } = details;
  const ask = asks.find((each) => each === details.ask);
  if (ask === undefined || !Array.isArray(signs) || signs.length > signsMax) throw new PortcullisError("unsupported");
  const all: unknown[] = [...signs, ...(sign === null ? [] : [sign])];
  if (!all.every((each) => typeof each === "string" && isSign(each))) throw new ProtocolError("malformed", "prompt");
  return { ask, sign: typeof sign === "string" ? sign : null, signs: signs as string[] };
}

/** The person makes sure of the server (docs/protocol.md section 9). */
export const ident: Prompt = Object.freeze({
  title: "Is this the server that you know?",
  inputMode: "text",
  autocomplete: "off",
  pattern: ".+",
  waits: false,
  normalise: (value: string) => value.trim(),
  isForPerson: ({ ask }: Asked["details"]) => ask !== "none",
  // Read before anybody sees it.
  read: (details: Asked["details"]) => ({ ...identOf(details) }),
  automatic: ({ details }: Asked) => (details.ask === "none" ? Promise.resolve("seen") : null),
  fits(value, { ask }, { allWords }) {
    return ask !== "type" || allWords.includes(normalWords(value));
  },
  async prove(value, { details, th, cid }) {
    return details.ask === "type" ? wordsProof({ th, cid, words: normalWords(value) }) : value;
  },
} satisfies Prompt);
