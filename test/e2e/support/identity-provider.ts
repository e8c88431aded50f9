import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** An identity provider on this machine: its keys are at the usual address below it, and it signs with ES256. */
export interface IdentityProvider {
  readonly issuer: string;
  /** Good for a minute from `nowMs`, for the audience `chat`. */
  tokenOf(sub: string, nowMs: number): string;
  close(): Promise<void>;
}

export async function startIdentityProvider(): Promise<IdentityProvider> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwks = JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k1" }] });
  const server = createServer((request, response) => {
    response.writeHead(request.url === "/.well-known/jwks.json" ? 200 : 404).end(jwks);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    tokenOf(sub, nowMs) {
      const iat = Math.floor(nowMs / 1_000);
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
      const claims = { iss: issuer, aud: "chat", sub, jti: randomUUID(), iat, exp: iat + 60 };
      const signed = `${part({ alg: "ES256", kid: "k1" })}.${part(claims)}`;
      const mac = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
      return `${signed}.${mac.toString("base64url")}`;
    },
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}
