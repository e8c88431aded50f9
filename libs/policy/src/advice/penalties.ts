import { requiresKey } from "../policy.ts";
import { advice, type Rule } from "./advice.ts";

/** Nobody without a key locks anybody out: strangers could shut the members out of their own socket. */
export const lockoutKeyless: Rule = ({ policy }) =>
  policy.onFailure.lockout === null || requiresKey(policy)
    ? []
    : [
        advice(
          "lockout-keyless",
          "warning",
          "onFailure.then",
          "without `key` nobody is ever locked out, since strangers could lock the members out: it comes to the delay alone",
        ),
      ];
