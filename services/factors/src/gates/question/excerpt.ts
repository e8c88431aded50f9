import { type AnswerProof, isAnswerProof } from "@portcullis/crypto";
import { choiceOf, excerptOf } from "@portcullis/policy";
import { z } from "zod";
import type { GateContext } from "../gate.ts";
import type { QuestionKind } from "./kind.ts";

const config = z.strictObject({ kind: z.literal("excerpt") });
const secretBytes = 32;

/** The part of the statement that was asked for, under the member's answer secret: good for this challenge on this connection. */
export const excerpt: QuestionKind = {
  async verify(context, item) {
    const { transcript, cid } = context;
    const found = await secretOf(context);
    const asked = excerptOf(cid ?? "none");
    // The same work for a member who has no secret: it is nobody's business who has one.
    const secret = found?.secret ?? new Uint8Array(secretBytes);
    const proof: AnswerProof = {
      secret,
      th: transcript,
      cid: cid ?? "none",
      statement: asked.statement,
      choice: choiceOf(asked),
    };
    const isRight = await isAnswerProof(proof, item.value);
    secret.fill(0);
    if (!config.safeParse(item.config).success) return { ok: false, cause: "config" };
    if (cid === null) return { ok: false, cause: "unasked" };
    if (found === null) return { ok: false, cause: "unknown" };
    if (found.unreadable) return { ok: false, cause: "unreadable" };
    return { ok: isRight, cause: isRight ? null : "wrong" };
  },
};

function secretOf({ socketId, memberId, answerSecrets }: GateContext) {
  const subject = memberId === null ? null : ({ of: "member", socketId, member: memberId } as const);
  return answerSecrets.find(subject, "active");
}
