import { createHash } from "node:crypto";
import { createLocalJWKSet, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose";
import { z } from "zod";
import type { Gate, GateContext, GateResult } from "./gate.ts";

const config = z.strictObject({
  issuer: z.string().max(512),
  audience: z.string().max(256),
  jwks: z.string().max(600),
  algorithms: z.array(z.string().max(16)).min(1).max(16),
  member: z.string().max(64),
  maxAgeMs: z.number().int().positive(),
  once: z.boolean(),
});
type Config = z.infer<typeof config>;

const toleranceS = 30;
const compact = /^[A-Za-z0-9_-]{1,2048}\.[A-Za-z0-9_-]{1,4000}\.[A-Za-z0-9_-]{1,1500}$/;
/**
 * Of what a token says about itself, this alone is looked at. Where its key lies (`jku`, `x5u`, `jwk`, `x5c`) is not for a token to say
 * (RFC 8725 section 3.10), and `kid` is compared with what the provider publishes, never a path or a part of a query.
 */
const header = z.object({ alg: z.string().max(16), kid: z.string().max(256).optional() });

/** A token of the owner's identity provider, for this audience and this member, checked by the provider's published keys. */
export const jwt: Gate = {
  name: "jwt",
  async verify(context, { ref, config: given, value }) {
    const { data: terms } = config.safeParse(given);
    if (terms === undefined) return refused("config");
    const said = headerOf(value);
    if (said === null) return refused("malformed");
    if (!terms.algorithms.includes(said.alg)) return refused("algorithm");
    const keys = await context.keySets.get(terms.jwks, said.kid ?? null, context.socketId);
    const checked = await check(context, terms, value, createLocalJWKSet(keys));
    if (typeof checked === "string") return refused(checked);
    // As `member` says, and nobody else: a token of another one's is no way in under this name.
    if (context.member === null || context.member === undefined) return refused("nobody");
    if (checked[terms.member] !== context.member) return refused("member");
    if (terms.once && !(await isFirstUse(context, terms, value, checked, ref))) return refused("used");
    return { ok: true, cause: null };
  },
};

function headerOf(token: string): z.infer<typeof header> | null {
  if (!compact.test(token)) return null;
  try {
    return header.safeParse(decodeProtectedHeader(token)).data ?? null;
  } catch {
    return null;
  }
}

/** @returns the claims, or why there are none */
async function check(
  { clock }: GateContext,
  { issuer, audience, algorithms, maxAgeMs }: Config,
  token: string,
  key: ReturnType<typeof createLocalJWKSet>,
): Promise<JWTPayload | string> {
  try {
    const { payload } = await jwtVerify(token, key, {
      issuer,
      audience,
      algorithms,
      clockTolerance: toleranceS,
      currentDate: new Date(clock()),
      maxTokenAge: Math.floor(maxAgeMs / 1_000),
      requiredClaims: ["exp", "iat"],
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) return "expired";
    if (error instanceof errors.JWTClaimValidationFailed) return "claims";
    if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) return "key";
    if (error instanceof errors.JOSEError) return "wrong";
    // A key of the provider's that no algorithm here can use.
    return "key";
  }
}

/**
 * Remembered, over all replicas, for as long as it would be taken, for whose keys signed it: another owner may claim the same issuer, and
 * must not use up what they have not signed. Named by `jti` or, without one, by what is signed: the signature itself
 * may be written in more ways than one (ECDSA has two for each), and each would be another token.
 */
async function isFirstUse(
  { state, hid, clock }: GateContext,
  { issuer, jwks, maxAgeMs }: Config,
  token: string,
  { jti, exp = 0, iat = 0 }: JWTPayload,
  ref: string,
): Promise<boolean> {
  const named =
    typeof jti === "string" && jti !== "" ? ["jti", jti] : ["signed", token.slice(0, token.lastIndexOf("."))];
  const name = createHash("sha256")
    .update(JSON.stringify([issuer, jwks, ...named]))
    .digest("base64url");
  const untilMs = Math.min(exp * 1_000, iat * 1_000 + maxAgeMs) + 2 * toleranceS * 1_000;
  return state.advance(`factors.jwt.${name}`, 1, `${hid}:${ref}`, Math.max(1, Math.ceil(untilMs - clock())));
}

function refused(cause: string): GateResult {
  return { ok: false, cause };
}
