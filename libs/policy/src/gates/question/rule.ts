import { z } from "zod";
import { strict } from "../../strict.ts";
import { ruleWords } from "./answer-rule.ts";
import type { QuestionKind } from "./kind.ts";
import { statementOf } from "./statement.ts";

const gate = z.literal("question");
const kind = z.literal("rule");

/**
 * The server makes a statement and says nothing about it; a person answers with the words that their secret rule picks. The answer is
 * good for this statement alone.
 */
export const rule = {
  document: strict({ gate, kind }),
  stored: strict({ gate, kind }),
  dialogue: "asked",
  prompt: (_item: { readonly gate: string }, cid: string) => ({ kind: "rule", statement: statementOf(cid, ruleWords) }),
  needs: { gate: "rule", of: "member" },
  restsOn: "answer-rule",
  boundToConnection: false,
  // Four different positions of sixteen, which is the least.
  among: 43_680,
} satisfies QuestionKind;
