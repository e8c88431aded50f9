import { z } from "zod";
import { strict } from "../strict.ts";
import type { Gate } from "./gate.ts";

const ask = z.enum(["none", "agree", "type", "pick"]);
type Item = { readonly gate: string; readonly ask: z.output<typeof ask> };

/**
 * The other way round: the person makes sure that this is the right server. `none` shows what they may recognise; `agree` wants to be told that they do; `type`
 * asks for the words of the server that they have elsewhere; `pick` for their own sign among others. People who need only agree mostly
 * do not look (SiteKey: 92 % typed their password with the picture missing), which is why there are `type` and `pick`.
 */
export const ident = {
  document: strict({ gate: z.literal("ident"), ask: ask.default("agree") }),
  stored: strict({ gate: z.literal("ident"), ask }),
  place: "anywhere",
  dialogue: "prepared",
  prompt: () => null,
  decided: () => null,
  needs: (item: Item) => (item.ask === "pick" ? { gate: "ident", of: "member" } : null),
  restsOn: () => null,
  // One of five can be guessed. It shows that somebody looked, and not who.
  provesNobody: true,
  countsForNobody: true,
  // Signs are for nobody but the member: whoever found a key would collect them, to show them to that member later.
  behindProof: (item: Item) => item.ask === "pick",
  // A challenge is one record, and a sign may be all but a quarter of it.
  timesMax: 2,
} satisfies Gate;
