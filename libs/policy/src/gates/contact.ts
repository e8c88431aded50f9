import { z } from "zod";
import { strict } from "../strict.ts";
import type { Gate } from "./gate.ts";

/**
 * A message to one of the member's contacts, answered while the socket waits. Proves that whoever connects, or somebody who helps
 * them, reads what arrives there: approval rather than an authenticator (NIST SP 800-63B-4 sections 3.1.3.1 and 3.1.3.2).
 *
 * @param ways `code`: typed into the waiting client. `link`: opened elsewhere, where the number that the client shows is asked for
 */
export function contactGate<Name extends "email" | "sms" | "call">(
  name: Name,
  ways: readonly ("code" | "link")[] = ["code", "link"],
) {
  const gate = z.literal(name);
  const by = z.enum(ways);
  return {
    document: strict({ gate, by: by.default("code") }),
    stored: strict({ gate, by }),
    place: "anywhere",
    dialogue: "waits",
    prompt: (item: { readonly gate: string; readonly by: "code" | "link" }) => ({ by: item.by }),
    decided: () => null,
    needs: () => ({ gate: name, of: "member" }),
    // A link that nobody was sent is opened by nobody.
    playable: (item: { readonly gate: string; readonly by: "code" | "link" }) => item.by === "code",
    // Digits of the code, and of the number behind a link.
    among: (item: { readonly gate: string; readonly by: "code" | "link" }) => (item.by === "code" ? 1_000_000 : 1_000),
    restsOn: () => (name === "email" ? "mailbox" : "phone"),
  } satisfies Gate;
}
