import { z } from "zod";
import { duration, milliseconds } from "../duration.ts";
import { strict } from "../strict.ts";
import type { Gate } from "./gate.ts";

/** Of public keys alone: a secret that the verifier shares (HS256) is one that the JWKS would publish, and `none` is none (RFC 8725 section 3.1). */
const algorithm = z.enum([
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
]);
const algorithmsMax = 11;
const urlError = "must be a URL such as https://login.example.com, without query, fragment and credentials";
const url = z
  .string({ error: urlError })
  .max(512, { error: urlError })
  .regex(/^https?:\/\/[^\s?#@\\]+$/, { error: urlError })
  .refine((text) => URL.canParse(text), { error: urlError });
const audience = z.string().min(1).max(256);
const algorithms = z.array(algorithm).min(1).max(algorithmsMax);
const claimError = "must be a claim's name: 1 to 64 of A-Z, a-z, 0-9 and . _ : / -";
const claim = z.string({ error: claimError }).regex(/^[A-Za-z0-9._:/-]{1,64}$/, { error: claimError });
const gate = z.literal("jwt");

/**
 * A token that the owner's identity provider has signed for this audience, naming the member (RFC 7519, RFC 8725). It says what the
 * provider says, of whoever holds it.
 */
export const jwt = {
  /**
   * `jwks`: where the provider's keys are, below the issuer unless set. `member`: the claim that has to be the member's name. `maxAge`
   * (10m): since it was issued, 10s to 24h. `once` (true): a token lets in once.
   */
  document: strict({
    gate,
    issuer: url,
    audience,
    jwks: url.optional(),
    algorithms: algorithms.default(["RS256", "ES256", "EdDSA"]),
    member: claim.default("sub"),
    maxAge: duration("10s", "24h").prefault("10m"),
    once: z.boolean().default(true),
  }).transform(({ jwks, maxAge, ...item }) => ({
    ...item,
    jwks: jwks ?? `${item.issuer.replace(/\/$/, "")}/.well-known/jwks.json`,
    maxAgeMs: maxAge,
  })),
  stored: strict({
    gate,
    issuer: url,
    audience,
    jwks: z.string().max(600),
    algorithms,
    member: claim,
    maxAgeMs: milliseconds("10s", "24h"),
    once: z.boolean(),
  }),
  place: "anywhere",
  dialogue: "once",
  prompt: (item: { readonly gate: string; readonly issuer: string; readonly audience: string }) => ({
    issuer: item.issuer,
    audience: item.audience,
  }),
  decided: () => null,
  needs: () => null,
  restsOn: () => "identity-provider",
  bindsMember: true,
} satisfies Gate;
