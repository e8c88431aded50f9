import { describe, expect, it } from "vitest";
import { createDecoy, createVault, fixedKeys, VaultError, VaultShutError } from "../src/mod.ts";

const masterKey = new Uint8Array(32).fill(1);
const otherKey = new Uint8Array(32).fill(2);
const secret = Buffer.from("a secret at rest");
const vault = createVault(fixedKeys(masterKey, "keys"));

describe("vault", () => {
  it("opens what it wrapped, in the same place only", () => {
    const wrapped = vault.wrap(secret, "members/1/secret");
    expect(Buffer.from(vault.unwrap(wrapped, "members/1/secret"))).toEqual(secret);
    expect(() => vault.unwrap(wrapped, "members/2/secret")).toThrow(VaultError);
    expect(() => vault.unwrap(wrapped, "members/1/secret ")).toThrow(VaultError);
  });

  it("wraps an empty secret and refuses one above 1 MiB", () => {
    expect(vault.unwrap(vault.wrap(new Uint8Array(0), "c"), "c")).toHaveLength(0);
    expect(() => vault.wrap(new Uint8Array(1024 * 1024 + 1), "c")).toThrow(RangeError);
  });

  it("says the same for every altered byte, every cut and garbage", () => {
    const wrapped = vault.wrap(secret, "c");
    expect(wrapped).toHaveLength(secret.length + 53);
    const broken: Uint8Array[] = [new Uint8Array(0), new Uint8Array(200), Uint8Array.of(...wrapped, 0)];
    for (let at = 0; at < wrapped.length; at += 1) {
      const altered = wrapped.slice();
      altered[at] = (altered[at] ?? 0) ^ 1;
      broken.push(altered, wrapped.slice(0, at));
    }
    const said = new Set<string>();
    for (const blob of broken) {
      try {
        vault.unwrap(blob, "c");
        said.add(`opened ${blob.length}`);
      } catch (error) {
        said.add(
          error instanceof VaultError
            ? `${error.message} ${Object.keys(error).join()} ${String(error.cause)}`
            : String(error),
        );
      }
    }
    expect([...said]).toEqual(["the stored secret cannot be opened name,code undefined"]);
  });

  it("never repeats salt or ciphertext, and holds no plaintext", () => {
    const wrapped = Array.from({ length: 50 }, () => Buffer.from(vault.wrap(secret, "c")));
    expect(new Set(wrapped.map((blob) => blob.subarray(5, 37).toString("hex"))).size).toBe(50);
    expect(new Set(wrapped.map((blob) => blob.subarray(37).toString("hex"))).size).toBe(50);
    expect(wrapped.some((blob) => blob.includes("secret"))).toBe(false);
  });

  it("keeps the documented format, as an independent reader of it finds", async () => {
    const fixed = createVault(fixedKeys(masterKey, "keys"), (size) => new Uint8Array(size).fill(9));
    const wrapped = Buffer.from(fixed.wrap(secret, "c"));
    const hkdf = async (ikm: Uint8Array<ArrayBuffer>, salt: Uint8Array<ArrayBuffer>, info: string, length: number) =>
      new Uint8Array(
        await crypto.subtle.deriveBits(
          { name: "HKDF", hash: "SHA-256", salt, info: new TextEncoder().encode(info) },
          await crypto.subtle.importKey("raw", ikm, "HKDF", false, ["deriveBits"]),
          length * 8,
        ),
      );
    const none = new Uint8Array(0);
    const salt = new Uint8Array(32).fill(9);
    const header = Buffer.concat([Uint8Array.of(1), await hkdf(masterKey, none, "id", 4), salt]);
    const root = await hkdf(masterKey, none, "portcullis/vault/1 root\0keys", 32);
    const both = await hkdf(root, salt, "portcullis/vault/1 wrap", 44);
    const key = await crypto.subtle.importKey("raw", both.slice(0, 32), "AES-GCM", false, ["decrypt"]);
    const additionalData = new Uint8Array([...header, ..."c".split("").map((letter) => letter.charCodeAt(0))]);
    const opened = await crypto.subtle.decrypt(
      { name: "AES-GCM", iv: both.slice(32), additionalData },
      key,
      wrapped.subarray(37),
    );
    expect(wrapped.subarray(0, 37)).toEqual(header);
    expect(Buffer.from(opened)).toEqual(secret);
    expect(fixed.subkey("paths")).toEqual(await hkdf(root, none, "portcullis/vault/1 subkey\0paths", 32));
  });

  it("opens with a previous key after rotation and tells which blobs are old", () => {
    const old = vault.wrap(secret, "c");
    const rotated = createVault(fixedKeys(otherKey, "keys", [masterKey]));
    expect(Buffer.from(rotated.unwrap(old, "c"))).toEqual(secret);
    expect(rotated.isCurrent(old)).toBe(false);
    expect(rotated.isCurrent(rotated.wrap(secret, "c"))).toBe(true);
    expect(() => vault.unwrap(rotated.wrap(secret, "c"), "c")).toThrow(VaultError);
    expect(() => createVault(fixedKeys(otherKey, "keys")).unwrap(old, "c")).toThrow(VaultError);
  });

  it("separates purposes, labels and uses; subkeys are the same on every replica", () => {
    const other = createVault(fixedKeys(masterKey, "factors"));
    expect(() => other.unwrap(vault.wrap(secret, "c"), "c")).toThrow(VaultError);
    const again = createVault(fixedKeys(masterKey, "keys"));
    expect(again.subkey("a")).toEqual(vault.subkey("a"));
    const all = [
      vault.subkey("a"),
      vault.subkey("b"),
      other.subkey("a"),
      createVault(fixedKeys(otherKey, "keys")).subkey("a"),
    ];
    expect(new Set(all.map((bytes) => Buffer.from(bytes).toString("hex"))).size).toBe(4);
    expect(all.every((bytes) => bytes.length === 32)).toBe(true);
  });

  it("keeps its subkeys while data keys come and go: what was found by an HMAC stays found", () => {
    const [before, after] = [fixedKeys(masterKey, "keys")(), fixedKeys(otherKey, "keys")()];
    let keys = before;
    const rotating = createVault(() => keys);
    const tag = rotating.subkey("paths");
    keys = { ...after, others: [before.current], index: before.index };
    expect(rotating.subkey("paths")).toEqual(tag);
  });

  it("says that it is shut, and nothing about what is stored, while there are no keys", () => {
    const shut = createVault(() => {
      throw new VaultShutError();
    });
    const wrapped = vault.wrap(secret, "c");
    for (const work of [() => shut.wrap(secret, "c"), () => shut.unwrap(wrapped, "c"), () => shut.subkey("a")])
      expect(work).toThrow(VaultShutError);
  });

  it("has a decoy that opens under whatever key is current: refusing it would take less time", () => {
    const [before, after] = [fixedKeys(masterKey, "keys")(), fixedKeys(otherKey, "keys")()];
    let keys = before;
    const rotating = createVault(() => keys);
    const decoy = createDecoy(rotating, () => new Uint8Array(20), "nobody");
    expect(decoy()).toBe(decoy());
    keys = after;
    expect(rotating.unwrap(decoy(), "nobody")).toHaveLength(20);
  });

  it("refuses keys, purposes and contexts that are not ones", () => {
    expect(() => fixedKeys(new Uint8Array(31), "keys")).toThrow(TypeError);
    expect(() => fixedKeys(masterKey, "")).toThrow(TypeError);
    expect(() => vault.wrap(secret, "")).toThrow(TypeError);
    expect(() => vault.wrap(secret, "\ud800")).toThrow(TypeError);
    expect(() => createVault(fixedKeys(masterKey, "keys"), () => new Uint8Array(3)).wrap(secret, "c")).toThrow(
      RangeError,
    );
  });
});
