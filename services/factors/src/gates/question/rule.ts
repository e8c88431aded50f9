import { ruleWords, statementOf } from "@portcullis/policy";
import { z } from "zod";
import type { QuestionKind } from "./kind.ts";

const config = z.strictObject({ kind: z.literal("rule") });

/** The words that the member's secret rule picks from the statement, typed by a person. */
export const rule: QuestionKind = {
  async verify({ socketId, memberId, cid, answerRules }, { config: given, value }) {
    const subject = memberId === null ? null : ({ of: "member", socketId, member: memberId } as const);
    const refusal = await answerRules.judge(subject, statementOf(cid ?? "none", ruleWords), value);
    if (!config.safeParse(given).success) return { ok: false, cause: "config" };
    if (cid === null) return { ok: false, cause: "unasked" };
    return { ok: refusal === null, cause: refusal };
  },
};
