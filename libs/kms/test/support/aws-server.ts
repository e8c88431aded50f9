import { createHash, createHmac, randomBytes } from "node:crypto";
import { type Asked, type Said, startHttpServer } from "./http-server.ts";
import { seal, unseal } from "./sealing.ts";

/** AWS KMS, as far as Encrypt and Decrypt go: its JSON protocol, its errors, and Signature Version 4 computed here once more. */
export async function startAwsServer() {
  const region = "eu-central-1";
  const credentials = {
    accessKeyId: "AKIATEST00000000",
    secretAccessKey: randomBytes(24).toString("hex"),
    sessionToken: null as string | null,
  };
  const arn = (name: string) => `arn:aws:kms:${region}:111122223333:key/${name}`;
  const keys = new Map<string, Buffer>([
    [arn("one"), randomBytes(32)],
    [arn("two"), randomBytes(32)],
  ]);
  const state = { instead: [] as Said[], denies: false };

  const server = await startHttpServer((asked) => {
    const instead = state.instead.shift();
    if (instead !== undefined) return instead;
    if (asked.method !== "POST" || asked.path !== "/" || asked.headers["content-type"] !== "application/x-amz-json-1.1")
      return error(400, "SerializationException");
    if (!isSigned(asked, { ...credentials, region })) return error(400, "InvalidSignatureException");
    if (state.denies) return error(400, "AccessDeniedException");
    const given = JSON.parse(asked.body) as Record<string, unknown>;
    const bound = JSON.stringify(Object.entries(given.EncryptionContext ?? {}).sort());
    const keyId = String(given.KeyId);
    const name = keyId.startsWith("alias/") ? arn(keyId.slice(6)) : keyId;
    const key = keys.get(name);
    if (key === undefined) return error(400, "NotFoundException");
    if (asked.headers["x-amz-target"] === "TrentService.Encrypt") {
      const blob = Buffer.concat([
        Buffer.from(`${name}\0`),
        seal(key, Buffer.from(String(given.Plaintext), "base64"), bound),
      ]);
      return json({ CiphertextBlob: blob.toString("base64"), KeyId: name, EncryptionAlgorithm: "SYMMETRIC_DEFAULT" });
    }
    if (asked.headers["x-amz-target"] !== "TrentService.Decrypt") return error(400, "UnknownOperationException");
    const blob = Buffer.from(String(given.CiphertextBlob), "base64");
    const end = blob.indexOf(0);
    const of = blob.subarray(0, Math.max(0, end)).toString();
    if (!keys.has(of)) return error(400, "InvalidCiphertextException");
    if (of !== name) return error(400, "IncorrectKeyException");
    const plaintext = unseal(key, blob.subarray(end + 1), bound);
    if (plaintext === null) return error(400, "InvalidCiphertextException");
    return json({ Plaintext: plaintext.toString("base64"), KeyId: name, EncryptionAlgorithm: "SYMMETRIC_DEFAULT" });
  });
  return { ...server, region, credentials, keys, arn, state, error };
}

function json(body: object): Said {
  return { status: 200, headers: { "content-type": "application/x-amz-json-1.1" }, body: JSON.stringify(body) };
}

/** As `com.amazonaws.kms#…` for some, as the name alone for others: both are seen. */
function error(status: number, name: string): Said {
  const type = name.startsWith("I") ? name : `com.amazonaws.kms#${name}`;
  const message = `User: arn:aws:iam::111122223333:user/secret-name is not authorized`;
  return {
    status,
    headers: { "content-type": "application/x-amz-json-1.1" },
    body: JSON.stringify({ __type: type, message }),
  };
}

/** AWS General Reference, "Create a signed AWS API request". */
export function isSigned(
  { method, path, headers, body }: Asked,
  {
    accessKeyId,
    secretAccessKey,
    sessionToken,
    region,
  }: { accessKeyId: string; secretAccessKey: string; sessionToken: string | null; region: string },
): boolean {
  const given =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/kms\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? "",
    );
  if (given === null) return false;
  const [, id = "", date = "", where = "", names = "", signature = ""] = given;
  const signed = names.split(";");
  const must = [
    "content-type",
    "host",
    "x-amz-date",
    "x-amz-target",
    ...(sessionToken === null ? [] : ["x-amz-security-token"]),
  ];
  const stamp = headers["x-amz-date"] ?? "";
  if (id !== accessKeyId || where !== region || !must.every((name) => signed.includes(name)) || !stamp.startsWith(date))
    return false;
  if (sessionToken !== null && headers["x-amz-security-token"] !== sessionToken) return false;
  const hash = (text: string) => createHash("sha256").update(text).digest("hex");
  const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();
  const lines = signed.map((name) => `${name}:${(headers[name] ?? "").trim()}\n`).join("");
  const canonical = [method, path, "", lines, names, hash(body)].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", stamp, `${date}/${region}/kms/aws4_request`, hash(canonical)].join("\n");
  const key = hmac(hmac(hmac(hmac(`AWS4${secretAccessKey}`, date), region), "kms"), "aws4_request");
  return hmac(key, toSign).toString("hex") === signature;
}
