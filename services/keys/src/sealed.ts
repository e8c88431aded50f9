import type { SealedStore } from "@portcullis/key-ring";
import { sealedAppKeys } from "./app-keys/store.ts";
import { sealedScripts } from "./decoy/scripts.ts";
import { sealedTranscripts } from "./decoy/transcript.ts";
import { sealedIdentity } from "./identity.ts";

/** All documents of this service that hold something under the vault: what another data key has to reach. */
export const sealedStores: readonly SealedStore[] = [sealedIdentity, sealedAppKeys, sealedScripts, sealedTranscripts];
