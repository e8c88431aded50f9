import { base64url } from "@portcullis/protocol";
import { describe, expect, it } from "vitest";
import type { IdentityVectors } from "../../../test/vectors/build-identity.ts";
import { importIdentity, signAuditStatement, signReceipt, verifyAuditStatement, verifyReceipt } from "../src/mod.ts";
import { hex, readVectors } from "./support.ts";

const { identities, statements }: IdentityVectors = readVectors("identity.json");
const seed = hex(identities[0]?.seed ?? "");
const key = hex(identities[0]?.publicKey ?? "");
const other = hex(identities[1]?.publicKey ?? "");

describe("what a server says of a book", () => {
  const { sig, ...said } = statements.audit;
  const bytes = base64url.decode(sig);

  it("is signed as in the vectors", async () => {
    expect(base64url.encode(await signAuditStatement(await importIdentity(seed), said))).toBe(sig);
    expect(await verifyAuditStatement(key, said, bytes)).toBe(true);
  });

  it("does not hold for anything else, nor under another key", async () => {
    for (const change of [
      { socket: "socket-2" },
      { first: 4 },
      { last: 18 },
      { hash: "0".repeat(64) },
      { atMs: said.atMs + 1 },
      { first: -1 },
    ])
      expect(await verifyAuditStatement(key, { ...said, ...change }, bytes), JSON.stringify(change)).toBe(false);
    expect(await verifyAuditStatement(other, said, bytes)).toBe(false);
    expect(await verifyAuditStatement(key, said, base64url.decode(statements.receipt.sig))).toBe(false);
  });
});

describe("a receipt", () => {
  const { sig, ...said } = statements.receipt;
  const bytes = base64url.decode(sig);

  it("is signed as in the vectors", async () => {
    expect(base64url.encode(await signReceipt(await importIdentity(seed), said))).toBe(sig);
    expect(await verifyReceipt(key, said, bytes)).toBe(true);
  });

  it("does not hold for anything else, nor under another key", async () => {
    const F = base64url.decode(said.finish);
    for (const change of [
      { finish: base64url.encode(F.map((byte) => byte ^ 1)) },
      // What is before the first length could take what follows.
      { finish: base64url.encode(F.slice(0, 31)) },
      { finish: "!" },
      { sid: "sid-2" },
      { member: null },
      { member: "eve" },
      { atMs: said.atMs + 1 },
      { policyHash: said.finish },
    ])
      expect(await verifyReceipt(key, { ...said, ...change }, bytes), JSON.stringify(change)).toBe(false);
    expect(await verifyReceipt(other, said, bytes)).toBe(false);
  });

  it("for nobody by name is not one for a member, whatever they are called", async () => {
    const identity = await importIdentity(seed);
    const nobody = await signReceipt(identity, { ...said, member: null });
    expect(await verifyReceipt(key, { ...said, member: null }, nobody)).toBe(true);
    expect(await verifyReceipt(key, { ...said, member: "null" }, nobody)).toBe(false);
  });
});
