import { answerProof, parseAnswerSecret } from "@portcullis/crypto";
import { PortcullisError } from "../errors.ts";
import type { Asked, Prompt } from "./prompt.ts";

/** A person answers by their rule; where it is an excerpt that is asked for, the answer secret does (docs/protocol.md section 9). */
export const question: Prompt = Object.freeze({
  title: "Your part of it",
  inputMode: "text",
  autocomplete: "off",
  pattern: ".+",
  waits: false,
  normalise: (value: string) => value,
  isForPerson: ({ kind }: Asked["details"]) => kind !== "excerpt",
  shown: ({ statement, prompt }: Asked["details"]) =>
    [statement, prompt].find((text) => typeof text === "string") ?? null,
  choices: ({ choices }: Asked["details"]) =>
    Array.isArray(choices) ? choices.filter((choice) => typeof choice === "string") : [],
  automatic: (asked: Asked) =>
    asked.details.kind !== "excerpt" || asked.means.answerSecret === undefined ? null : answerExcerpt(asked),
});

async function answerExcerpt({ details, th, cid, means }: Asked): Promise<string> {
  const { statement, positions } = details;
  if (typeof statement !== "string" || !Array.isArray(positions)) throw new PortcullisError("unsupported");
  const words = statement.split(" ");
  const choice = positions.map((position) => words[Number(position) - 1] ?? "").join(" ");
  const { answerSecret = "" } = means;
  const secret = readSecret(typeof answerSecret === "string" ? answerSecret : await answerSecret());
  try {
    return await answerProof({ secret, th, cid, statement, choice });
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
