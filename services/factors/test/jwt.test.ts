import { createHmac, generateKeyPairSync, type KeyObject } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { verifyFactors } from "@portcullis/contracts";
import { CompactSign } from "jose";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Factors, freshHid, startFactors } from "./harness.ts";

const issuer = "https://login.example.com";
const audience = "portcullis";

interface Signer {
  readonly kid: string;
  readonly alg: "ES256" | "RS256";
  readonly privateKey: KeyObject;
  readonly jwk: object;
}
function signer(kid: string, alg: Signer["alg"] = "ES256"): Signer {
  const pair =
    alg === "ES256"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: 2048 });
  return {
    kid,
    alg,
    privateKey: pair.privateKey,
    jwk: { ...pair.publicKey.export({ format: "jwk" }), kid, alg, use: "sig" },
  };
}

/** The provider's end: a real HTTP server with keys that change. */
class Provider {
  keys: unknown[] = [];
  status = 200;
  body: string | null = null;
  requests = 0;
  readonly #server: Server;
  constructor() {
    this.#server = createServer((_request, response) => {
      this.requests += 1;
      response.writeHead(this.status, { "content-type": "application/json", location: "http://127.0.0.1:9/" });
      response.end(this.body ?? JSON.stringify({ keys: this.keys }));
    });
  }
  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/jwks.json`;
  }
  stop(): Promise<unknown> {
    return new Promise((resolve) => this.#server.close(resolve));
  }
}

let provider: Provider;
let factors: Factors;
let one: Signer;
beforeEach(async () => {
  provider = new Provider();
  await provider.start();
  one = signer("one");
  provider.keys = [one.jwk];
  factors = await startFactors({ config: { outboundAllow: [{ to: "127.0.0.1", http: true }] } });
});
afterEach(async () => {
  await factors.stop();
  await provider.stop();
});

const now = () => Math.floor(factors.now() / 1_000);
const claims = (change: object = {}) => ({
  iss: issuer,
  aud: audience,
  sub: "bob",
  iat: now(),
  exp: now() + 300,
  ...change,
});
function token(change: object = {}, by: Signer = one, header: object = {}): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify(claims(change))))
    .setProtectedHeader({ alg: by.alg, kid: by.kid, ...header })
    .sign(by.privateKey);
}
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

interface Where {
  readonly hid?: string;
  readonly ref?: string;
  readonly socketId?: string;
  readonly member?: string | null;
  readonly config?: object;
}
async function verify(value: string, { hid = freshHid(), ref = "r1", config = {}, ...where }: Where = {}) {
  const whole = {
    issuer,
    audience,
    jwks: provider.url,
    algorithms: ["RS256", "ES256", "EdDSA"],
    member: "sub",
    maxAgeMs: 600_000,
    once: true,
    ...config,
  };
  const { results } = await factors.identity.call(verifyFactors, {
    hid,
    socketId: "s1",
    memberId: "m1",
    member: "bob",
    transcript: new Uint8Array(32),
    network: "n1",
    cid: null,
    ...where,
    items: [{ ref, gate: "jwt", config: whole, value, waitId: null }],
  });
  return results[0]?.ok === true ? "ok" : results[0]?.cause;
}

describe("the gate jwt", () => {
  it("is passed by the provider's token for this audience and member, with either kind of key", async () => {
    const rsa = signer("two", "RS256");
    provider.keys.push(rsa.jwk);
    expect(await verify(await token())).toBe("ok");
    expect(await verify(await token({}, rsa))).toBe("ok");
    expect(await verify(await token({ sub: "x", email: "bob" }), { config: { member: "email" } })).toBe("ok");
    expect(provider.requests).toBeLessThanOrEqual(2);
  });

  it("takes a token once, of fifty handshakes on two replicas at once, and again from the same step alone", async () => {
    const value = await token();
    const results = await Promise.all(Array.from({ length: 50 }, () => verify(value)));
    expect(results.filter((result) => result === "ok")).toHaveLength(1);
    expect(new Set(results)).toEqual(new Set(["ok", "used"]));
    const [again, hid] = [await token({ jti: "j1" }), freshHid()];
    expect(await verify(again, { hid })).toBe("ok");
    expect(await verify(again, { hid })).toBe("ok");
    expect(await verify(again, { hid, ref: "r2" })).toBe("used");
    expect(await verify(again)).toBe("used");
    expect(await verify(await token({ jti: "j1", iat: now() - 1 }))).toBe("used");
    factors.advance(4 * 60_000);
    expect(await verify(again)).toBe("used");
  });

  it("is not used up by somebody who claims its issuer's name and signs by keys of their own", async () => {
    const other = new Provider();
    await other.start();
    try {
      const theirs = signer("theirs");
      other.keys = [theirs.jwk];
      const forged = await token({ jti: "counted-1" }, theirs);
      expect(await verify(forged, { socketId: "s2", config: { jwks: other.url } })).toBe("ok");
      expect(await verify(await token({ jti: "counted-1" }))).toBe("ok");
      expect(await verify(await token({ jti: "counted-1" }), { socketId: "s3" })).toBe("used");
    } finally {
      await other.stop();
    }
  });

  it("is kept from nobody by another socket that asks for the same keys, with ids that are made up or too often", async () => {
    expect(await verify(await token())).toBe("ok");
    factors.advance(29_000);
    expect(await verify(await token({}, one, { kid: "made-up" }), { socketId: "s2" })).toBe("key");
    factors.advance(2_000);
    const two = signer("two");
    provider.keys = [two.jwk];
    expect(await verify(await token({}, two, { kid: "made-up" }), { socketId: "s2" })).toBe("key");
    expect(await verify(await token({}, two))).toBe("ok");
  });

  it("takes no second writing of a signature that was used", async () => {
    const value = await token();
    const [head = "", body = "", mac = ""] = value.split(".");
    // ECDSA: with (r, s) also (r, n - s) is a signature of the same.
    const n = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    const bytes = Buffer.from(mac, "base64url");
    const s = n - BigInt(`0x${bytes.subarray(32).toString("hex")}`);
    const other = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, "0"), "hex")]);
    expect(await verify(value)).toBe("ok");
    expect(await verify(`${head}.${body}.${other.toString("base64url")}`)).toBe("used");
  });

  it("takes a token until it is too old, where the policy lets it be used again", async () => {
    const config = { once: false, maxAgeMs: 60_000 };
    const value = await token();
    expect(await verify(value, { config })).toBe("ok");
    expect(await verify(value, { config })).toBe("ok");
    factors.advance(91_000);
    expect(await verify(value, { config })).toBe("expired");
  });

  it.each<[string, object, string]>([
    ["another audience", { aud: "elsewhere" }, "claims"],
    ["another issuer", { iss: "https://evil.example" }, "claims"],
    ["what has expired", { exp: -31 }, "expired"],
    ["what holds later", { nbf: 60 }, "claims"],
    ["what was issued in the future", { iat: 60 }, "claims"],
    ["what was issued long ago", { iat: -631 }, "expired"],
    ["no end", { exp: undefined }, "claims"],
    ["no beginning", { iat: undefined }, "claims"],
    ["another member", { sub: "eve" }, "member"],
    ["a member that is no text", { sub: { bob: 1 } }, "member"],
  ])("is not passed by %s", async (_what, change, cause) => {
    const times = Object.entries(change).map(([name, value]) => [
      name,
      typeof value === "number" ? now() + value : value,
    ]);
    expect(await verify(await token(Object.fromEntries(times)))).toBe(cause);
  });

  it("is not passed by a token of the member's for nobody, or under another name", async () => {
    expect(await verify(await token(), { member: null })).toBe("nobody");
    expect(await verify(await token(), { member: "eve" })).toBe("member");
  });

  it("takes neither `none` nor a MAC under the public key, nor an algorithm that the policy does not name", async () => {
    const body = encoded(claims());
    expect(await verify(`${encoded({ alg: "none" })}.${body}.AA`)).toBe("algorithm");
    expect(await verify(`${encoded({ alg: "none" })}.${body}.`)).toBe("malformed");
    const head = encoded({ alg: "HS256", kid: "one" });
    const mac = createHmac("sha256", JSON.stringify(one.jwk)).update(`${head}.${body}`).digest("base64url");
    expect(await verify(`${head}.${body}.${mac}`)).toBe("algorithm");
    // Even where a policy was written around its schema.
    expect(await verify(`${head}.${body}.${mac}`, { config: { algorithms: ["HS256"] } })).toBe("wrong");
    const rsa = signer("two", "RS256");
    provider.keys.push(rsa.jwk);
    expect(await verify(await token({}, rsa), { config: { algorithms: ["ES256"] } })).toBe("algorithm");
  });

  it("asks nowhere where a token says that its key lies, and takes no key that it brings along", async () => {
    const evil = signer("one");
    for (const header of [{ jku: provider.url }, { x5u: provider.url }, { jwk: evil.jwk }, { kid: "../../one" }])
      expect(["wrong", "key"]).toContain(await verify(await token({}, evil, header)));
    expect(await verify(await token({}, one, { crit: ["x"], x: 1 }).catch(() => "a.b.c"))).toBe("malformed");
    expect(provider.requests).toBeLessThanOrEqual(2);
  });

  it("takes no token that was changed, is too large, or is none", async () => {
    const [head = "", , mac = ""] = (await token()).split(".");
    expect(await verify(`${head}.${encoded(claims({ admin: true }))}.${mac}`)).toBe("wrong");
    for (const value of ["", "a.b", "a.b.c.d", "a b.c.d", `${"a".repeat(2049)}.b.c`, `${"a".repeat(4090)}.b.c`])
      expect(await verify(value)).toBe("malformed");
    expect(await verify(await token(), { config: { more: 1 } })).toBe("config");
  });

  it("finds keys that the provider has rotated in, and forgets those that it has taken out", async () => {
    expect(await verify(await token())).toBe("ok");
    const two = signer("two");
    provider.keys = [two.jwk];
    // Asked anew for an unknown key, but not for each: made-up ids are no way to have a provider flooded.
    factors.advance(31_000);
    expect(await verify(await token({}, two))).toBe("ok");
    const before = provider.requests;
    for (let index = 0; index < 20; index += 1) await verify(await token({}, signer(`made-up-${index}`)));
    expect(provider.requests - before).toBeLessThanOrEqual(2);
    factors.advance(6 * 60_000);
    expect(await verify(await token())).toBe("key");
    expect(await verify(await token({}, two))).toBe("ok");
  });

  it("lets nobody in where the keys cannot be had, and says that it is not the token", async () => {
    const value = await token();
    const unavailable = { code: "unavailable" };
    provider.status = 500;
    await expect(verify(value)).rejects.toMatchObject(unavailable);
    factors.advance(6_000);
    provider.status = 302;
    await expect(verify(value)).rejects.toMatchObject(unavailable);
    factors.advance(6_000);
    provider.status = 200;
    provider.body = `{"keys":[${" ".repeat(70_000)}]}`;
    await expect(verify(value)).rejects.toMatchObject(unavailable);
    factors.advance(6_000);
    provider.body = null;
    expect(await verify(value)).toBe("ok");
    // Both replicas have seen them by then.
    for (let index = 0; index < 20; index += 1) expect(await verify(await token({ jti: `${index}` }))).toBe("ok");
    // Known keys are good for five minutes, and not a moment longer for a provider that has gone away.
    provider.status = 503;
    factors.advance(60_000);
    expect(await verify(await token({ jti: "known" }))).toBe("ok");
    factors.advance(5 * 60_000);
    await expect(verify(await token({ jti: "late" }))).rejects.toMatchObject(unavailable);
    expect(factors.logged.join("")).not.toContain("127.0.0.1");
  });

  it("asks no address inside, whatever an owner names", async () => {
    const value = await token();
    for (const jwks of [
      "http://169.254.169.254/latest/meta-data",
      "http://localhost/",
      "https://10.0.0.1/",
      "file:///etc/passwd",
    ])
      await expect(verify(value, { config: { jwks } })).rejects.toMatchObject({ code: "unavailable" });
    expect(provider.requests).toBe(0);
  });

  it("takes no key of another kind from a provider, and no secret", async () => {
    const secret = Buffer.alloc(32, 1);
    provider.keys = [{ kty: "oct", k: secret.toString("base64url"), kid: "one", alg: "HS256" }, { kty: "EC" }, 7, null];
    expect(await verify(await token())).toBe("key");
  });
});
