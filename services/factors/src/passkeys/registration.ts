import type { AuthenticatorSubject, PasskeyView } from "@portcullis/contracts";
import type { Ids, Random } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import {
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  type VerifiedRegistrationResponse,
  verifyRegistrationResponse,
} from "@simplewebauthn/server";
import { z } from "zod";
import { subjectId } from "../authenticators/subject.ts";
import { registrationResponse } from "./responses.ts";
import type { PasskeyStore } from "./store.ts";

/** EdDSA, ES256 and RS256 (RFC 9053, RFC 8812): what devices have. */
export const algorithms = [-8, -7, -257];
const registrationMs = 5 * 60_000;
const pending = z.strictObject({ subject: z.string(), relyingParty: z.string(), challenge: z.string() });

export interface Registrations {
  /** @throws {ServiceError} invalid: there are as many as may be. */
  begin(
    subject: AuthenticatorSubject,
    about: { readonly relyingParty: string; readonly account: string },
  ): Promise<{ readonly registrationId: string; readonly options: PublicKeyCredentialCreationOptionsJSON }>;
  /**
   * @returns null where it is over, is somebody else's, or was not answered rightly
   * @throws {ServiceError} invalid: there are as many as may be
   */
  finish(
    subject: AuthenticatorSubject,
    answer: {
      readonly registrationId: string;
      readonly origin: string;
      readonly response: unknown;
      readonly label: string;
    },
  ): Promise<PasskeyView | null>;
}

/** The first half of WebAuthn (level 3, section 7.1). No attestation is asked for: which maker's device it is decides nothing here. */
export function createRegistrations({
  store,
  state,
  ids,
  random,
}: {
  readonly store: PasskeyStore;
  readonly state: State;
  readonly ids: Ids;
  readonly random: Random;
}): Registrations {
  const key = (registrationId: string) => `factors.passkey-registration.${registrationId}`;

  return {
    async begin(subject, { relyingParty, account }) {
      await store.requireRoom(subject);
      const known = await store.credentials(subject, relyingParty);
      const options = await generateRegistrationOptions({
        rpName: "Portcullis",
        rpID: relyingParty,
        userName: account,
        // Says nothing of who it is to whoever reads the device (section 14.6.1).
        userID: new Uint8Array(Buffer.from(subjectId(subject), "base64url")),
        challenge: new Uint8Array(random(32)),
        attestationType: "none",
        excludeCredentials: known.map(({ id, transports }) => ({ id, transports: [...transports] })),
        authenticatorSelection: { residentKey: "required", userVerification: "required" },
        supportedAlgorithmIDs: algorithms,
        timeout: registrationMs,
      });
      const registrationId = ids.id();
      const value = { subject: subjectId(subject), relyingParty, challenge: options.challenge };
      await state.create(key(registrationId), Buffer.from(JSON.stringify(value)), registrationMs);
      return { registrationId, options };
    },

    async finish(subject, { registrationId, origin, response, label }) {
      // Whatever the answer is, it was the one: nobody tries until one fits.
      const taken = await state.take(key(registrationId));
      if (taken === null) return null;
      const {
        subject: whose,
        relyingParty,
        challenge,
      } = pending.parse(JSON.parse(Buffer.from(taken).toString("utf8")));
      const parsed = registrationResponse.safeParse(response);
      if (whose !== subjectId(subject) || !parsed.success) return null;
      const verified = await verifyRegistrationResponse({
        response: parsed.data,
        expectedChallenge: challenge,
        expectedOrigin: origin,
        expectedRPID: relyingParty,
        requireUserVerification: true,
        supportedAlgorithmIDs: algorithms,
      }).catch((): VerifiedRegistrationResponse => ({ verified: false }));
      if (!verified.verified) return null;
      const { credential, credentialDeviceType } = verified.registrationInfo;
      return store.add({
        subject,
        relyingParty,
        label,
        synced: credentialDeviceType === "multiDevice",
        credential: {
          id: credential.id,
          publicKey: Buffer.from(credential.publicKey).toString("base64url"),
          transports: [...parsed.data.response.transports],
        },
      });
    },
  };
}
