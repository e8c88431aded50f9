import { openEmbeddedDocuments } from "@portcullis/documents/embedded";
import { type Kms, KmsError } from "@portcullis/kms";
import { createLocalKms } from "@portcullis/kms/local";
import { createCloser, createHealth, createLogger, readConfig, StartupError, systemClock } from "@portcullis/runtime";
import { afterEach, describe, expect, it } from "vitest";
import { kmsConfig } from "../src/kms-config.ts";
import { openKms } from "../src/open-kms.ts";
import { openRing } from "../src/open-ring.ts";

const key = Buffer.alloc(32, 7).toString("base64url");
const aws = { KMS: "aws-kms", KMS_KEY_ID: "alias/p", AWS_REGION: "eu-central-1" };
const signed = { ...aws, AWS_ACCESS_KEY_ID: "AKIA1234", AWS_SECRET_ACCESS_KEY: "a-secret-of-aws" };
const vault = { KMS: "vault-transit", VAULT_ADDR: "https://vault.example:8200", VAULT_TRANSIT_KEY: "p" };
const open = (environment: Record<string, string>) => openKms(readConfig(kmsConfig, environment));

describe("the key service of the settings", () => {
  it.each([
    [{ MASTER_KEY: key }, "local MASTER_KEY"],
    [signed, "aws-kms alias/p at https://kms.eu-central-1.amazonaws.com"],
    [
      {
        ...aws,
        AWS_ROLE_ARN: "arn:aws:iam::1:role/p",
        AWS_WEB_IDENTITY_TOKEN_FILE: "/token",
        KMS_ENDPOINT: "https://kms.example",
      },
      "aws-kms alias/p at https://kms.example",
    ],
    [{ ...vault, VAULT_TOKEN_FILE: "/token" }, "vault-transit transit/p at https://vault.example:8200"],
    [
      { ...vault, VAULT_TOKEN: "t", VAULT_ADDR: "http://127.0.0.1:8200" },
      "vault-transit transit/p at http://127.0.0.1:8200",
    ],
  ])("%j is %s", (environment, described) => {
    expect(open(environment).describe()).toBe(described);
  });

  it.each([
    ["nothing", {}, "MASTER_KEY"],
    ["no key and no region", { KMS: "aws-kms" }, "KMS_KEY_ID, AWS_REGION"],
    ["nobody who may use the key", aws, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_ROLE_ARN"],
    ["no token", vault, "VAULT_TOKEN_FILE or VAULT_TOKEN"],
    [
      "Vault in the clear",
      { ...vault, VAULT_TOKEN: "t", VAULT_ADDR: "http://vault.example:8200" },
      "VAULT_ADDR: must begin with https://",
    ],
    [
      "a name that begins like this machine's",
      { ...vault, VAULT_TOKEN: "t", VAULT_ADDR: "http://127.0.0.1.example" },
      "VAULT_ADDR: must begin",
    ],
    ["AWS in the clear", { ...signed, KMS_ENDPOINT: "http://kms.example" }, "KMS_ENDPOINT: must begin with https://"],
    [
      "credentials in an address",
      { ...vault, VAULT_TOKEN: "t", VAULT_ADDR: "https://a:b@vault.example" },
      "VAULT_ADDR: must be an address alone",
    ],
  ])("is refused with the name of the setting, and no value of it: %s", (_, environment, line) => {
    const work = () => open(environment);
    expect(work).toThrow(StartupError);
    expect(work).toThrow(line);
    expect(work).not.toThrow(/a-secret-of-aws|vault\.example|a:b/);
  });
});

describe("a process that opens its ring", () => {
  const closer = createCloser(() => undefined);
  afterEach(() => closer.close());

  it("waits for a key service that is away or says no, is not ready meanwhile, and ends where waiting would not help", async () => {
    const documents = openEmbeddedDocuments({ file: ":memory:", clock: systemClock });
    const keys = { current: new Uint8Array(32).fill(1), previous: [] as Uint8Array[] };
    const local = createLocalKms(async () => keys, "MASTER_KEY");
    const answers: KmsError[] = [
      new KmsError("unavailable", "look at KMS_ENDPOINT"),
      new KmsError("denied", "look at the credentials"),
    ];
    const kms: Kms = {
      ...local,
      wrap: async (...given) => {
        const error = answers.shift();
        if (error !== undefined) throw error;
        return local.wrap(...given);
      },
    };
    const lines: string[] = [];
    const log = createLogger({ service: "keys", destination: { write: (line) => void lines.push(line) } });
    const health = createHealth({ cacheMs: 0 });
    const rest = {
      service: "keys",
      instance: "a",
      documents,
      leaseMs: 60_000,
      clock: systemClock,
      log,
      closer,
    } as const;
    const opening = openRing({ ...rest, kms, health, signal: AbortSignal.timeout(10_000) });
    expect((await health.report()).body).toEqual({ status: "unavailable", failing: ["data keys of keys"] });
    const ring = await opening;
    expect((await health.report()).body).toEqual({ status: "ok" });
    expect(lines.join("")).toMatch(
      /wrapped by local MASTER_KEY: look at KMS_ENDPOINT; next try.*: look at the credentials; next try/s,
    );
    await ring.close();
    expect((await health.report()).httpStatus).toBe(503);
    keys.current = new Uint8Array(32).fill(2);
    const again = openRing({ ...rest, kms, health: createHealth(), signal: AbortSignal.timeout(10_000) });
    await expect(again).rejects.toThrow(StartupError);
    await documents.close();
  });
});
