import { onDemand } from "../on-demand.ts";
import type { Asked, Prompt } from "./prompt.ts";

/**
 * The client computes for a moment (docs/protocol.md section 9), each try off the thread that asks for it: WebCrypto's PBKDF2, which
 * browsers and Node have. It is no question for a person.
 */
export const captcha: Prompt = Object.freeze({
  title: "Proof of work",
  inputMode: "text",
  autocomplete: "off",
  pattern: ".+",
  waits: false,
  normalise: (value: string) => value,
  isForPerson: () => false,
  automatic: (asked: Asked) => onDemand(() => import("../proof-of-work.ts")).then(({ solve }) => solve(asked)),
});
