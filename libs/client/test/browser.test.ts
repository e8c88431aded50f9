import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { PortcullisError, portcullisErrorCodes, prompts } from "../src/mod.ts";

const folder = new URL("../src/", import.meta.url);
const sources = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => ({ name, text: readFileSync(new URL(name, folder), "utf8") }));

describe("a browser can run it", () => {
  it("imports nothing but the browser-safe libraries and itself", () => {
    expect(sources.length).toBeGreaterThan(15);
    const imported = sources.flatMap(({ text }) =>
      [...text.matchAll(/(?:from|import\()\s*"([^"]+)"/g)].map(([, name]) => name),
    );
    expect(imported.length).toBeGreaterThan(30);
    for (const name of imported)
      expect(name).toMatch(
        /^(?:\.\.?\/[a-z/-]+\.ts|@portcullis\/(?:crypto(?:\/words)?|protocol)|altcha-lib(?:\/algorithms\/web\/pbkdf2)?)$/,
      );
  });

  it("uses no global of Node", () => {
    for (const { name, text } of sources)
      expect(text, name).not.toMatch(/\b(?:Buffer|process|require|setImmediate|__dirname)\b/);
  });
});

describe("the public surface", () => {
  it("has one text for each error code, and no detail in it", () => {
    for (const code of portcullisErrorCodes) expect(new PortcullisError(code).message).toMatch(/^[A-Z][^{}$]+\.$/);
  });

  it("says what a person is asked for", () => {
    const { pattern, normalise } = prompts.otp;
    expect(new RegExp(`^${pattern}$`).test(normalise(" 123 456 "))).toBe(true);
  });
});
