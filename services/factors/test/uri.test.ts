import { describe, expect, it } from "vitest";
import { otpauthUri } from "../src/authenticators/uri.ts";

const secret = new TextEncoder().encode("12345678901234567890");

describe("the otpauth URI", () => {
  it("is what authenticator apps read (key URI format)", () => {
    expect(otpauthUri({ issuer: "ACME Co", account: "john.doe@email.com", secret })).toBe(
      "otpauth://totp/ACME%20Co:john.doe%40email.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=ACME%20Co",
    );
  });

  it("cannot be given another secret or issuer by a name", () => {
    const uri = new URL(otpauthUri({ issuer: "a&secret=EVIL", account: "b?secret=EVIL#/x:y", secret }));
    expect(uri.searchParams.getAll("secret")).toEqual(["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"]);
    expect(uri.searchParams.getAll("issuer")).toEqual(["a&secret=EVIL"]);
    expect(decodeURIComponent(uri.pathname)).toBe("/a&secret=EVIL:b?secret=EVIL#/x y");
  });

  it("keeps the colon for itself", () => {
    const uri = new URL(otpauthUri({ issuer: "a:b", account: "c:d\r\n", secret }));
    expect(decodeURIComponent(uri.pathname)).toBe("/a b:c d");
  });

  it("fits into 512 characters with the longest names there may be, and halves no character", () => {
    const uri = otpauthUri({ issuer: "🏰".repeat(32), account: "ü".repeat(128), secret });
    expect(uri.length).toBeLessThanOrEqual(512);
    expect(new URL(uri).searchParams.get("secret")).toBe("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    expect(decodeURIComponent(new URL(uri).pathname)).toMatch(/^\/🏰+:ü+$/u);
    expect(otpauthUri({ issuer: "\ud83c", account: "\udff0", secret })).toContain("secret=");
  });
});
