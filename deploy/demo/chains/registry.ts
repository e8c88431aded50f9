import type { Chain } from "./chain.ts";
import { espionage } from "./espionage.ts";
import { offer } from "./offer.ts";
import { open } from "./open.ts";
import { seed } from "./seed.ts";
import { ticket } from "./ticket.ts";

export const chains = { seed, open, offer, ticket, espionage } satisfies Record<string, Chain>;
export type ChainName = keyof typeof chains;
export const chainNames = Object.keys(chains) as readonly ChainName[];
