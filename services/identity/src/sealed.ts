import type { SealedStore } from "@portcullis/key-ring";
import { sealedOwners, sealedWebSessions } from "./accounts/store.ts";
import { sealedInvitations } from "./people/store.ts";
import { sealedMembers } from "./sockets/store.ts";

/** All documents of this service that hold something under the vault: what another data key has to reach. */
export const sealedStores: readonly SealedStore[] = [sealedOwners, sealedWebSessions, sealedMembers, sealedInvitations];
