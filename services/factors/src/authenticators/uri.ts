import { generateURI, ScureBase32Plugin } from "otplib";

const base32 = new ScureBase32Plugin();

export interface UriOptions {
  readonly issuer: string;
  readonly account: string;
  readonly secret: Uint8Array;
}

const uriCharactersMax = 512;

/**
 * What the QR code says, in the key URI format (https://github.com/google/google-authenticator/wiki/Key-Uri-Format). SHA-1, six
 * digits and 30 s are the format's defaults and left out: some apps refuse or ignore them. The names are for people only; where
 * they do not fit into 512 characters once encoded, they are shortened.
 */
export function otpauthUri({ issuer, account, secret }: UriOptions): string {
  const encoded = base32.encode(secret, { padding: false });
  let issuerName = displayName(issuer);
  let accountName = displayName(account);
  for (;;) {
    const uri = generateURI({ issuer: issuerName.join(""), label: accountName.join(""), secret: encoded });
    if (uri.length <= uriCharactersMax) return uri;
    if (accountName.length >= issuerName.length) accountName = accountName.slice(0, -1);
    else issuerName = issuerName.slice(0, -1);
  }
}

/** In code points, so that shortening never halves one. The colon separates issuer and account and may be in neither. */
function displayName(name: string): string[] {
  return Array.from(
    name
      .toWellFormed()
      .replace(/[\p{Cc}:]+/gu, " ")
      .trim(),
  );
}
