import { choose, type Kms, type KmsKind, kmsKinds } from "@portcullis/kms";
import { createAwsKms, fixedCredentials, type GetCredentials, webIdentity } from "@portcullis/kms/aws";
import { createLocalKms } from "@portcullis/kms/local";
import { createVaultTransit, tokenIn } from "@portcullis/kms/vault-transit";
import { StartupError, systemClock } from "@portcullis/runtime";
import { type KmsConfig, kmsConfig, requiredByKms } from "./kms-config.ts";

/**
 * The key service of `KMS`. Others whose settings are there as well open what they wrapped.
 *
 * @throws {StartupError} a setting is missing, or data keys would go over a network in the clear
 */
export function openKms(config: KmsConfig): Kms {
  const missing = requiredByKms[config.kms].filter((name) => config[name] === null);
  if (missing.length > 0) {
    const names = missing.map((name) => kmsConfig.options[name].env).join(", ");
    throw new StartupError(`${names}: needed where KMS is ${config.kms}, and not set`);
  }
  const wraps = makers[config.kms](config);
  const others = kmsKinds.filter(
    (kind) => kind !== config.kms && requiredByKms[kind].every((name) => config[name] !== null),
  );
  return choose(
    wraps,
    others.map((kind) => makers[kind](config)),
  );
}

const makers: Readonly<Record<KmsKind, (config: KmsConfig) => Kms>> = {
  local({ masterKey, previousMasterKeys }) {
    const current = present(masterKey);
    return createLocalKms(async () => ({ current, previous: previousMasterKeys ?? [] }), "MASTER_KEY");
  },
  "aws-kms"(config) {
    const region = present(config.awsRegion);
    return createAwsKms({
      keyId: present(config.kmsKeyId),
      previousKeyId: config.kmsKeyIdPrevious,
      region,
      endpoint: safe("KMS_ENDPOINT", config.kmsEndpoint ?? `https://kms.${region}.amazonaws.com`),
      credentials: awsCredentials(config, region),
    });
  },
  "vault-transit"({ vaultAddress, vaultTransitMount, vaultTransitKey, vaultNamespace, vaultTokenFile, vaultToken }) {
    if (vaultTokenFile === null && vaultToken === null)
      throw new StartupError("VAULT_TOKEN_FILE or VAULT_TOKEN: needed for VAULT_ADDR, and neither is set");
    return createVaultTransit({
      address: safe("VAULT_ADDR", present(vaultAddress)),
      mount: vaultTransitMount,
      key: present(vaultTransitKey),
      namespace: vaultNamespace,
      token: vaultTokenFile === null ? async () => present(vaultToken) : tokenIn(vaultTokenFile),
    });
  },
};

function awsCredentials(config: KmsConfig, region: string): GetCredentials {
  const { awsAccessKeyId, awsSecretAccessKey, awsSessionToken, awsRoleArn, awsWebIdentityTokenFile } = config;
  if (awsAccessKeyId !== null && awsSecretAccessKey !== null)
    return fixedCredentials({
      accessKeyId: awsAccessKeyId,
      secretAccessKey: awsSecretAccessKey,
      sessionToken: awsSessionToken,
    });
  if (awsRoleArn === null || awsWebIdentityTokenFile === null)
    throw new StartupError(
      "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE: needed for KMS_KEY_ID, and not set",
    );
  const endpoint = safe("AWS_ENDPOINT_URL_STS", config.stsEndpoint ?? `https://sts.${region}.amazonaws.com`);
  return webIdentity({ roleArn: awsRoleArn, tokenFile: awsWebIdentityTokenFile, endpoint, clock: systemClock });
}

const loopback = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Data keys and tokens go there. @throws {StartupError} */
function safe(name: string, address: string): string {
  const { protocol, hostname, username, password, search, hash } = new URL(address);
  if (username !== "" || password !== "" || search !== "" || hash !== "")
    throw new StartupError(`${name}: must be an address alone, without credentials, query or fragment`);
  if (protocol !== "https:" && !loopback.has(hostname))
    throw new StartupError(`${name}: must begin with https://, unless it is on this machine: keys go over it`);
  return address;
}

/** Of a setting that was looked at before. */
function present<T>(value: T | null): T {
  if (value === null) throw new TypeError("a setting that was there is missing");
  return value;
}
