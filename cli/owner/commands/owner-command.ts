import type { Api, Json } from "../api.ts";
import type { Ask } from "../password.ts";

/** What was typed behind the name of the command. */
export interface Given {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, string | undefined>>;
}

export interface OwnerCommand {
  /** As it is typed, `socket create LABEL`; words in capitals are arguments. */
  readonly usage: string;
  readonly about: string;
  /** What its options take, and what for. One that takes "" stands alone, and is "yes" where it was said. */
  readonly options?: Readonly<Record<string, readonly [takes: string, about: string]>>;
  /** What cannot be undone is asked about first. */
  readonly confirm?: (given: Given) => string;
  /** @returns the answer, for programs */
  run(api: Api, given: Given, ask: Ask): Promise<Json>;
  /** The same for people. */
  show(answer: Json): string;
}
