import { z } from "zod";
import { strict } from "../../strict.ts";
import type { QuestionKind } from "./kind.ts";
import { excerptOf } from "./statement.ts";

const gate = z.literal("question");
const kind = z.literal("excerpt");

/**
 * The server makes a statement and asks for a part of it; the client answers with an HMAC of that part under the member's answer
 * secret. Nobody is asked for characters of a password: who stores them can lose them (NIST SP 800-63B-4 section 3.1.1.2).
 */
export const excerpt = {
  document: strict({ gate, kind: kind.default("excerpt") }),
  stored: strict({ gate, kind }),
  dialogue: "asked",
  prompt: (_item: { readonly gate: string }, cid: string) => ({ kind: "excerpt", ...excerptOf(cid) }),
  needs: { gate: "question", of: "member" },
  restsOn: "answer-secret",
  boundToConnection: true,
} satisfies QuestionKind;
