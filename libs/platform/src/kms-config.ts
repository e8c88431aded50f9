import { type KmsKind, kmsKinds } from "@portcullis/kms";
import { type ConfigOf, choice, defineConfig, duration, secretKey, text, textType, url } from "@portcullis/runtime";

const previousKeys = textType(
  "up to 8 keys of 32 bytes, each as 43 characters of base64url, between commas",
  (value) => {
    const keys = value.split(",").map((key) => key.trim());
    if (keys.length > 8 || !keys.every(isKey)) return undefined;
    return Object.freeze(keys.map((key) => new Uint8Array(Buffer.from(key, "base64url"))));
  },
);

/** 32 bytes whose text says nothing more than them. */
export function isKey(text: string): boolean {
  const key = Buffer.from(text, "base64url");
  return key.length === 32 && key.toString("base64url") === text;
}

const named = (expected: string, pattern: RegExp) =>
  textType(expected, (value) => (pattern.test(value) ? value : undefined));

/** Which key service wraps the data keys of a service, and how it is reached. */
export const kmsConfig = defineConfig({
  kms: {
    env: "KMS",
    type: choice(kmsKinds),
    default: "local",
    describe: "What wraps the data keys of this service: a master key of its environment, or a key service.",
  },
  keyLeaseMs: {
    env: "KEY_LEASE",
    type: duration({ min: "1m", max: "8h" }),
    default: "1h",
    describe:
      "How long at most data keys stay in memory while the key service, or the store that they are in, does not answer; half of it at least.",
  },
  masterKey: {
    env: "MASTER_KEY",
    type: secretKey(),
    default: null,
    secret: true,
    describe: "Wraps the data keys of this service where KMS is local; different for each service.",
  },
  previousMasterKeys: {
    env: "MASTER_KEY_PREVIOUS",
    type: previousKeys,
    default: null,
    secret: true,
    describe: "Master keys of before, newest first: they still open what they wrapped. Unset: there are none.",
  },
  kmsKeyId: {
    env: "KMS_KEY_ID",
    type: named("an id, ARN or alias (alias/...) of an AWS KMS key", /^[A-Za-z0-9:/_-]{1,2048}$/),
    default: null,
    describe: "The symmetric key of AWS KMS that wraps the data keys. Needed where KMS is aws-kms.",
  },
  kmsKeyIdPrevious: {
    env: "KMS_KEY_ID_PREVIOUS",
    type: named("an id, ARN or alias (alias/...) of an AWS KMS key", /^[A-Za-z0-9:/_-]{1,2048}$/),
    default: null,
    describe: "The one before: it still opens what it wrapped. Unset: there is none.",
  },
  kmsEndpoint: {
    env: "KMS_ENDPOINT",
    type: url(["https", "http"]),
    default: null,
    describe: "Where AWS KMS is, if not at https://kms.AWS_REGION.amazonaws.com.",
  },
  awsRegion: {
    env: "AWS_REGION",
    type: named("a region like eu-central-1", /^[a-z]{2}(-[a-z]+)+-\d{1,2}$/),
    default: null,
    describe: "Region of the AWS KMS key. Needed where KMS is aws-kms.",
  },
  awsAccessKeyId: {
    env: "AWS_ACCESS_KEY_ID",
    type: named("an access key id", /^[A-Za-z0-9_]{4,128}$/),
    default: null,
    describe: "With AWS_SECRET_ACCESS_KEY: whoever may use the AWS KMS key.",
  },
  awsSecretAccessKey: {
    env: "AWS_SECRET_ACCESS_KEY",
    type: text({ min: 8, max: 256 }),
    default: null,
    secret: true,
    describe: "Of AWS_ACCESS_KEY_ID.",
  },
  awsSessionToken: {
    env: "AWS_SESSION_TOKEN",
    type: text({ min: 8, max: 4096 }),
    default: null,
    secret: true,
    describe: "Of AWS_ACCESS_KEY_ID, where that is a temporary one.",
  },
  awsRoleArn: {
    env: "AWS_ROLE_ARN",
    type: named("the ARN of a role", /^arn:[A-Za-z0-9:/+=,.@_-]{1,2040}$/),
    default: null,
    describe: "Instead of an access key: the role that is taken with AWS_WEB_IDENTITY_TOKEN_FILE. EKS sets both.",
  },
  awsWebIdentityTokenFile: {
    env: "AWS_WEB_IDENTITY_TOKEN_FILE",
    type: text({ min: 1, max: 1024 }),
    default: null,
    describe: "File with the token for AWS_ROLE_ARN; read again for each session of an hour.",
  },
  stsEndpoint: {
    env: "AWS_ENDPOINT_URL_STS",
    type: url(["https", "http"]),
    default: null,
    describe: "Where AWS STS is, if not at https://sts.AWS_REGION.amazonaws.com.",
  },
  vaultAddress: {
    env: "VAULT_ADDR",
    type: url(["https", "http"]),
    default: null,
    describe: "Vault or OpenBao. Needed where KMS is vault-transit; http only on this machine.",
  },
  vaultToken: {
    env: "VAULT_TOKEN",
    type: text({ min: 1, max: 4096 }),
    default: null,
    secret: true,
    describe: "Token for it, where there is no VAULT_TOKEN_FILE.",
  },
  vaultTokenFile: {
    env: "VAULT_TOKEN_FILE",
    type: text({ min: 1, max: 1024 }),
    default: null,
    describe: "File with the token, as Vault Agent writes it; read again for each request.",
  },
  vaultNamespace: {
    env: "VAULT_NAMESPACE",
    type: named("the path of a namespace", /^[A-Za-z0-9_./-]{1,256}$/),
    default: null,
    describe: "Namespace of the secrets engine. Unset: none.",
  },
  vaultTransitMount: {
    env: "VAULT_TRANSIT_MOUNT",
    type: named("the path of a secrets engine", /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+){0,8}$/),
    default: "transit",
    describe: "Where the transit secrets engine is mounted.",
  },
  vaultTransitKey: {
    env: "VAULT_TRANSIT_KEY",
    type: named("the name of a key", /^[A-Za-z0-9_-]{1,128}$/),
    default: null,
    describe: "The key of the transit engine that wraps the data keys. Needed where KMS is vault-transit.",
  },
});
export type KmsConfig = ConfigOf<(typeof kmsConfig)["options"]>;

/** What a service cannot do without that keeps secrets. */
export const requiredByKms: Readonly<Record<KmsKind, readonly (keyof (typeof kmsConfig)["options"])[]>> = {
  local: ["masterKey"],
  "aws-kms": ["kmsKeyId", "awsRegion"],
  "vault-transit": ["vaultAddress", "vaultTransitKey"],
};
