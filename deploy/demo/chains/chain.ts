import type { Narrator } from "../narrator.ts";
import type { Mode, Stage } from "../stage.ts";
import type { Sniffer } from "./sniffer.ts";

export interface ChainParts {
  readonly mode: Mode;
  readonly stage: Stage;
  /** Between clients and edge. */
  readonly sniffer: Sniffer;
  readonly narrator: Narrator;
  readonly findings: Findings;
}

/** One way in, from the owner's policy to the first message. */
export interface Chain {
  /** What `--help` says of it. */
  readonly about: string;
  play(parts: ChainParts): Promise<void>;
}

/** What a chain has shown; the line of `--json`. */
export interface Findings {
  /** Which gates the first member has passed, in order. */
  gates: readonly string[];
  /** What had to be shown, in order; what is missing here was not come to. */
  readonly shown: { readonly what: string; readonly isSo: boolean }[];
  /** What broke it off; null when it came to its end. */
  error: string | null;
}

export function createFindings(): Findings {
  return { gates: [], shown: [], error: null };
}

export function show(findings: Findings, what: string, isSo: boolean): void {
  findings.shown.push({ what, isSo });
}
