import { ServiceError } from "@portcullis/contracts";
import { insertWithin, type Stored } from "@portcullis/documents";
import { hashOf, toText } from "../secrets.ts";
import { type AccountContext, requireConfirmedAddress } from "./context.ts";
import { confirmByPassword, confirmBySecondFactor, type SecondFactor } from "./second-factor.ts";
import type { ApiToken } from "./store.ts";

const perOwnerMax = 100;
const dayMs = 24 * 3_600_000;
/** A token lies in files and environments where nobody looks; one that is forgotten there must end by itself. */
const lifeDefaultMs = 90 * dayMs;
const lifeMaxMs = 366 * dayMs;

/**
 * A token outlives the session that makes it, so that a stolen session is not enough: it takes the password, the second factor
 * where there is one, and an address that was confirmed.
 */
export async function createTokenOf(
  context: AccountContext,
  request: {
    ownerId: string;
    password: string;
    secondFactor: SecondFactor | null;
    label: string;
    canary?: boolean | undefined;
    expiresAtMs: number | null;
  },
) {
  const { ownerId, label } = request;
  const now = context.clock();
  const expiresAtMs = request.expiresAtMs ?? now + lifeDefaultMs;
  if (expiresAtMs <= now) throw invalid("expiresAt", "is in the past");
  if (expiresAtMs > now + lifeMaxMs) throw invalid("expiresAt", "must be within a year");
  const owner = await confirmByPassword(context, ownerId, request.password);
  requireConfirmedAddress(owner.body);
  await confirmBySecondFactor(context, owner, request.secondFactor);
  const secret = `pct_${toText(context.random(32))}`;
  const { apiTokens } = context.store;
  const body: ApiToken = {
    ownerId,
    secretHash: hashOf(secret),
    tokenEpoch: owner.body.tokenEpoch,
    label,
    canary: request.canary === true,
    createdAtMs: now,
    expiresAtMs,
    lastUsedAtMs: null,
  };
  const limit = { max: perOwnerMax, count: () => apiTokens.count({ ownerId }) };
  const token = await insertWithin(apiTokens, context.ids.id(), body, limit);
  if (token === null) throw invalid("label", `an owner has at most ${perOwnerMax} tokens: revoke one first`);
  return { token: view(token), secret };
}

function invalid(path: string, message: string): ServiceError {
  return new ServiceError("invalid", { issues: [{ path, message }] });
}

export async function listTokensOf(context: AccountContext, { ownerId }: { ownerId: string }) {
  const owner = await context.store.owners.get(ownerId);
  const found = await context.store.apiTokens.find({ ownerId }, { limit: 1000 });
  return { tokens: found.filter(({ body }) => body.tokenEpoch === owner?.body.tokenEpoch).map(view) };
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
    canary: body.canary,
    createdAtMs: body.createdAtMs,
    expiresAtMs: body.expiresAtMs,
    lastUsedAtMs: body.lastUsedAtMs,
  };
}
