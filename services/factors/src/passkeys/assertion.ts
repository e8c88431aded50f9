import { generateKeyPairSync, randomBytes } from "node:crypto";
import type { State } from "@portcullis/state";
import { verifyAuthenticationResponse } from "@simplewebauthn/server";
import type { Credential } from "./record.ts";
import { assertionResponse } from "./responses.ts";
import type { FoundPasskey, PasskeyStore } from "./store.ts";

/** Why an assertion was refused: for the log, never for whoever sent it. */
export type AssertionRefusal =
  /** No answer of a browser. */
  | "malformed"
  /** Nobody's passkey, or somebody else's. */
  | "unknown"
  /** Another challenge, origin or relying party, no user verification, or the signature does not fit. */
  | "wrong"
  /** Signed before by what counts its signatures, or by a copy of it (WebAuthn section 6.1.1). */
  | "used";

export interface Assertion {
  /** As sent. */
  readonly response: unknown;
  readonly challenge: Uint8Array;
  readonly relyingParty: string;
  readonly origins: readonly string[];
  /** Whose it must be; null: whoever's it is. Named as in the store. */
  readonly subject: string | null;
  /** The request that uses the answer up; it alone may present it again. */
  readonly holder: string;
}

export type AssertionResult =
  | { readonly ok: true; readonly passkey: FoundPasskey }
  | { readonly ok: false; readonly cause: AssertionRefusal };

export interface Assertions {
  /** One read and one verification of a signature, whoever it is and whatever is wrong. */
  verify(assertion: Assertion): Promise<AssertionResult>;
}

/** Signature counters only rise, for as long as a passkey is used. */
const counterTtlMs = 10 * 365 * 86_400_000;

/** The second half of WebAuthn (level 3, section 7.2). */
export function createAssertions({
  store,
  state,
}: {
  readonly store: PasskeyStore;
  readonly state: State;
}): Assertions {
  const nobody = madeUp();

  return {
    async verify({ response, challenge, relyingParty, origins, subject, holder }) {
      const parsed = assertionResponse.safeParse(response);
      if (!parsed.success) return { ok: false, cause: "malformed" };
      const found = await store.find(relyingParty, parsed.data.id);
      const isTheirs = found !== null && (subject === null || found.subject === subject);
      const { publicKey } = isTheirs ? found.credential : nobody;
      const verified = await verifyAuthenticationResponse({
        response: parsed.data,
        expectedChallenge: Buffer.from(challenge).toString("base64url"),
        expectedOrigin: [...origins],
        expectedRPID: relyingParty,
        credential: {
          id: parsed.data.id,
          publicKey: new Uint8Array(Buffer.from(publicKey, "base64url")),
          // Compared below, where all replicas see it.
          counter: 0,
        },
        requireUserVerification: true,
      }).catch(() => ({ verified: false as const, authenticationInfo: null }));
      if (!isTheirs) return { ok: false, cause: "unknown" };
      if (!verified.verified || verified.authenticationInfo === null) return { ok: false, cause: "wrong" };
      const { newCounter } = verified.authenticationInfo;
      // Those that do not count say 0, and rest on the challenge alone.
      if (
        newCounter > 0 &&
        !(await state.advance(`factors.passkey-counter.${found.id}`, newCounter, holder, counterTtlMs))
      )
        return { ok: false, cause: "used" };
      await store.noteUse(found.id);
      return { ok: true, passkey: found };
    },
  };
}

/** For whoever has none: the same work. */
function madeUp(): Credential {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  // COSE_Key of ES256 (RFC 9053 section 7.1.1): {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
  const cose = Buffer.concat([
    Buffer.from("a5010203262001215820", "hex"),
    Buffer.from(x, "base64url"),
    Buffer.from("225820", "hex"),
    Buffer.from(y, "base64url"),
  ]);
  return { id: randomBytes(16).toString("base64url"), publicKey: cose.toString("base64url"), transports: [] };
}
