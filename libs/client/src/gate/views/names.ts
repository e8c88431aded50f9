import type { QuestionOption } from "../../question-option.ts";
import { harmless } from "../foreign.ts";
import type { Say } from "../texts.ts";

/** What a gate is called. One that this table does not know has the title of its prompt. */
export function titleOf(say: Say, { gate, ask }: Pick<QuestionOption, "gate" | "ask">): string {
  return say.named(`title.${gate}`, ask?.title ?? harmless(gate));
}

/** What it is called among others. */
export function wayOf(say: Say, option: Pick<QuestionOption, "gate" | "ask" | "details">): string {
  const way = say.named(`way.${option.gate}`, "");
  return way === "" ? titleOf(say, option) : say(option.details.by === "link" ? "choose.link" : "choose.code", { way });
}
