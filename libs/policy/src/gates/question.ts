import { z } from "zod";
import type { Gate } from "./gate.ts";
import { custom } from "./question/custom.ts";
import { excerpt } from "./question/excerpt.ts";
import type { QuestionKind } from "./question/kind.ts";
import { rule } from "./question/rule.ts";

/** Every kind of question there is. A new one is its file in `question/` and its name here. */
const kinds = { excerpt, rule, custom } satisfies Record<string, QuestionKind>;
const kindNames = Object.keys(kinds);

const error = () => `allowed: ${kindNames.join(", ")}`;

/** Something that only the member answers rightly; how it is asked and judged is for its `kind`. */
export const question = {
  document: z.discriminatedUnion("kind", [kinds.excerpt.document, kinds.rule.document, kinds.custom.document], {
    error,
  }),
  stored: z.discriminatedUnion("kind", [kinds.excerpt.stored, kinds.rule.stored, kinds.custom.stored], { error }),
  place: "anywhere",
  dialogue: (item: { readonly gate: string }) => kindOf(item).dialogue,
  prompt: (item: { readonly gate: string }, cid: string) => kindOf(item).prompt(item, cid),
  decided: () => null,
  needs: (item: { readonly gate: string }) => kindOf(item).needs,
  restsOn: (item: { readonly gate: string }) => kindOf(item).restsOn,
  // What a program of the owner's would be asked, it would be asked for nobody.
  playable: (item: { readonly gate: string }) => kindOf(item).dialogue !== "prepared",
  boundToConnection: (item: { readonly gate: string }) => kindOf(item).boundToConnection,
  among: (item: { readonly gate: string }) => kindOf(item).among,
} satisfies Gate;

function kindOf(item: { readonly gate: string }): QuestionKind {
  const known: Readonly<Record<string, QuestionKind>> = kinds;
  const name = "kind" in item ? String(item.kind) : "";
  const kind = Object.hasOwn(known, name) ? known[name] : undefined;
  if (kind === undefined) throw new TypeError("no such kind of question");
  return kind;
}
