import { gateNames } from "@portcullis/policy";
import { describe, expect, test } from "vitest";
import { blocks, exists, firstColumn, read } from "./repository.ts";

const readme = read("README.md");

/** Who runs which command of the README. A command that nobody runs must not be there. */
const runBy = new Map([
  ["npm start", ".ci/readme"],
  ["npm test", ".ci/run"],
  ["npm run connect -- --code auto", ".ci/readme"],
  ["npm run example:browser", ".ci/readme"],
  ["npm run portcullis -- owner --help", ".ci/readme"],
  ["npm run sdk", ".ci/readme"],
  ["npm run demo", ".ci/readme"],
  ["npm run demo -- --chain seed", ".ci/readme"],
  ["npm run demo -- --chain open", ".ci/readme"],
  ["npm run demo -- --chain offer", ".ci/readme"],
  ["npm run demo -- --chain ticket", ".ci/readme"],
  ["npm run demo -- --chain espionage", ".ci/readme"],
  ["npm run start:distributed", ".ci/readme"],
  ["npm run demo -- --mode distributed", ".ci/readme"],
]);

/** `.ci/readme` takes this block out of the README and runs all of it. */
const isOwnersBlock = (block: string) => block.startsWith("URL=");

const commandsIn = (block: string) => block.split("\n").filter((line) => line.trim() !== "");

describe("the README's commands", () => {
  const shell = blocks(readme, "sh");
  const single = shell.filter((block) => !isOwnersBlock(block)).flatMap(commandsIn);

  test("are all run by somebody", () => {
    expect(shell.filter(isOwnersBlock)).toHaveLength(1);
    expect(single.toSorted()).toEqual([...runBy.keys()].toSorted());
  });

  test.each([...runBy].filter(([, file]) => file === ".ci/readme"))("%s is in %s", (command, file) => {
    const script = read(file);
    const starts = [`said "${command}"`, `alone [0-9]+ "${command}"`].map((start) => new RegExp(`^${start}$`, "m"));
    expect(starts.some((start) => start.test(script))).toBe(true);
  });

  test("npm test is what CI runs, after the others", () => {
    const ci = read(".ci/run");
    const script = JSON.parse(read("package.json")).scripts;
    expect(ci).toMatch(/^npm run --silent test:full\b/m);
    expect(script["test:full"]).toBe(`${script.test} --full`);
    expect(ci).toContain(".ci/readme");
  });

  test("exist as scripts", () => {
    const { scripts } = JSON.parse(read("package.json"));
    for (const [, name = ""] of readme.matchAll(/npm run ([a-z:]+)/g)) expect(scripts, name).toHaveProperty([name]);
  });
});

describe("the README's SDK", () => {
  test("is the example, which runs", () => {
    const file = "examples/node/quickstart.ts";
    expect(readme).toContain(`](${file})`);
    expect(exists(file)).toBe(true);
    const [shown = "", consumer = "", ...others] = blocks(readme, "ts");
    expect(others).toEqual([]);
    expect(read(file)).toContain(shown);
    expect(readme).toContain("](examples/node/consumer.ts)");
    expect(read("examples/node/consumer.ts")).toContain(consumer);
    expect(commandsIn(shown).length).toBeLessThanOrEqual(10);
  });
});

test("the README's gates are those that there are", () => {
  expect(firstColumn(readme, "## Gates").toSorted()).toEqual(gateNames.toSorted());
});

test("the README says what it is in three sentences", () => {
  const [, first = ""] = readme.split("\n\n");
  expect(first.replaceAll("\n", " ").match(/[.!?](?= |$)/g)).toHaveLength(3);
});
