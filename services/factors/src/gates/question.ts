import type { Gate } from "./gate.ts";
import { custom } from "./question/custom.ts";
import { excerpt } from "./question/excerpt.ts";
import type { QuestionKind } from "./question/kind.ts";
import { rule } from "./question/rule.ts";

/** Every kind of question that is judged here. A new one: its file in `question/` and its line here, and the same in `libs/policy`. */
const kinds: ReadonlyMap<unknown, QuestionKind> = new Map([
  ["excerpt", excerpt],
  ["rule", rule],
  ["custom", custom],
]);

/** Something that only the member answers rightly; how it is asked and judged is for its `kind`. */
export const question: Gate = {
  name: "question",
  async prepare(context, config) {
    return (await kinds.get(config.kind)?.prepare?.(context, config)) ?? null;
  },
  async verify(context, item) {
    const kind = kinds.get(item.config.kind);
    return kind === undefined ? { ok: false, cause: "config" } : kind.verify(context, item);
  },
};
