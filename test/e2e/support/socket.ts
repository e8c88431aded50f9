import { randomBytes } from "node:crypto";
import type { Owner } from "../../../deploy/local/owner.ts";
import { type Authenticator, scan } from "./authenticator.ts";

export interface OwnedSocket {
  readonly id: string;
  /** `ws://…/label/path`, without a query. */
  readonly url: string;
  /** `pc1.…` */
  readonly appKey: string;
  readonly keyId: string;
}

export const keyAndOtp = { gates: [{ gate: "key" }, { gate: "otp" }] };

/** A socket with one app key. */
export async function makeSocket(owner: Owner, policy: object = keyAndOtp): Promise<OwnedSocket> {
  const label = `s${randomBytes(6).toString("hex")}`;
  const { id, url } = await owner.post<{ id: string; url: string }>("/v1/sockets", { label, policy });
  const { key, appKey } = await owner.post<{ key: string; appKey: { keyId: string } }>(`/v1/sockets/${id}/keys`, { label: "test" });
  return { id, url, appKey: key, keyId: appKey.keyId };
}

/** A member with an authenticator, as scanned from the QR code's text. */
export async function makeMember(owner: Owner, socket: OwnedSocket, name: string): Promise<Authenticator> {
  await owner.post(`/v1/sockets/${socket.id}/members`, { name });
  const { uri } = await owner.post<{ uri: string }>(`/v1/sockets/${socket.id}/members/${name}/authenticator`);
  return scan(uri);
}
