import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { createAwsKms, fixedCredentials, webIdentity } from "../src/aws/mod.ts";
import { createLocalKms, type MasterKeys } from "../src/local/mod.ts";
import { choose, type Kms, KmsError } from "../src/mod.ts";
import { createVaultTransit, tokenIn } from "../src/vault-transit/mod.ts";
import { startAwsServer } from "./support/aws-server.ts";
import { conforms, dataKey, place } from "./support/conformance.ts";
import { startHttpServer } from "./support/http-server.ts";
import { startVaultServer } from "./support/vault-server.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function aws() {
  const server = await startAwsServer();
  closing.push(server.close);
  let keyId = "alias/one";
  const make = () =>
    createAwsKms({
      keyId,
      previousKeyId: keyId === "alias/one" ? null : "alias/one",
      region: server.region,
      endpoint: server.url,
      credentials: fixedCredentials(server.credentials),
      pauseMs: 1,
    });
  // A deployment that is told of another key is started anew.
  const kms: Kms = {
    kind: "aws-kms",
    wrap: (...given) => make().wrap(...given),
    unwrap: (...given) => make().unwrap(...given),
    describe: () => make().describe(),
  };
  return {
    server,
    kms,
    replaceKey() {
      keyId = "alias/two";
    },
  };
}

async function vault() {
  const server = await startVaultServer();
  closing.push(server.close);
  const kms = createVaultTransit({
    address: server.url,
    mount: "transit",
    key: "portcullis",
    namespace: null,
    token: async () => server.state.token,
    pauseMs: 1,
  });
  return { server, kms, replaceKey: server.rotate };
}

async function local() {
  const keys: { current: Uint8Array; previous: Uint8Array[] } = { current: randomBytes(32), previous: [] };
  return {
    kms: createLocalKms(async (): Promise<MasterKeys> => keys, "MASTER_KEY"),
    replaceKey() {
      keys.previous.push(keys.current);
      keys.current = randomBytes(32);
    },
  };
}

describe("local", () => conforms(local));
describe("aws-kms", () => conforms(aws));
describe("vault-transit", () => conforms(vault));

const errorOf = async (work: Promise<unknown>): Promise<KmsError> => {
  const error = await work.then(
    () => null,
    (cause: unknown) => cause,
  );
  if (!(error instanceof KmsError)) throw new Error(`no KmsError: ${String(error)}`);
  return error;
};

describe("AWS KMS", () => {
  it("is asked in its own protocol, with a signature that covers target, type, time and host, and with the context", async () => {
    const { server, kms } = await aws();
    server.credentials.sessionToken = "a-session-token";
    const { wrapped, by } = await kms.wrap(dataKey, place);
    await kms.unwrap(wrapped, place);
    expect(by).toBe(`aws-kms ${server.arn("one")}`);
    const [encrypt, decrypt] = server.seen.map(({ headers, body }) => ({
      target: headers["x-amz-target"],
      ...JSON.parse(body),
    }));
    const EncryptionContext = { "portcullis:service": "keys", "portcullis:key": "0a1b2c3d" };
    expect(encrypt).toMatchObject({ target: "TrentService.Encrypt", KeyId: "alias/one", EncryptionContext });
    expect(decrypt).toMatchObject({ target: "TrentService.Decrypt", KeyId: "alias/one", EncryptionContext });
  });

  it("opens nothing under a key that was not named, although we may use it", async () => {
    const { server, kms } = await aws();
    const theirs = createAwsKms({
      keyId: "alias/two",
      previousKeyId: null,
      region: server.region,
      endpoint: server.url,
      credentials: fixedCredentials(server.credentials),
      pauseMs: 1,
    });
    const { wrapped } = await theirs.wrap(dataKey, place);
    expect((await errorOf(kms.unwrap(wrapped, place))).code).toBe("unopened");
  });

  it.each([
    ["AccessDeniedException", 400, "denied", 1],
    ["UnrecognizedClientException", 400, "denied", 1],
    ["ExpiredTokenException", 400, "denied", 1],
    ["InvalidSignatureException", 400, "denied", 1],
    ["NotFoundException", 400, "refused", 1],
    ["DisabledException", 400, "refused", 1],
    ["KMSInvalidStateException", 400, "refused", 1],
    ["InvalidCiphertextException", 400, "unopened", 1],
    ["IncorrectKeyException", 400, "unopened", 1],
    ["ThrottlingException", 400, "unavailable", 4],
    ["KMSInternalException", 500, "unavailable", 4],
    ["DependencyTimeoutException", 503, "unavailable", 4],
    ["Anything", 302, "unavailable", 4],
  ] as const)("says %s (%i) to mean %s, and is asked %i times", async (name, status, code, times) => {
    const { server, kms } = await aws();
    server.state.instead = Array.from({ length: 9 }, () => server.error(status, name));
    const error = await errorOf(kms.wrap(dataKey, place));
    expect(error.code).toBe(code);
    expect(server.seen).toHaveLength(times);
    expect(error.message).toMatch(/KMS_KEY_ID|KMS_ENDPOINT/);
    for (const secret of [
      server.credentials.secretAccessKey,
      "secret-name",
      "111122223333",
      Buffer.from(dataKey).toString("base64"),
    ])
      expect(`${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain(secret);
  });

  it("is asked again behind a throttling, signed anew", async () => {
    const { server, kms } = await aws();
    server.state.instead = [server.error(400, "ThrottlingException"), server.error(500, "KMSInternalException")];
    await kms.wrap(dataKey, place);
    expect(server.seen).toHaveLength(3);
  });

  it("gives a session for the token of a file, and another one before it ends", async () => {
    const folder = await mkdtemp(join(tmpdir(), "portcullis-kms-"));
    closing.push(() => rm(folder, { recursive: true }));
    const tokenFile = join(folder, "token");
    await writeFile(tokenFile, "first.token\n");
    let now = Date.UTC(2026, 0, 1);
    const sts = await startHttpServer(({ body }) => {
      const token = new URLSearchParams(body).get("WebIdentityToken");
      if (token === "bad")
        return { status: 400, body: "<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error></ErrorResponse>" };
      const until = new Date(now + 3_600_000).toISOString();
      const fields = `<SessionToken>session-of-${token}</SessionToken><SecretAccessKey>c2VjcmV0/+=</SecretAccessKey><Expiration>${until}</Expiration><AccessKeyId>ASIA1234</AccessKeyId>`;
      return {
        status: 200,
        body: `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>${fields}</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
      };
    });
    closing.push(sts.close);
    const get = webIdentity({ roleArn: "arn:aws:iam::1:role/x", tokenFile, endpoint: sts.url, clock: () => now });
    const first = { accessKeyId: "ASIA1234", secretAccessKey: "c2VjcmV0/+=", sessionToken: "session-of-first.token" };
    expect([await get(), await get()]).toEqual([first, first]);
    expect(Object.fromEntries(new URLSearchParams(sts.seen[0]?.body))).toMatchObject({
      Action: "AssumeRoleWithWebIdentity",
      RoleArn: "arn:aws:iam::1:role/x",
    });
    expect(sts.seen).toHaveLength(1);
    await writeFile(tokenFile, "second.token");
    now += 3_600_000 - 300_000;
    expect((await get()).sessionToken).toBe("session-of-second.token");
    await writeFile(tokenFile, "bad");
    now += 3_600_000;
    const error = await errorOf(get());
    expect([error.code, error.message]).toEqual(["denied", expect.stringContaining("AWS_ROLE_ARN")]);
    await rm(tokenFile);
    expect((await errorOf(get())).message).toBe("AWS_WEB_IDENTITY_TOKEN_FILE cannot be read");
  });
});

describe("Vault's transit engine", () => {
  it("wraps under the newest version of its key, and opens none that its owner has retired", async () => {
    const { server, kms } = await vault();
    const before = await kms.wrap(dataKey, place);
    server.rotate();
    const after = await kms.wrap(dataKey, place);
    expect([before.by, after.by]).toEqual([
      "vault-transit transit/portcullis v1",
      "vault-transit transit/portcullis v2",
    ]);
    server.state.minDecryption = 2;
    expect((await errorOf(kms.unwrap(before.wrapped, place))).code).toBe("unopened");
    expect(await kms.unwrap(after.wrapped, place)).toEqual(dataKey);
  });

  it("is asked with namespace and the token that is in the file at that moment", async () => {
    const { server } = await vault();
    const folder = await mkdtemp(join(tmpdir(), "portcullis-kms-"));
    closing.push(() => rm(folder, { recursive: true }));
    const file = join(folder, "token");
    const kms = createVaultTransit({
      address: `${server.url}/`,
      mount: "transit",
      key: "portcullis",
      namespace: "team/a",
      token: tokenIn(file),
    });
    expect((await errorOf(kms.wrap(dataKey, place))).message).toBe("VAULT_TOKEN_FILE cannot be read");
    await writeFile(file, "two words\n");
    expect((await errorOf(kms.wrap(dataKey, place))).message).toBe("VAULT_TOKEN_FILE holds no token");
    server.state.namespace = "team/a";
    await writeFile(file, `${server.state.token}\n`);
    expect(await kms.unwrap((await kms.wrap(dataKey, place)).wrapped, place)).toEqual(dataKey);
    server.state.token = "hvs.another";
    const error = await errorOf(kms.wrap(dataKey, place));
    expect([error.code, error.message]).toEqual(["denied", expect.stringContaining("VAULT_TOKEN_FILE")]);
  });

  it.each([
    ["denied", 403, "1 error occurred: permission denied", 1],
    ["refused", 404, "no handler for route", 1],
    ["refused", 400, "encryption key not found", 1],
    ["unavailable", 503, "Vault is sealed", 4],
    ["unavailable", 500, "internal error", 4],
    ["unavailable", 429, "request rate limit exceeded", 4],
    ["unavailable", 307, "", 4],
  ] as const)(
    "that answers %s (%i %s) is asked %i times, and no token is in the error",
    async (code, status, text, times) => {
      const { server, kms } = await vault();
      const headers = { location: "http://127.0.0.1:1/" };
      server.state.instead = Array.from({ length: 9 }, () => ({
        status,
        headers,
        body: JSON.stringify({ errors: [text] }),
      }));
      const error = await errorOf(kms.unwrap("vault-transit:vault:v1:AAAA", place));
      expect(error.code).toBe(code);
      expect(server.seen).toHaveLength(times);
      expect(`${error.message} ${error.stack}`).not.toContain(server.state.token);
    },
  );

  it("is not there: the error comes in bounded time, and says which setting names it", async () => {
    const kms = createVaultTransit({
      address: "http://127.0.0.1:1",
      mount: "transit",
      key: "k",
      namespace: null,
      token: async () => "t",
      pauseMs: 1,
    });
    const error = await errorOf(kms.wrap(dataKey, place));
    expect([error.code, error.message]).toEqual(["unavailable", expect.stringContaining("VAULT_ADDR")]);
  });

  it.runIf(process.env.PORTCULLIS_FULL === "1")("stands still: the error comes within the promised time", async () => {
    const { server, kms } = await vault();
    server.state.instead = Array.from({ length: 9 }, () => ({ status: 200, body: "", silent: true }));
    const startedMs = performance.now();
    expect((await errorOf(kms.wrap(dataKey, place))).code).toBe("unavailable");
    expect(performance.now() - startedMs).toBeLessThan(15_500);
  });

  it.each([
    ["an answer that is none", "<html>"],
    ["one without a ciphertext", "{}"],
    ["one that is too long", "x".repeat(70_000)],
  ])("is not taken for one by %s", async (_, body) => {
    const { server, kms } = await vault();
    server.state.instead = Array.from({ length: 9 }, () => ({ status: 200, body }));
    expect((await errorOf(kms.wrap(dataKey, place))).code).toBe("unavailable");
  });
});

describe("a deployment that moves to another key service", () => {
  it("opens under the one before, wraps under the new one, and says which is missing", async () => {
    const [{ kms: before }, { kms: after }] = [await local(), await vault()];
    const { wrapped } = await before.wrap(dataKey, place);
    const both = choose(after, [before]);
    expect(await both.unwrap(wrapped, place)).toEqual(dataKey);
    const moved = await both.wrap(dataKey, place);
    expect(moved.wrapped.startsWith("vault-transit:")).toBe(true);
    expect((await errorOf(choose(before, []).unwrap(moved.wrapped, place))).code).toBe("refused");
  });
});
