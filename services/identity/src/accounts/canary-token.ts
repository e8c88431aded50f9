import type { Stored } from "@portcullis/documents";
import type { AccountContext } from "./context.ts";
import type { ApiToken, Owner } from "./store.ts";

/** A mailbox is not for a thief to fill; when it was used last is in the list of tokens. */
const everyMs = 3_600_000;

/** Somebody used an API token that its owner planted. Never rejects: the refusal stands whatever becomes of it. */
export async function soundCanaryToken(
  { state, mails, store, clock, log }: AccountContext,
  owner: Stored<Owner>,
  token: Stored<ApiToken>,
): Promise<void> {
  log.warn("a planted API token was used", { token: token.id });
  try {
    if ((await state.create(`identity:canary-token:${token.id}`, Uint8Array.of(1), everyMs)) === null) return;
    await store.apiTokens.replace(token.id, token.version, { ...token.body, lastUsedAtMs: clock() });
    // An address that nobody has confirmed may be somebody else's.
    if (owner.body.emailVerifiedAtMs !== null) await mails.send(owner, "canary-token");
  } catch (error) {
    log.warn("an owner could not be told of it", { token: token.id }, error);
  }
}
