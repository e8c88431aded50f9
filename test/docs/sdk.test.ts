import { portcullisErrorCodes } from "@portcullis/client";
import { describe, expect, test } from "vitest";
import { readOptions } from "../../libs/client/src/options.ts";
import { firstColumn, read } from "./repository.ts";

const document = read("docs/sdk.md");
const source = read("libs/client/src/options.ts");

const optionNames = () => {
  const [, text = ""] = /export interface ConnectOptions \{\n([\s\S]*?)\n\}/.exec(source) ?? [];
  return [...text.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, name = ""]) => name);
};

describe("docs/sdk.md", () => {
  test("has every option, and no other", () => {
    expect(optionNames().length).toBeGreaterThan(20);
    expect(firstColumn(document, "## Options").toSorted()).toEqual(optionNames().toSorted());
  });

  test("gives the defaults that are taken", () => {
    const settings: Readonly<Record<string, unknown>> = { ...readOptions("ws://localhost/label/path", {}) };
    const rows = [...document.matchAll(/^\| `(\w+)` \| `?([^|`]+)`? \|/gm)];
    const compared = rows.filter(([, name = ""]) => ["number", "boolean"].includes(typeof settings[name]));
    expect(compared.length).toBeGreaterThan(6);
    for (const [, name = "", byDefault] of compared) expect(byDefault?.trim(), name).toBe(String(settings[name]));
  });

  test("says of every error what to do, and of no other", () => {
    expect(firstColumn(document, "## Errors").toSorted()).toEqual([...portcullisErrorCodes].toSorted());
  });

  test("has every state that is told, and no other", () => {
    const [, text = ""] = /export type SessionState =\n([\s\S]*?);\n/.exec(source) ?? [];
    const states = [...text.matchAll(/is: "([a-z-]+)"/g)].map(([, name = ""]) => name);
    expect(states.length).toBeGreaterThan(4);
    expect(firstColumn(document, "## States").toSorted()).toEqual(states.toSorted());
  });

  test("links to nothing outside: it is the README of the package too", () => {
    // The package has that one beside it.
    for (const [, link = ""] of document.matchAll(/\]\(([^)]+)\)/g))
      expect(link).toMatch(/^(#|https:|gate-element\.md$)/);
  });
});
