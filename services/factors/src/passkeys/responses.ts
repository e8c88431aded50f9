import { z } from "zod";

/**
 * What browsers send (WebAuthn level 3, sections 5.1 and 5.8.7), as far as it is looked at: `toJSON()` of some browsers adds fields, which are
 * dropped here. Everything is bounded before it is decoded.
 */
const base64url = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[A-Za-z0-9_-]*$/);
const head = {
  id: base64url(1400),
  rawId: base64url(1400),
  type: z.literal("public-key"),
  clientExtensionResults: z
    .record(z.string().max(64), z.unknown())
    .default({})
    .transform(() => ({})),
};

export const registrationResponse = z.object({
  ...head,
  response: z.object({
    clientDataJSON: base64url(4096),
    attestationObject: base64url(16_384),
    transports: z
      .array(z.string().regex(/^[a-z-]{1,32}$/))
      .max(8)
      .default([]),
  }),
});

export const assertionResponse = z.object({
  ...head,
  response: z.object({
    clientDataJSON: base64url(2048),
    authenticatorData: base64url(1024),
    signature: base64url(1024),
    // Not `userHandle`: whose passkey it is, its id says.
  }),
});
