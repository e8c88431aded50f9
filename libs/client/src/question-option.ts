import type { Challenge } from "@portcullis/protocol";
import type { Prompt } from "./prompts/prompt.ts";
import { promptOf } from "./prompts/registry.ts";

/** One way on. */
export interface QuestionOption {
  readonly gate: string;
  /** Where in the policy the gate stands: two options may have the same gate. */
  readonly at: string;
  /** What the server says about it; the gate defines it (docs/protocol.md section 9). */
  readonly details: Readonly<Record<string, unknown>>;
  /** What to ask a person; null for a gate that this version has no words for. */
  readonly ask: Prompt | null;
}

export function optionOf({ gate, at, prompt }: Challenge["options"][number]): QuestionOption {
  const ask = promptOf(gate);
  return { gate, at, details: ask?.read?.(prompt ?? {}) ?? prompt ?? {}, ask };
}
