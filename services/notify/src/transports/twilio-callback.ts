import { createHmac, timingSafeEqual } from "node:crypto";

/** Where the API takes what Twilio says of a message. */
export function callbackUrl(publicUrl: string, waitId: string, sending: string): string {
  return `${publicUrl}/providers/twilio/${waitId}/${sending}`;
}

/**
 * `X-Twilio-Signature`: HMAC-SHA1 under the account's token, base64, over the URL and the fields in the order of their names
 * (https://www.twilio.com/docs/usage/security#validating-requests). In constant time.
 */
export function isSignedByTwilio(message: {
  readonly authToken: string;
  readonly url: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly signature: string;
}): boolean {
  const { authToken, url, fields, signature } = message;
  const named = Object.keys(fields)
    .sort()
    .map((name) => `${name}${fields[name]}`);
  const expected = createHmac("sha1", authToken)
    .update([url, ...named].join(""), "utf8")
    .digest();
  const received = Buffer.from(signature, "base64");
  return received.length === expected.length && timingSafeEqual(received, expected);
}
