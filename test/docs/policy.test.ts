import { readFileSync } from "node:fs";
import {
  adviceCodes,
  issueCodes,
  parsePolicy,
  policyDocumentSchema,
  scriptSchema,
  stepsMax,
  validatePolicy,
} from "@portcullis/policy";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { highFrom, raisedFrom, riskWindowMs } from "../../services/identity/src/handshake/risk.ts";
import { blocks, firstColumn, read } from "./repository.ts";

const page = read("docs/policy.md");

describe("docs/policy.md", () => {
  const schema = z.toJSONSchema(policyDocumentSchema, { io: "input" });

  test("lists every field of a policy, and no other", () => {
    expect(firstColumn(page, "## Fields").toSorted()).toEqual(Object.keys(schema.properties ?? {}).toSorted());
  });

  test("lists every gate with all of its fields", () => {
    const fields = fieldsByGate(schema.properties?.gates);
    expect(firstColumn(page, "## Gates").toSorted()).toEqual([...fields.keys()].toSorted());
    for (const row of page.match(/^\| `\w+` \|.*$/gm) ?? []) {
      const [, gate = "", text = ""] = row.split("|").map((cell) => cell.trim().replace(/^`(\w+)`$/, "$1"));
      for (const field of fields.get(gate) ?? []) expect(text, gate).toContain(`\`${field}\``);
    }
  });

  test("lists every piece of advice, and no other", () => {
    expect(firstColumn(page, "## Advice")).toEqual([...adviceCodes]);
  });

  test("lists every code of an issue, and no other", () => {
    expect(firstColumn(page, "## Issues")).toEqual([...issueCodes]);
  });

  test("lists every condition and every kind of item", () => {
    expect(firstColumn(page, "### when")).toEqual(["member", "network", "time", "risk"]);
    for (const item of ["anyOf", "allOf", "distinct", "when"]) expect(page).toContain(`\`${item}\``);
  });

  test("has a whole policy in which every field is set", () => {
    const [, whole = "{}"] = blocks(page, "json");
    expect(Object.keys(JSON.parse(whole)).toSorted()).toEqual(Object.keys(schema.properties ?? {}).toSorted());
  });

  test("counts risk as the code does", () => {
    expect(page).toContain(
      `${raisedFrom} failures are \`raised\`, ${highFrom} \`high\`, ${riskWindowMs / 60_000} minutes after the first`,
    );
    expect(page).toContain(`at most ${stepsMax} steps`);
  });
});

describe.each(["README.md", "docs/policy.md"])("%s: every example", (path) => {
  const examples = blocks(read(path), "json").map((text): unknown => JSON.parse(text));

  test("is a policy or a script that is taken", () => {
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      if (Array.isArray(example)) expect(scriptSchema.safeParse(example).error).toBe(undefined);
      else expect(parsePolicy(example)).toMatchObject({ ok: true });
    }
  });

  test("of a policy is not a bad one", () => {
    for (const example of examples.filter((one) => !Array.isArray(one)))
      expect(validatePolicy(example).advice.filter(({ severity }) => severity === "danger")).toEqual([]);
  });
});

/** By the name of a gate: what an item has beside it, in whichever of its kinds. What groups hold is the same once more. */
function fieldsByGate(schema: unknown, found = new Map<string, Set<string>>()): Map<string, Set<string>> {
  if (typeof schema !== "object" || schema === null) return found;
  const item = z
    .object({ properties: z.looseObject({ gate: z.object({ const: z.string() }) }) })
    .safeParse(schema).data;
  if (item !== undefined) {
    const { gate, ...fields } = item.properties;
    found.set(gate.const, new Set([...(found.get(gate.const) ?? []), ...Object.keys(fields)]));
  }
  if (!("properties" in schema)) for (const part of Object.values(schema)) fieldsByGate(part, found);
  return found;
}

test("every code of advice comes from a rule", () => {
  const rules = ["opening", "messages", "gates", "devices", "conditions", "terms", "penalties"]
    .map((name) => readFileSync(new URL(`../../libs/policy/src/advice/${name}.ts`, import.meta.url), "utf8"))
    .join("");
  for (const code of adviceCodes) expect(rules, code).toContain(`"${code}"`);
});
