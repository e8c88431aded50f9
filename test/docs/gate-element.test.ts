import { describe, expect, test } from "vitest";
import { renderTexts } from "../../docs/generate-texts.ts";
import { markedPart } from "../../docs/marked-part.ts";
import { readGateSource } from "./gate-source.ts";
import { read, rows } from "./repository.ts";

const document = read("docs/gate-element.md");
const { parts, views, attributes } = readGateSource();

/** What stands in back quotes in one column of the table under a heading. */
const named = (heading: string, column = 0) =>
  rows(document, heading).flatMap((cells) => quotedIn(cells[column] ?? ""));
const quotedIn = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);

/** What an interface of the element declares. */
function declared(file: string, name: string, member: RegExp): string[] {
  const source = read(`libs/client/src/${file}`);
  const [, body = ""] = new RegExp(`export interface ${name} .*?\\{\n(.*?)\n\\}`, "s").exec(source) ?? [];
  return [...body.matchAll(member)].map(([, found = ""]) => found);
}

function expectSame(listed: Iterable<string>, there: Iterable<string>, atLeast: number): void {
  expect([...there].length).toBeGreaterThanOrEqual(atLeast);
  expect([...listed].toSorted()).toEqual([...there].toSorted());
}

describe("docs/gate-element.md", () => {
  test("has every attribute, and no other", () => {
    expectSame(named("## Attributes"), attributes, 2);
  });

  test("has every property and method, and no other", () => {
    expectSame(named("## Properties"), declared("gate/element.ts", "GateElement", /^ {2}(\w+)\?:/gm), 10);
    expectSame(named("### Methods"), declared("gate/element.ts", "GateElement", /^ {2}(\w+\(\)): void/gm), 2);
  });

  test("has every event with its detail, and no other", () => {
    expectSame(named("## Events"), declared("gate/events.ts", "GateEvents", /^ {2}readonly (\w+):/gm), 4);
    for (const [event = "", detail = ""] of rows(document, "## Events")) {
      const [name = ""] = quotedIn(event);
      const inCode = declared(
        "gate/events.ts",
        "GateEvents",
        new RegExp(`^ {2}readonly ${name}: \\{ readonly (\\w+):`, "gm"),
      );
      expect(quotedIn(detail), name).toEqual(inCode);
    }
  });

  test("has every state with what comes along, and no other", () => {
    const source = read("libs/client/src/gate/events.ts");
    const own = [...source.matchAll(/\| \{ readonly is: "([a-z-]+)"(.*?) \}/g)];
    const [, ofSessions = ""] =
      /export type SessionState =\n([\s\S]*?);\n/.exec(read("libs/client/src/options.ts")) ?? [];
    const others = [...ofSessions.matchAll(/is: "([a-z-]+)"/g)].map(([, name = ""]) => name);
    expect(others.length).toBeGreaterThan(4);
    expectSame(named("### States"), [...own.map(([, name = ""]) => name), ...others], 12);
    for (const [, name = "", besides = ""] of own) {
      const row = rows(document, "### States").find(([first = ""]) => quotedIn(first).includes(name)) ?? [];
      const fields = [...besides.matchAll(/readonly (\w+):/g)].map(([, field = ""]) => field);
      expect(quotedIn(row[1] ?? ""), name).toEqual(fields);
    }
  });

  test("has every view, and no other", () => {
    const [, asks = ""] = /readonly ask: (.+);/.exec(read("libs/client/src/prompts/ident.ts")) ?? [];
    const asked = quotedIn(asks.replaceAll('"', "`")).filter((ask) => ask !== "none");
    expect(asked.length).toBeGreaterThan(2);
    const there = [...views].flatMap((name) =>
      name.includes("…") ? asked.map((ask) => name.replace("…", ask)) : [name],
    );
    expectSame(named("## What it shows"), there, 10);
  });

  test("has every part, and no other", () => {
    expectSame([...named("## Parts"), ...named("## Parts", 1)], parts, 30);
  });

  test("has every custom property with what is taken unless it is set, and no other", () => {
    const found = new Map<string, readonly string[]>();
    for (const [, name = "", value = ""] of read("libs/client/src/gate/styles.ts").matchAll(
      /var\((--portcullis-[a-z-]+), (.+)\);/g,
    )) {
      const [, light, dark] = /^light-dark\((.+), (.+)\)$/.exec(value) ?? [];
      const before = found.get(name);
      // A browser without `light-dark()` shows the same as one with it does in the light.
      if (light !== undefined) expect(before, name).toEqual([light]);
      found.set(name, light === undefined || dark === undefined ? [value] : [light, dark]);
    }
    const listed = rows(document, "## Custom properties").map((cells) => cells.flatMap(quotedIn));
    const there = [...found].map(([name, values]) => [name, ...values]);
    expect(there.length).toBeGreaterThan(10);
    expect(listed).toEqual(there);
  });

  test("has every text as it is; npm run docs writes them", () => {
    expect(markedPart(document, "texts").part).toBe(renderTexts());
  });

  test("links to nothing outside: it is in the package too", () => {
    for (const [, link = ""] of document.matchAll(/\]\(([^)]+)\)/g)) expect(link).toMatch(/^(#|https:)/);
  });
});
