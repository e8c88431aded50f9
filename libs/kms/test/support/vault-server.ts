import { randomBytes } from "node:crypto";
import { type Said, startHttpServer } from "./http-server.ts";
import { seal, unseal } from "./sealing.ts";

/** Transit of Vault, as far as encrypt and decrypt go: `vault:v1:` ciphertexts, key versions, and the bodies of its errors. */
export async function startVaultServer() {
  const state = {
    token: `hvs.${randomBytes(12).toString("hex")}`,
    namespace: null as string | null,
    sealed: false,
    minDecryption: 1,
    instead: [] as Said[],
  };
  const versions: Buffer[] = [randomBytes(32)];

  const server = await startHttpServer(({ method, path, headers, body }) => {
    const instead = state.instead.shift();
    if (instead !== undefined) return instead;
    if (state.sealed) return errors(503, "Vault is sealed");
    if (headers["x-vault-request"] !== "true") return errors(412, "missing header");
    if (headers["x-vault-token"] !== state.token || (headers["x-vault-namespace"] ?? null) !== state.namespace)
      return errors(403, "1 error occurred:\n\t* permission denied\n\n");
    const [, mount, action, key] = /^\/v1\/([^/]+)\/(encrypt|decrypt)\/([^/]+)$/.exec(path) ?? [];
    if (method !== "POST" || mount !== "transit") return errors(404, `no handler for route "${path}"`);
    if (key !== "portcullis") return errors(400, "encryption key not found");
    const given = JSON.parse(body) as { plaintext?: string; ciphertext?: string };
    if (action === "encrypt") {
      const version = versions.length;
      const sealed = seal(versions[version - 1] ?? Buffer.alloc(32), Buffer.from(given.plaintext ?? "", "base64"), "");
      return data({ ciphertext: `vault:v${version}:${sealed.toString("base64")}`, key_version: version });
    }
    const [, version = "0", text = ""] = /^vault:v(\d+):(.+)$/.exec(given.ciphertext ?? "") ?? [];
    const of = versions[Number(version) - 1];
    if (of === undefined) return errors(400, "invalid ciphertext: no prefix");
    if (Number(version) < state.minDecryption)
      return errors(400, "ciphertext or signature version is disallowed by policy (too old)");
    const plaintext = unseal(of, Buffer.from(text, "base64"), "");
    if (plaintext === null) return errors(400, "cipher: message authentication failed");
    return data({ plaintext: plaintext.toString("base64") });
  });
  return { ...server, state, rotate: () => void versions.push(randomBytes(32)) };
}

function data(body: object): Said {
  return {
    status: 200,
    body: JSON.stringify({
      request_id: "x",
      lease_id: "",
      renewable: false,
      lease_duration: 0,
      data: body,
      warnings: null,
    }),
  };
}

function errors(status: number, text: string): Said {
  return { status, body: JSON.stringify({ errors: [text] }) };
}
