import { answerProof, parseAnswerSecret } from "@portcullis/crypto";
import { PortcullisError } from "../errors.ts";

/**
 * The answer to a `question` of kind `excerpt` (docs/protocol.md section 9): no person is asked.
 *
 * @param question.details as the server sent them
 * @throws {PortcullisError} `unsupported` on a question of another kind, `key` on what is no answer secret
 */
export async function answerExcerpt(question: {
  readonly secret: string;
  readonly th: Uint8Array;
  readonly cid: string;
  readonly details: Readonly<Record<string, unknown>>;
}): Promise<string> {
  const { kind, statement, positions } = question.details;
  if (kind !== "excerpt" || typeof statement !== "string" || !Array.isArray(positions))
    throw new PortcullisError("unsupported");
  const words = statement.split(" ");
  const choice = positions.map((position) => words[Number(position) - 1] ?? "").join(" ");
  const secret = readSecret(question.secret);
  try {
    return await answerProof({ secret, th: question.th, cid: question.cid, statement, choice });
  } finally {
    secret.fill(0);
  }
}

function readSecret(text: string): Uint8Array {
  try {
    return parseAnswerSecret(text);
  } catch {
    throw new PortcullisError("key");
  }
}
