import { createHash, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { type Answer, exchange, jsonIn } from "../exchange.ts";
import { type Kms, type KmsContext, KmsError, type KmsFailure, keyBytes } from "../port.ts";

export interface VaultTransitOptions {
  /** `https://vault.example:8200` */
  readonly address: string;
  /** Where the secrets engine is mounted: `transit`. */
  readonly mount: string;
  readonly key: string;
  /** Null: none, or that of the token. */
  readonly namespace: string | null;
  /** Asked for each request: whoever renews it writes another one. @throws {KmsError} */
  readonly token: () => Promise<string>;
  /** For tests: before the second try; the next are longer. Default 100. */
  readonly pauseMs?: number;
}

const kind = "vault-transit";
const prefix = `${kind}:`;
const encrypted = z.object({
  data: z.object({ ciphertext: z.string().regex(/^vault:v\d{1,9}:[A-Za-z0-9+/]{1,2048}={0,2}$/) }),
});
const decrypted = z.object({ data: z.object({ plaintext: z.string().regex(/^[A-Za-z0-9+/]{1,2048}={0,2}$/) }) });

/**
 * Transit of HashiCorp Vault, or of OpenBao. What is encrypted is the data key and SHA-256 of its context: `associated_data` would do that too, but not with every type of key,
 * and a server that does not know it passes over it in silence.
 *
 * @see https://developer.hashicorp.com/vault/api-docs/secret/transit
 */
export function createVaultTransit({
  address,
  mount,
  key: keyName,
  namespace,
  token,
  pauseMs,
}: VaultTransitOptions): Kms {
  async function call(action: "encrypt" | "decrypt", body: object): Promise<unknown> {
    const { text } = await exchange({
      request: async () =>
        new Request(`${address.replace(/\/+$/, "")}/v1/${mount}/${action}/${keyName}`, {
          method: "POST",
          headers: {
            "content-type": "application/json",
            "x-vault-request": "true",
            "x-vault-token": await token(),
            ...(namespace === null ? {} : { "x-vault-namespace": namespace }),
          },
          body: JSON.stringify(body),
        }),
      failureOf: (answer) => failureOf(action, answer),
      advice,
      ...(pauseMs === undefined ? {} : { pauseMs }),
    });
    return jsonIn(text);
  }

  return {
    kind,
    async wrap(key, context) {
      if (key.length !== keyBytes) throw new TypeError(`a data key has ${keyBytes} bytes`);
      const plaintext = Buffer.concat([key, digestOf(context)]);
      const { ciphertext } = parsed(encrypted, await call("encrypt", { plaintext: plaintext.toString("base64") })).data;
      plaintext.fill(0);
      return { wrapped: prefix + ciphertext, by: `vault-transit ${mount}/${keyName} ${ciphertext.split(":")[1]}` };
    },
    async unwrap(wrapped, context) {
      if (!wrapped.startsWith(prefix)) throw new KmsError("unopened", advice.unopened);
      const said = await call("decrypt", { ciphertext: wrapped.slice(prefix.length) });
      const plaintext = Buffer.from(parsed(decrypted, said).data.plaintext, "base64");
      const digest = digestOf(context);
      const isOurs =
        plaintext.length === keyBytes + digest.length && timingSafeEqual(plaintext.subarray(keyBytes), digest);
      const key = new Uint8Array(plaintext.subarray(0, keyBytes));
      plaintext.fill(0);
      if (isOurs) return key;
      key.fill(0);
      throw new KmsError("unopened", advice.unopened);
    },
    describe: () => `vault-transit ${mount}/${keyName} at ${address}`,
  };
}

/** @param file written by Vault Agent, for example. */
export function tokenIn(file: string): () => Promise<string> {
  return async () => {
    const text = await readFile(file, "utf8").catch(() => {
      throw new KmsError("denied", "VAULT_TOKEN_FILE cannot be read");
    });
    const token = text.trim();
    if (!/^[\x21-\x7e]{1,4096}$/.test(token)) throw new KmsError("denied", "VAULT_TOKEN_FILE holds no token");
    return token;
  };
}

/** Neither part holds a NUL. */
function digestOf({ service, key }: KmsContext): Buffer {
  return createHash("sha256").update(`portcullis/kms ${service}\0${key}`).digest();
}

function parsed<T>(schema: z.ZodType<T>, said: unknown): T {
  const { data } = schema.safeParse(said);
  if (data === undefined) throw new KmsError("unavailable", "what answers at VAULT_ADDR is no Vault");
  return data;
}

const advice: Readonly<Record<KmsFailure, string>> = {
  denied: "Vault denies it: look at the token (VAULT_TOKEN_FILE or VAULT_TOKEN), its policies, and VAULT_NAMESPACE",
  unavailable: "Vault does not answer, or is sealed: is VAULT_ADDR right, and is it the active node?",
  refused: "Vault cannot use the key: look at VAULT_TRANSIT_KEY and VAULT_TRANSIT_MOUNT",
  unopened:
    "a key of the ring does not open under VAULT_TRANSIT_KEY: it was wrapped by another key or by a version that is not allowed any more, moved, or damaged",
};

/** @see https://developer.hashicorp.com/vault/api-docs#http-status-codes */
function failureOf(action: "encrypt" | "decrypt", { status, text }: Answer): KmsFailure {
  if (status === 401 || status === 403) return "denied";
  if (status === 404 || status === 405) return "refused";
  // 412: a replica that is behind; 429, 472, 473: a standby, or too many requests; 501, 503: not initialised, sealed.
  if (status !== 400) return "unavailable";
  return action === "decrypt" && !text.includes("encryption key not found") ? "unopened" : "refused";
}
