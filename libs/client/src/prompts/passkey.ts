import { passkeyChallenge } from "@portcullis/crypto";
import { base64url } from "@portcullis/protocol";
import { PortcullisError } from "../errors.ts";
import type { Asked, PasskeyRequest, Prompt } from "./prompt.ts";

/** The platform asks the person: with a finger, a face or a PIN (docs/protocol.md section 9). */
export const passkey: Prompt = Object.freeze({
  title: "Passkey",
  inputMode: "text",
  autocomplete: "off",
  pattern: ".+",
  waits: false,
  normalise: (value: string) => value,
  isForPerson: () => false,
  automatic(asked: Asked) {
    const credentials = platformCredentials();
    const platform: Use | null = credentials && ((request, signal) => usePlatform(credentials, request, signal));
    const use = asked.means.passkey ?? platform;
    return use === null ? null : answer(asked, use);
  },
});

type Use = NonNullable<Asked["means"]["passkey"]>;

async function answer({ details, th, cid, signal }: Asked, use: Use): Promise<string> {
  const { relyingParty, credentials } = details;
  if (typeof relyingParty !== "string" || !Array.isArray(credentials)) throw new PortcullisError("unsupported");
  const challenge = base64url.encode(await passkeyChallenge(th, cid));
  const allowCredentials = credentials.filter(isCredential).map(({ id }) => ({ type: "public-key" as const, id }));
  const request = { challenge, rpId: relyingParty, allowCredentials, userVerification: "required" as const };
  return JSON.stringify(await use(request, signal));
}

function isCredential(value: unknown): value is { readonly id: string } {
  return typeof value === "object" && value !== null && "id" in value && typeof value.id === "string";
}

/** What is used of the platform (Credential Management level 1); this library is for platforms without it as well. */
interface Credentials {
  get(options: object): Promise<unknown>;
}
interface Assertion {
  readonly id: string;
  readonly response: Readonly<Record<"clientDataJSON" | "authenticatorData" | "signature", ArrayBuffer>> & {
    readonly userHandle: ArrayBuffer | null;
  };
}

function platformCredentials(): Credentials | null {
  if (!("PublicKeyCredential" in globalThis)) return null;
  const { credentials = null } = globalThis.navigator as { readonly credentials?: Credentials };
  return credentials;
}

/** WebAuthn level 3, section 5.1.4. */
async function usePlatform(credentials: Credentials, request: PasskeyRequest, signal: AbortSignal): Promise<unknown> {
  const made = await credentials.get({
    signal,
    publicKey: {
      ...request,
      challenge: base64url.decode(request.challenge),
      allowCredentials: request.allowCredentials.map(({ type, id }) => ({ type, id: base64url.decode(id) })),
    },
  });
  // Null where the person turned away; nothing but an assertion is what a browser gives for such a request.
  if (made === null) throw new PortcullisError("cancelled");
  const { id, response } = made as Assertion;
  const text = (buffer: ArrayBuffer) => base64url.encode(new Uint8Array(buffer));
  return {
    id,
    rawId: id,
    type: "public-key",
    clientExtensionResults: {},
    response: {
      clientDataJSON: text(response.clientDataJSON),
      authenticatorData: text(response.authenticatorData),
      signature: text(response.signature),
      ...(response.userHandle === null ? {} : { userHandle: text(response.userHandle) }),
    },
  };
}
