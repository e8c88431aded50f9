import type { SealedStore } from "@portcullis/key-ring";
import {
  answerRulesCollection,
  answerSecretsCollection,
  authenticatorsCollection,
  sealedAuthenticators,
} from "./authenticators/record.ts";
import { sealedPasskeys } from "./passkeys/record.ts";
import { sealedSigns } from "./signs/record.ts";
import { sealedWebhooks } from "./webhooks/record.ts";

/** All documents of this service that hold something under the vault: what another data key has to reach. */
export const sealedStores: readonly SealedStore[] = [
  sealedAuthenticators(authenticatorsCollection, "authenticators"),
  sealedAuthenticators(answerSecretsCollection, "answer-secrets"),
  sealedAuthenticators(answerRulesCollection, "answer-rules"),
  sealedSigns,
  sealedPasskeys,
  sealedWebhooks,
];
