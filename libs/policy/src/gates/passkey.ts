import { z } from "zod";
import { strict } from "../strict.ts";
import type { Gate } from "./gate.ts";

/** What ends in a number is an IP address (WHATWG URL section 3.5). */
const hostShape =
  /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*(?!(?:\d+|0x[0-9a-f]*)$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const hostError = "must be a host name in lower case, such as app.example.com, and no IP address";
/**
 * A host name: a browser uses a passkey on its pages and on those below it. No IP address is a domain, which is what it takes (WebAuthn level 3, section
 * 5.1.2): a passkey would be asked for in vain.
 */
export const relyingParty = z
  .string({ error: hostError })
  .max(253, { error: hostError })
  .regex(hostShape, { error: hostError });
const originsMax = 8;
const originError =
  "must be an origin such as https://app.example.com: https, or http for localhost; no path, lower case";
const origin = z
  .string({ error: originError })
  .max(270, { error: originError })
  .refine((text) => URL.canParse(text) && new URL(text).origin === text, { error: originError })
  .refine((text) => text.startsWith("https://") || new URL(text).hostname === "localhost", { error: originError });
const origins = z
  .array(origin)
  .min(1, { error: "must hold at least one origin" })
  .max(originsMax, { error: `must hold at most ${originsMax} origins` });
const gate = z.literal("passkey");

/**
 * A passkey of the member's (WebAuthn), which signs for this connection alone and on the named pages alone: it cannot be relayed, and there
 * is nothing that a person could be talked into saying.
 */
export const passkey = {
  /** `origins`: of the pages on which it may be used, those at `https://` and the relying party unless set. */
  document: strict({ gate, relyingParty, origins: origins.optional() })
    .transform(({ origins, ...item }) => ({ ...item, origins: origins ?? [`https://${item.relyingParty}`] }))
    .refine(({ relyingParty, origins }) => origins.every((each) => isBelow(new URL(each).hostname, relyingParty)), {
      error: "must lie at the relying party or below it: browsers use a passkey nowhere else",
      path: ["origins"],
    }),
  stored: strict({ gate, relyingParty, origins }),
  place: "anywhere",
  dialogue: "prepared",
  prompt: () => null,
  decided: () => null,
  needs: () => ({ gate: "passkey", of: "member" }),
  restsOn: () => "passkey",
  boundToConnection: true,
} satisfies Gate;

function isBelow(host: string, relyingParty: string): boolean {
  return host === relyingParty || host.endsWith(`.${relyingParty}`);
}
