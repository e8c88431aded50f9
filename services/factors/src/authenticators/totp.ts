import { verify } from "otplib";

/** RFC 6238 with the values that every authenticator app uses: SHA-1, six digits, steps of 30 s from the epoch. */
export const stepMs = 30_000;
/** One step of drift either way (RFC 6238 section 5.2). */
export const driftSteps = 1;

const codePattern = /^[0-9]{6}$/;

/**
 * Time step whose code this is, or null. Codes are compared in constant time; a code that is none costs as much as a wrong one.
 *
 * @param secret 16 bytes at least
 * @param nowMs epoch
 */
export async function matchingStep(secret: Uint8Array, code: string, nowMs: number): Promise<number | null> {
  const wellFormed = codePattern.test(code);
  const result = await verify({
    secret,
    // The library throws on anything but six digits, which would skip the work.
    token: wellFormed ? code : "000000",
    epoch: Math.floor(nowMs / 1_000),
    epochTolerance: (driftSteps * stepMs) / 1_000,
  });
  return wellFormed && result.valid && "timeStep" in result ? result.timeStep : null;
}
