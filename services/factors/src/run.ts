import type { Platform } from "@portcullis/platform";
import { createCodes } from "./authenticators/codes.ts";
import { authenticatorsCollection } from "./authenticators/record.ts";
import { serveAuthenticators } from "./authenticators/serve.ts";
import { createAuthenticatorStore } from "./authenticators/store.ts";
import type { FactorsConfig } from "./config.ts";
import { gates } from "./gates/registry.ts";
import { serveGates } from "./gates/serve.ts";

export { type FactorsConfig, factorsConfig } from "./config.ts";

/** Resolves when everything is served. Keeps nothing in memory: any replica may answer any request. */
export async function run(platform: Platform, { failuresMax }: FactorsConfig): Promise<void> {
  const { clock, ids, random, log, documents, state, server, vault } = platform;
  const store = createAuthenticatorStore({
    collection: await documents.collection(authenticatorsCollection),
    vault,
    clock,
    ids,
    random,
  });
  const codes = createCodes({ store, state, clock, random, log, failuresMax });
  await serveAuthenticators(server, { store, codes });
  await serveGates({ server, clock, log }, { gates, codes });
}
