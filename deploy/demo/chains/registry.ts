import type { Chain } from "./chain.ts";
import { open } from "./open.ts";

export const chains = { open } satisfies Record<string, Chain>;
export type ChainName = keyof typeof chains;
export const chainNames = Object.keys(chains) as readonly ChainName[];
