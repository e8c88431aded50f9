import { readFile } from "node:fs/promises";
import { exchange } from "../exchange.ts";
import { KmsError } from "../port.ts";

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | null;
}

/** Asked before each request. @throws {KmsError} */
export type GetCredentials = () => Promise<AwsCredentials>;

export function fixedCredentials(credentials: AwsCredentials): GetCredentials {
  return async () => credentials;
}

/** Before they expire: who asks then must not be refused on the way. */
const marginMs = 300_000;
const sessionSeconds = 3_600;

/**
 * A role for a token that the platform writes into a file, as EKS does for service accounts: AssumeRoleWithWebIdentity of AWS STS, which is not signed. The file is read for
 * each session, because the platform replaces it.
 *
 * @see https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
 */
export function webIdentity(options: {
  readonly roleArn: string;
  readonly tokenFile: string;
  /** `https://sts.eu-central-1.amazonaws.com` */
  readonly endpoint: string;
  readonly clock: () => number;
  /** For tests: before the second try; the next are longer. Default 100. */
  readonly pauseMs?: number;
}): GetCredentials {
  const { roleArn, tokenFile, endpoint, clock, pauseMs } = options;
  let held: { readonly credentials: AwsCredentials; readonly expiresAtMs: number } | null = null;
  return async () => {
    if (held !== null && clock() < held.expiresAtMs - marginMs) return held.credentials;
    const token = await readFile(tokenFile, "utf8").catch(() => {
      throw new KmsError("denied", "AWS_WEB_IDENTITY_TOKEN_FILE cannot be read");
    });
    const body = new URLSearchParams({
      Action: "AssumeRoleWithWebIdentity",
      Version: "2011-06-15",
      RoleArn: roleArn,
      RoleSessionName: "portcullis",
      DurationSeconds: `${sessionSeconds}`,
      WebIdentityToken: token.trim(),
    }).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const { text } = await exchange({
      request: async () => new Request(endpoint, { method: "POST", headers, body }),
      failureOf: ({ status }) => (status === 429 || status >= 500 ? "unavailable" : "denied"),
      advice: { ...advice, unavailable: "AWS STS does not answer: is AWS_REGION right, and is it reached from here?" },
      ...(pauseMs === undefined ? {} : { pauseMs }),
    });
    held = sessionIn(text);
    return held.credentials;
  };
}

const refused = "AWS STS gives no credentials: look at AWS_ROLE_ARN, its trust policy, and AWS_WEB_IDENTITY_TOKEN_FILE";
const advice = { denied: refused, refused, unopened: refused };

/** Four elements of a document whose form is fixed; none of their values has a character that XML would write otherwise. */
function sessionIn(xml: string): { readonly credentials: AwsCredentials; readonly expiresAtMs: number } {
  const element = (name: string) => new RegExp(`<${name}>([A-Za-z0-9+/=:._-]{1,4096})</${name}>`).exec(xml)?.[1];
  const [accessKeyId, secretAccessKey] = [element("AccessKeyId"), element("SecretAccessKey")];
  const [sessionToken, expiration] = [element("SessionToken"), element("Expiration")];
  const expiresAtMs = Date.parse(expiration ?? "");
  if (
    accessKeyId === undefined ||
    secretAccessKey === undefined ||
    sessionToken === undefined ||
    Number.isNaN(expiresAtMs)
  )
    throw new KmsError("denied", refused);
  return { credentials: { accessKeyId, secretAccessKey, sessionToken }, expiresAtMs };
}
