import { AwsV4Signer } from "aws4fetch";
import { z } from "zod";
import { type Answer, exchange, jsonIn } from "../exchange.ts";
import { type Kms, type KmsContext, KmsError, type KmsFailure, keyBytes } from "../port.ts";
import type { GetCredentials } from "./credentials.ts";

export interface AwsKmsOptions {
  /** Id, ARN or alias (`alias/portcullis`) of a symmetric key. */
  readonly keyId: string;
  /** The key before, whose blobs open still. Null: there is none. */
  readonly previousKeyId: string | null;
  readonly region: string;
  /** `https://kms.eu-central-1.amazonaws.com` */
  readonly endpoint: string;
  readonly credentials: GetCredentials;
  /** For tests: before the second try; the next are longer. Default 100. */
  readonly pauseMs?: number;
}

const kind = "aws-kms";
const prefix = `${kind}:`;
const base64 = z.string().regex(/^[A-Za-z0-9+/]{1,8192}={0,2}$/);
const encrypted = z.object({ CiphertextBlob: base64, KeyId: z.string().max(2048) });
const decrypted = z.object({ Plaintext: base64 });

/**
 * AWS KMS: Encrypt and Decrypt in its JSON protocol (`x-amz-json-1.1`), signed with Signature Version 4. The encryption context holds service and key: it is authenticated with
 * the blob, shows in CloudTrail, and policies can ask for it (`kms:EncryptionContext:portcullis:service`).
 *
 * Data keys come from here and not from GenerateDataKey: one randomness for all adapters, and the same call when a ring is wrapped anew.
 *
 * @see https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html
 */
export function createAwsKms({ keyId, previousKeyId, region, endpoint, credentials, pauseMs }: AwsKmsOptions): Kms {
  async function call(action: string, body: object): Promise<unknown> {
    const { text } = await exchange({
      request: async () => {
        const { accessKeyId, secretAccessKey, sessionToken } = await credentials();
        const signer = new AwsV4Signer({
          method: "POST",
          url: endpoint,
          headers: { "content-type": "application/x-amz-json-1.1", "x-amz-target": `TrentService.${action}` },
          body: JSON.stringify(body),
          accessKeyId,
          secretAccessKey,
          ...(sessionToken === null ? {} : { sessionToken }),
          service: "kms",
          region,
          // The content type as well, which the library leaves out for the sake of browsers: what is there has to be signed.
          allHeaders: true,
        });
        const { url, method, headers, body: signed } = await signer.sign();
        return new Request(url, { method, headers, body: signed ?? null });
      },
      failureOf,
      advice,
      ...(pauseMs === undefined ? {} : { pauseMs }),
    });
    return jsonIn(text);
  }

  /** The key is named: otherwise a blob under a key of somebody else's, which we may happen to use, would open as well. */
  async function decrypt(KeyId: string, CiphertextBlob: string, context: KmsContext): Promise<Uint8Array> {
    const said = await call("Decrypt", { CiphertextBlob, KeyId, EncryptionContext: encryptionContext(context) });
    const plaintext = Buffer.from(parsed(decrypted, said).Plaintext, "base64");
    const key = new Uint8Array(plaintext);
    plaintext.fill(0);
    if (key.length !== keyBytes) throw new KmsError("unopened", advice.unopened);
    return key;
  }

  return {
    kind,
    async wrap(key, context) {
      if (key.length !== keyBytes) throw new TypeError(`a data key has ${keyBytes} bytes`);
      const Plaintext = Buffer.from(key).toString("base64");
      const said = await call("Encrypt", { KeyId: keyId, Plaintext, EncryptionContext: encryptionContext(context) });
      const { CiphertextBlob, KeyId } = parsed(encrypted, said);
      return { wrapped: prefix + CiphertextBlob, by: `aws-kms ${KeyId}` };
    },
    async unwrap(wrapped, context) {
      if (!wrapped.startsWith(prefix)) throw new KmsError("unopened", advice.unopened);
      const blob = wrapped.slice(prefix.length);
      try {
        return await decrypt(keyId, blob, context);
      } catch (error) {
        if (previousKeyId === null || !(error instanceof KmsError) || error.code !== "unopened") throw error;
        return decrypt(previousKeyId, blob, context);
      }
    },
    describe: () => `aws-kms ${keyId} at ${endpoint}`,
  };
}

function encryptionContext({ service, key }: KmsContext) {
  return { "portcullis:service": service, "portcullis:key": key };
}

function parsed<T>(schema: z.ZodType<T>, said: unknown): T {
  const { data } = schema.safeParse(said);
  if (data === undefined) throw new KmsError("unavailable", "what answers at KMS_ENDPOINT is no AWS KMS");
  return data;
}

const advice: Readonly<Record<KmsFailure, string>> = {
  denied: "AWS KMS denies it: look at the credentials of this service, and at the policies of the key in KMS_KEY_ID",
  unavailable: "AWS KMS does not answer: is AWS_REGION or KMS_ENDPOINT right, and is it reached from here?",
  refused: "AWS KMS cannot use the key in KMS_KEY_ID: it is not there, disabled, or not for encryption",
  unopened: "a key of the ring does not open under KMS_KEY_ID: it was wrapped by another key, moved, or damaged",
};

/** By the names in the reference's sections "Errors" and "Common Errors"; what is not among them is told by its status. */
const failures: Readonly<Record<string, KmsFailure>> = {
  AccessDeniedException: "denied",
  ExpiredTokenException: "denied",
  IncompleteSignature: "denied",
  InvalidClientTokenId: "denied",
  InvalidSignatureException: "denied",
  MissingAuthenticationTokenException: "denied",
  NotAuthorized: "denied",
  UnrecognizedClientException: "denied",
  DependencyTimeoutException: "unavailable",
  KeyUnavailableException: "unavailable",
  KMSInternalException: "unavailable",
  LimitExceededException: "unavailable",
  ServiceUnavailable: "unavailable",
  ThrottlingException: "unavailable",
  IncorrectKeyException: "unopened",
  InvalidCiphertextException: "unopened",
};

function failureOf({ status, headers, text }: Answer): KmsFailure {
  const { data } = z.object({ __type: z.string() }).safeParse(jsonIn(text));
  // `com.amazonaws.kms#ThrottlingException`, or the name alone; in a header `ThrottlingException:http://…`.
  const type = data?.__type ?? headers.get("x-amzn-errortype") ?? "";
  const name = /(?:^|#)([A-Za-z]{1,64})(?::|$)/.exec(type)?.[1] ?? "";
  const known = Object.hasOwn(failures, name) ? failures[name] : undefined;
  if (known !== undefined) return known;
  if (status >= 500 || status === 429 || status < 400) return "unavailable";
  return status === 401 || status === 403 ? "denied" : "refused";
}
