import { join } from "node:path";
import { gateNames } from "@portcullis/policy";
import { expect, test } from "vitest";
import { gateFolders, gatesIn, renderRegistries } from "../../libs/policy/generate-gates.ts";
import { all } from "../../libs/policy/src/gates/all.ts";
import type { Gate } from "../../libs/policy/src/gates/gate.ts";
import { gates as judged } from "../../services/factors/src/gates/registry.ts";
import { read, root } from "../docs/repository.ts";

/** What the opening decides; nobody judges an answer to it or is asked for one. */
const decidedByTheOpening = ["key", "path", "ticket"];

test.each(Object.entries(renderRegistries(root)))("%s is what `npm run gates` writes", (path, text) => {
  expect(read(path), `${path} is not current: npm run gates`).toBe(text);
});

test("every gate that asks is a file in each of the three folders, and no file is another gate", () => {
  const [policy, factors, client] = gateFolders.map(({ path }) => gatesIn(join(root, path)));
  expect(policy).toEqual(gateNames.toSorted());
  const asking = gateNames.toSorted().filter((name) => !decidedByTheOpening.includes(name));
  expect(factors).toEqual(asking);
  expect(client).toEqual(asking);
});

test("a gate has the name of its file wherever it says one", () => {
  expect([...judged.keys()].toSorted()).toEqual(gatesIn(join(root, "services/factors/src/gates")));
  for (const [name, gate] of Object.entries<Gate>(all)) {
    const { error } = gate.stored.safeParse({ gate: name });
    expect(error?.issues.filter(({ path }) => path[0] === "gate") ?? [], name).toEqual([]);
  }
});
