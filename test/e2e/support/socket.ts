import { randomBytes } from "node:crypto";
import { type Authenticator, scan } from "../../../deploy/demo/authenticator.ts";
import type { Owner } from "../../../deploy/local/owner.ts";

export interface OwnedSocket {
  readonly id: string;
  /** `ws://…/label/path`, without a query. */
  readonly url: string;
  /** `pc1.…` */
  readonly appKey: string;
  readonly keyId: string;
}

/** Whoever is gone is gone at once: most tests look at who is there. */
export const keyAndOtp = { gates: [{ gate: "key" }, { gate: "otp" }], resume: "off" };
/** Who has the key comes in, by whatever name they have here, or none. */
export const keyOnly = { gates: [{ gate: "key" }], anonymous: true, resume: "off" };

/**
 * A socket with one app key. Everybody in a test is at one address, and most fail there on purpose: nothing costs them anything, unless
 * the policy says what.
 */
export async function makeSocket(owner: Owner, given: object = keyAndOtp): Promise<OwnedSocket> {
  const onFailure = "onFailure" in given ? (given.onFailure as object) : {};
  const policy = { ...given, onFailure: { free: 100, work: 0, ...onFailure } };
  const label = `s${randomBytes(6).toString("hex")}`;
  const { id, url } = await owner.post<{ id: string; url: string }>("/v1/sockets", { label, policy });
  return { id, url, ...(await makeKey(owner, id)) };
}

/** One more app key. */
export async function makeKey(
  owner: Owner,
  socketId: string,
  role: "member" | "consumer" = "member",
): Promise<{ appKey: string; keyId: string }> {
  const made = await owner.post<{ key: string; appKey: { keyId: string } }>(`/v1/sockets/${socketId}/keys`, {
    label: "test",
    role,
  });
  return { appKey: made.key, keyId: made.appKey.keyId };
}

/** One that is no key to anything. */
export async function plantKey(owner: Owner, socketId: string): Promise<{ appKey: string; keyId: string }> {
  const made = await owner.post<{ key: string; appKey: { keyId: string } }>(`/v1/sockets/${socketId}/keys`, {
    label: "planted",
    canary: true,
  });
  return { appKey: made.key, keyId: made.appKey.keyId };
}

/** A member with an authenticator, as scanned from the QR code's text. */
export async function makeMember(
  owner: Owner,
  socket: OwnedSocket,
  name: string,
  contacts: { readonly email?: string; readonly phone?: string } = {},
): Promise<Authenticator> {
  await owner.post(`/v1/sockets/${socket.id}/members`, { name, contacts });
  return enrol(owner, `/v1/sockets/${socket.id}/members/${name}`);
}

/** The authenticator that the socket's people share. */
export function makeSocketAuthenticator(owner: Owner, socket: OwnedSocket): Promise<Authenticator> {
  return enrol(owner, `/v1/sockets/${socket.id}`);
}

async function enrol(owner: Owner, subject: string): Promise<Authenticator> {
  const { uri } = await owner.post<{ uri: string }>(`${subject}/authenticator`);
  return scan(uri);
}
