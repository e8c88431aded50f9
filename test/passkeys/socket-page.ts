import type { Owner } from "../../deploy/local/owner.ts";
import type { SoftPasskey } from "./soft-passkey.ts";

export interface Begun {
  readonly signInId: string;
  readonly options: {
    readonly challenge: string;
    readonly rpId: string;
    readonly allowCredentials: readonly unknown[];
    readonly userVerification: string;
    readonly timeout: number;
  };
}
export interface CreationOptions {
  readonly challenge: string;
  readonly rp: { readonly id: string };
}

/**
 * Registers a passkey of a member's over the owner's API.
 *
 * @param respond what the browser does on the page at `origin`
 */
export async function registerMember(
  owner: Owner,
  { socketId, member, origin }: { readonly socketId: string; readonly member: string; readonly origin: string },
  respond: (options: CreationOptions) => unknown,
): Promise<{ readonly id: string }> {
  const url = `/v1/sockets/${socketId}/members/${member}/passkeys`;
  const relyingParty = new URL(origin).hostname;
  const { registrationId, options } = await owner.post<{ registrationId: string; options: CreationOptions }>(
    `${url}/begin`,
    { relyingParty },
  );
  const response = await respond(options);
  return owner.post(url, { registrationId, response, label: "device", origin });
}

/** A program that asks at a socket's address. @param address of whoever asks, for whom a proxy is believed */
export function askSocket(url: string, body: object, address: string): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", "x-forwarded-for": address },
    body: JSON.stringify(body),
  });
}

/** The whole way to a ticket. @returns the last answer */
export async function ticketBy(
  passkey: SoftPasskey,
  url: string,
  id: string,
  { origin = new URL(url).origin, address = "198.18.0.1" } = {},
): Promise<Response> {
  const { signInId, options } = (await (await askSocket(url, { begin: "passkey", id }, address)).json()) as Begun;
  return askSocket(url, { id, signInId, response: passkey.get(options, origin) }, address);
}
