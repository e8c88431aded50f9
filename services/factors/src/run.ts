import { createHmac } from "node:crypto";
import { serverIdentities } from "@portcullis/contracts";
import type { Platform } from "@portcullis/platform";
import { createSafeFetch } from "@portcullis/runtime";
import { createAnswerRules } from "./authenticators/answer-rules.ts";
import { createCodes } from "./authenticators/codes.ts";
import { answerRulesCollection, answerSecretsCollection, authenticatorsCollection } from "./authenticators/record.ts";
import { serveAuthenticators } from "./authenticators/serve.ts";
import { createAuthenticatorStore, secretBytes } from "./authenticators/store.ts";
import type { FactorsConfig } from "./config.ts";
import { gates } from "./gates/registry.ts";
import { serveGates } from "./gates/serve.ts";
import { createSuspicion } from "./gates/suspicion.ts";
import { createKeySets } from "./jwt/key-sets.ts";
import { createAssertions } from "./passkeys/assertion.ts";
import { passkeysCollection } from "./passkeys/record.ts";
import { createRegistrations } from "./passkeys/registration.ts";
import { servePasskeys } from "./passkeys/serve.ts";
import { createPasskeyStore } from "./passkeys/store.ts";
import { signsCollection } from "./signs/record.ts";
import { serveSigns } from "./signs/serve.ts";
import { createSignStore } from "./signs/store.ts";
import { createSendLimits } from "./waits/limits.ts";
import { createWaitStore } from "./waits/record.ts";
import { createWaitSecrets } from "./waits/secrets.ts";
import { serveWaits } from "./waits/serve.ts";
import { createWaits } from "./waits/waits.ts";
import { createWaker } from "./waits/waker.ts";

export { type FactorsConfig, factorsConfig } from "./config.ts";

/** Resolves when everything is served. Keeps nothing in memory: any replica may answer any request. */
export async function run(platform: Platform, config: FactorsConfig): Promise<void> {
  const { clock, ids, random, log, documents, state, jobs, caller, server, vault } = platform;
  const { failuresMax, publicUrl } = config;
  const secretsOf = { vault, clock, ids, random };
  const store = createAuthenticatorStore({
    ...secretsOf,
    kind: "authenticators",
    secretBytes,
    collection: await documents.collection(authenticatorsCollection),
  });
  const answerSecrets = createAuthenticatorStore({
    ...secretsOf,
    kind: "answer-secrets",
    secretBytes: 32,
    collection: await documents.collection(answerSecretsCollection),
  });
  const answerRules = await createAnswerRules({
    ...secretsOf,
    collection: await documents.collection(answerRulesCollection),
    state,
    log,
  });
  const codes = createCodes({ store, state, clock, random, log, failuresMax });
  const countKey = vault.subkey("wait-counts");
  const waits = createWaits({
    store: createWaitStore(state, vault, clock),
    state,
    jobs,
    limits: createSendLimits({
      state,
      key: countKey,
      clock,
      perSocketDay: { sms: config.smsPerSocketDay, email: config.emailsPerSocketDay, call: config.callsPerSocketDay },
    }),
    secrets: createWaitSecrets(vault),
    waker: createWaker({ caller, jobs, ids }),
    clock,
    ids,
    log,
    publicUrl,
    failuresMax,
  });
  const tagOf = (text: string) => createHmac("sha256", countKey).update(text).digest("base64url");
  const signs = createSignStore({
    ...secretsOf,
    collection: await documents.collection(signsCollection),
    onUnreadable: (enrolment) => log.error("a sign does not open", { enrolment }),
  });
  const identities = async () => (await caller.call(serverIdentities, {})).fingerprints;
  await serveSigns(server, signs);
  const passkeyStore = createPasskeyStore({ collection: await documents.collection(passkeysCollection), vault, clock });
  const passkeys = { store: passkeyStore, assertions: createAssertions({ store: passkeyStore, state }) };
  const fetch = createSafeFetch({ allow: config.outboundAllow ?? [] });
  const keySets = createKeySets({ fetch, clock, log });
  const suspicion = createSuspicion({ state, clock });
  const registrations = createRegistrations({ store: passkeyStore, state, ids, random });
  await serveAuthenticators(server, { store, answerSecrets, answerRules, signs, codes, passkeys: passkeyStore });
  await servePasskeys({ server, log }, { ...passkeys, registrations });
  await serveWaits(server, { gates, waits, state, tagOf });
  const means = {
    codes,
    waits,
    answerSecrets,
    answerRules,
    passkeys,
    signs,
    identities,
    state,
    vault,
    suspicion,
    keySets,
  };
  await serveGates({ server, clock, log }, { gates, ...means });
}
