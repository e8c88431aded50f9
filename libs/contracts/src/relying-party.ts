import { relyingParty } from "@portcullis/policy";
import { ServiceError } from "./errors.ts";

export { relyingParty };

/** Of the pages at a URL. @returns null where they are at an IP address: no browser has passkeys there. */
export function relyingPartyAt(url: string): string | null {
  return relyingParty.safeParse(new URL(url).hostname).data ?? null;
}

/** @throws {ServiceError} invalid: it says what to do. Not a word of it is about anybody, and whoever asks has written the address themselves. */
export function requireRelyingParty(found: string | null): string {
  if (found !== null) return found;
  const message =
    "must have a host name for passkeys, such as https://portcullis.example.com or http://localhost:8080: browsers have none for an IP address";
  throw new ServiceError("invalid", { issues: [{ path: "PUBLIC_URL", message }] });
}
