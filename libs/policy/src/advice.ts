import type { GateItem } from "./gates/registry.ts";
import { type Item, visitGates } from "./items.ts";
import { type Policy, requiresKey } from "./policy.ts";
import type { PolicyIssue } from "./validate.ts";

/**
 * What is allowed and weaker than it may look. Said to the owner together with the policy, never a reason to refuse it.
 */
export function adviceOf(policy: Policy): PolicyIssue[] {
  const found: PolicyIssue[] = [];
  if (!requiresKey(policy)) {
    found.push({
      path: "gates",
      message:
        "without `key` anybody who finds the path may try the gates, the socket can be told from one that does not exist, and the handshake is protected from sniffers only",
    });
  }
  let asksByMessage = false;
  visitGates(policy.gates, (at, item) => {
    const weakness = weaknessOf(item, policy);
    if (weakness !== null) found.push({ path: `gates.${at}`, message: weakness });
    asksByMessage ||= ["email", "sms", "call"].includes(item.gate);
  });
  if (asksByMessage && policy.gates.every(opensToReaders)) {
    found.push({
      path: "gates",
      message:
        "whoever reads the member's messages is let in: there is a way through on which no gate asks for anything else",
    });
  }
  return found;
}

function weaknessOf(item: GateItem, { gates }: Policy): string | null {
  switch (item.gate) {
    case "email":
      return "e-mail shows that somebody reads the mailbox; it is no authenticator (NIST SP 800-63B-4 section 3.1.3)";
    case "sms":
      return `text messages can be read or redirected on their way; NIST SP 800-63B-4 section 3.1.3.3 restricts them${gates.some(takesSms) ? ": offer another way as well" : ""}`;
    case "call":
      return `calls can be redirected, and a code may be left on an answering machine; NIST SP 800-63B-4 section 3.1.3.3 restricts them${gates.some(takesSms) ? ": offer another way as well" : ""}`;
    case "question":
      if (item.kind === "rule")
        return "shows that somebody knows the member's rule; who sees a few statements with their answers can work it out";
      return "shows that the client holds the member's answer secret; it does not show that a person is there";
    case "jwt":
      return "says what the identity provider says of whoever holds the token; a stolen one lets in until it is used or expires";
    case "captcha":
      return "makes trying dear for programs; it proves no human, and nothing about who it is";
    default:
      return null;
  }
}

/** Whether somebody passes who knows the path and reads the member's messages. */
function opensToReaders(item: Item): boolean {
  if ("gate" in item) return ["path", "email", "sms", "call", "captcha"].includes(item.gate);
  return "anyOf" in item ? item.anyOf.some(opensToReaders) : item.allOf.every(opensToReaders);
}

/** Whether there is no way through without a text message or a call. */
function takesSms(item: Item): boolean {
  if ("gate" in item) return item.gate === "sms" || item.gate === "call";
  return "anyOf" in item ? item.anyOf.every(takesSms) : item.allOf.some(takesSms);
}
