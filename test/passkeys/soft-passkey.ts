import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";

/**
 * An authenticator and the browser around it (WebAuthn level 3, sections 6 and 5), in software, of its own making: it shares nothing with what
 * verifies it. ES256, no attestation.
 */
export interface SoftPasskey {
  readonly id: string;
  /** @returns RegistrationResponseJSON */
  register(options: { readonly challenge: string; readonly rp: { readonly id?: string } }, at: string): unknown;
  /** @returns AuthenticationResponseJSON */
  get(request: { readonly challenge: string; readonly rpId: string }, at: string, change?: Change): unknown;
}

export interface Change {
  /** Default: it counts, from 1. */
  readonly counter?: number;
  /** User present, user verified. */
  readonly flags?: number;
  readonly type?: string;
}

const flagsUpUv = 0x05;
const flagsAttested = 0x40;

export function createSoftPasskey(): SoftPasskey {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const credentialId = randomBytes(32);
  const id = credentialId.toString("base64url");
  let counter = 0;

  const clientData = (type: string, challenge: string, origin: string) =>
    Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
  const head = { id, rawId: id, type: "public-key", clientExtensionResults: {}, authenticatorAttachment: "platform" };

  return {
    id,
    register({ challenge, rp }, at) {
      const attested = Buffer.concat([Buffer.alloc(16), u16(credentialId.length), credentialId, coseKey(publicKey)]);
      const authData = Buffer.concat([authenticatorData(rp.id ?? "", flagsUpUv | flagsAttested, 0), attested]);
      // {"fmt": "none", "attStmt": {}, "authData": bytes} in CBOR (RFC 8949).
      const attestation = Buffer.concat([
        Buffer.from("a363666d74646e6f6e656761747453746d74a068617574684461746159", "hex"),
        u16(authData.length),
        authData,
      ]);
      return {
        ...head,
        response: {
          clientDataJSON: clientData("webauthn.create", challenge, at).toString("base64url"),
          attestationObject: attestation.toString("base64url"),
          transports: ["internal"],
        },
      };
    },
    get({ challenge, rpId }, at, change = {}) {
      counter += 1;
      const data = clientData(change.type ?? "webauthn.get", challenge, at);
      const authData = authenticatorData(rpId, change.flags ?? flagsUpUv, change.counter ?? counter);
      const signature = sign("sha256", Buffer.concat([authData, sha256(data)]), privateKey);
      return {
        ...head,
        response: {
          clientDataJSON: data.toString("base64url"),
          authenticatorData: authData.toString("base64url"),
          signature: signature.toString("base64url"),
        },
      };
    },
  };
}

function authenticatorData(relyingParty: string, flags: number, counter: number): Buffer {
  const count = Buffer.alloc(4);
  count.writeUInt32BE(counter);
  return Buffer.concat([sha256(Buffer.from(relyingParty)), Buffer.of(flags), count]);
}

/** COSE_Key of ES256 (RFC 9053 section 7.1.1). */
function coseKey(publicKey: ReturnType<typeof generateKeyPairSync>["publicKey"]): Buffer {
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  return Buffer.concat([
    Buffer.from("a5010203262001215820", "hex"),
    Buffer.from(x, "base64url"),
    Buffer.from("225820", "hex"),
    Buffer.from(y, "base64url"),
  ]);
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
