import { choose, type Kms, type KmsKind, kmsKinds } from "@portcullis/kms";
import { createLocalKms } from "@portcullis/kms/local";
import { type ConfigOf, choice, defineConfig, duration, StartupError, secretKey, textType } from "@portcullis/runtime";

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
      "How long data keys stay in memory while the key service, or the store that they are in, does not answer.",
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
});
export type KmsConfig = ConfigOf<(typeof kmsConfig)["options"]>;

/** What a service cannot do without that keeps secrets. */
export const requiredByKms: Readonly<Record<KmsKind, readonly (keyof (typeof kmsConfig)["options"])[]>> = {
  local: ["masterKey"],
  "aws-kms": [],
  "vault-transit": [],
};

/** @throws {StartupError} a setting is missing */
export function openKms(config: KmsConfig): Kms {
  const made = kmsKinds.flatMap((kind) => makers[kind](config) ?? []);
  const wraps = made.find(({ kind }) => kind === config.kms);
  if (wraps === undefined) {
    const missing = requiredByKms[config.kms].map((name) => kmsConfig.options[name].env).join(", ");
    throw new StartupError(`${missing}: not all are set, and KMS=${config.kms} needs them`);
  }
  return choose(
    wraps,
    made.filter((kms) => kms !== wraps),
  );
}

/** Each of those whose settings are there: they open what they wrapped, even where another one wraps. */
const makers: Readonly<Record<KmsKind, (config: KmsConfig) => Kms | null>> = {
  local({ masterKey, previousMasterKeys }) {
    if (masterKey === null) return null;
    return createLocalKms(async () => ({ current: masterKey, previous: previousMasterKeys ?? [] }), "MASTER_KEY");
  },
  "aws-kms": () => null,
  "vault-transit": () => null,
};
