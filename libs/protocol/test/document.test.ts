import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { closeCodeNames, closeCodeOf, closeCodes, limits, ProtocolError, protocolErrorCodes } from "../src/mod.ts";

const document = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");

/** Rows of the first table under a heading, cells without their back quotes. */
function tableUnder(heading: string): string[][] {
  const start = document.indexOf(`\n${heading}\n`);
  expect(start, heading).toBeGreaterThan(0);
  const lines = document.slice(start + 1).split("\n");
  const first = lines.findIndex((line) => line.startsWith("|"));
  const rows: string[][] = [];
  for (const line of lines.slice(first)) {
    if (!line.startsWith("|")) break;
    rows.push(
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll("`", "")),
    );
  }
  return rows.slice(2);
}

describe("close codes", () => {
  it("stand in the document exactly as in the code, both ways", () => {
    const documented = tableUnder("## 12. Close codes").map(([code, name, retry, text]) => [code, name, retry, text]);
    const coded = Object.values(closeCodes).map(({ code, name, retry, text }) => [
      String(code),
      name,
      retry ? "yes" : "no",
      text,
    ]);
    expect(documented).toEqual(coded);
  });

  it("say by their range whether to come back", () => {
    for (const [name, entry] of Object.entries(closeCodes)) {
      expect(entry.name).toBe(name);
      if (entry.code >= 4000) expect(entry.retry).toBe(entry.code < 4500);
      expect(closeCodeOf(entry.code)).toBe(entry);
    }
    expect(new Set(Object.values(closeCodes).map(({ code }) => code)).size).toBe(closeCodeNames.length);
    expect(closeCodeOf(4999)).toBeUndefined();
  });

  it("cannot be changed at run time", () => {
    expect(Object.isFrozen(closeCodes)).toBe(true);
    expect(Object.isFrozen(closeCodes.denied)).toBe(true);
    expect(Object.isFrozen(limits)).toBe(true);
  });

  it("every protocol error has one", () => {
    for (const code of protocolErrorCodes) {
      expect(new ProtocolError(code, "x").closeCode).toBe(closeCodes[code].code);
    }
  });
});

describe("limits", () => {
  it("stand in the document exactly as in the code, both ways", () => {
    const documented = Object.fromEntries(tableUnder("## 11. Limits").map(([name, value]) => [name, Number(value)]));
    expect(documented).toEqual(limits);
  });
});
