import { ServiceError } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import { hashOf, toText } from "../secrets.ts";
import type { AccountContext } from "./context.ts";
import type { ApiToken } from "./store.ts";

const perOwnerMax = 100;

export async function createTokenOf(
  context: AccountContext,
  request: { ownerId: string; label: string; expiresAtMs: number | null },
) {
  if ((await context.store.apiTokens.count({ ownerId: request.ownerId })) >= perOwnerMax) {
    throw new ServiceError("invalid", {
      issues: [{ path: "label", message: `an owner has at most ${perOwnerMax} tokens: revoke one first` }],
    });
  }
  const now = context.clock();
  if (request.expiresAtMs !== null && request.expiresAtMs <= now) {
    throw new ServiceError("invalid", { issues: [{ path: "expiresAt", message: "is in the past" }] });
  }
  const secret = `pct_${toText(context.random(32))}`;
  const token = await context.store.apiTokens.insert(context.ids.id(), {
    ownerId: request.ownerId,
    secretHash: hashOf(secret),
    label: request.label,
    createdAtMs: now,
    expiresAtMs: request.expiresAtMs,
    lastUsedAtMs: null,
  });
  return { token: view(token), secret };
}

export async function listTokensOf(context: AccountContext, { ownerId }: { ownerId: string }) {
  return { tokens: (await context.store.apiTokens.find({ ownerId }, { limit: perOwnerMax })).map(view) };
}

export async function revokeTokenOf(
  context: AccountContext,
  { ownerId, tokenId }: { ownerId: string; tokenId: string },
) {
  const token = await context.store.apiTokens.get(tokenId);
  if (token === null || token.body.ownerId !== ownerId) throw new ServiceError("not_found");
  await context.store.apiTokens.delete(tokenId);
  return {};
}

function view({ id, body }: Stored<ApiToken>) {
  return {
    id,
    label: body.label,
    createdAtMs: body.createdAtMs,
    expiresAtMs: body.expiresAtMs,
    lastUsedAtMs: body.lastUsedAtMs,
  };
}
