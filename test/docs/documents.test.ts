import { describe, expect, test } from "vitest";
import { ownerCommands } from "../../cli/owner/commands/all.ts";
import { renderSettings } from "../../docs/generate-settings.ts";
import { markedPart } from "../../docs/marked-part.ts";
import { documents, exists, firstColumn, linksToFiles, read, rows, sources } from "./repository.ts";

describe("every document", () => {
  test.each(documents())("%s: what it links to is there", (path) => {
    for (const { target, fragment } of linksToFiles(path)) {
      expect(exists(target), target).toBe(true);
      if (fragment === "") continue;
      const headings = [...read(target).matchAll(/^#+ (.+)$/gm)].map(([, text = ""]) =>
        text
          .toLowerCase()
          .replaceAll(/[^a-z0-9 _-]/g, "")
          .replaceAll(" ", "-"),
      );
      expect(headings, target).toContain(fragment);
    }
  });

  test.each(documents())("%s: the files of this repository that it names are there", (path) => {
    // An example of a file to be written is called `word.ts`.
    const named = read(path).matchAll(
      /`(?<file>(?:libs|services|deploy|test|docs|examples)\/[\w./-]+\.(?:ts|mjs|json|md|svg))`/g,
    );
    for (const { groups } of named) {
      const file = groups?.file ?? "";
      if (!file.endsWith("/word.ts")) expect(exists(file), file).toBe(true);
    }
  });
});

describe("the owner's commands", () => {
  /** `portcullis owner socket policy SOCKET`, by the words that are typed as they are. */
  const named = (path: string) => {
    const found = read(path).matchAll(/portcullis owner (?<words>[a-z]+(?: [a-z]+(?:-[a-z]+)*)?)/g);
    return [...found].map(({ groups }) => groups?.words ?? "");
  };
  const known = ["sign-up", "sign-in", "sign-out", ...ownerCommands.map(({ usage }) => usage.replace(/ [A-Z].*/, ""))];

  test("that documents name are there", () => {
    const all = documents().flatMap(named);
    expect(all.length).toBeGreaterThan(5);
    expect(all.filter((words) => !known.includes(words))).toEqual([]);
  });

  test("for webhooks are all in docs/webhooks.md", () => {
    const listed = named("docs/webhooks.md");
    expect(listed.toSorted()).toEqual(known.filter((words) => words.startsWith("webhook ")).toSorted());
  });
});

describe("settings", () => {
  test.each(Object.entries(renderSettings()))(
    "in %s are those that --help prints; npm run docs writes them",
    (path, text) => {
      expect(markedPart(read(path), "settings").part).toBe(text);
    },
  );
});

describe("docs/operations.md", () => {
  test("lists every metric that is recorded, and no other", () => {
    const recorded = new Set<string>();
    for (const [, text] of sources()) {
      for (const [, name = ""] of text.matchAll(/\.create(?:UpDown)?(?:Counter|Histogram|Gauge)\(\s*"([^"]+)"/g))
        recorded.add(name);
    }
    expect(recorded.size).toBeGreaterThan(5);
    expect(firstColumn(read("docs/operations.md"), "## Telemetry").toSorted()).toEqual([...recorded].toSorted());
  });

  test("lists every service", () => {
    const listed = firstColumn(read("docs/operations.md"), "## Two forms");
    expect(listed.toSorted()).toEqual(["api", "edge", "factors", "identity", "keys", "notify"]);
  });
});

describe("docs/threat-model.md", () => {
  const model = read("docs/threat-model.md");

  test("names tests that are there, more than a few", () => {
    const tests = new Set([...model.matchAll(/`([\w./-]+\.test\.ts)`/g)].map(([, file = ""]) => file));
    expect(tests.size).toBeGreaterThan(15);
    for (const file of tests) expect(exists(file), file).toBe(true);
  });

  test("says of everything that takes part what it could do if somebody else ran it, and names tests that show it", () => {
    const title = "## A component that is taken over";
    const components = rows(model, title).map(([component = "", ...rest]) => ({ component, shown: rest.at(-1) ?? "" }));
    const services = ["api", "edge", "factors", "identity", "keys", "notify"];
    const listed = components.map(({ component }) => component.replaceAll("`", ""));
    expect(listed.filter((name) => services.includes(name)).toSorted()).toEqual(services);
    expect(listed).toEqual(
      expect.arrayContaining(["bus", "Redis, written to", "MongoDB, written to", "member", "consumer"]),
    );
    for (const { component, shown } of components) expect(shown, component).toMatch(/`[\w./-]+\.test\.ts`/);
  });
});
