import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { type Findings, inspect } from "./inspect.ts";
import { rules } from "./rules.ts";

type Tree = Record<string, string>;

const minimum = { modules: 1, workspaceEdges: 1 };
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function manifest(name: string, parts: { dependencies?: object; devDependencies?: object } = {}): string {
  const exports = { ".": "./src/mod.ts", "./embedded": "./src/embedded/mod.ts" };
  return JSON.stringify({ name, version: "0.1.0", type: "module", exports, ...parts });
}

const drivers = { mongodb: "1", ioredis: "1", bullmq: "1", "@nats-io/nats-core": "1", zod: "1", pino: "1" };

/** A small repository in which every import is allowed. */
const allowed: Tree = {
  "package.json": JSON.stringify({
    name: "root",
    workspaces: ["libs/*", "services/*"],
    devDependencies: { vitest: "1" },
  }),
  "libs/protocol/package.json": manifest("@portcullis/protocol", { dependencies: { zod: "1", pino: "1" } }),
  "libs/protocol/src/mod.ts":
    'import { z } from "zod";\n// Unlike process.env and Buffer.from, this is in every browser.\nexport const a = z;\n',
  "libs/protocol/test/a.test.ts":
    'import { Buffer } from "node:buffer";\nimport { test } from "vitest";\nexport const b = [test, Buffer];\n',
  "libs/contracts/package.json": manifest("@portcullis/contracts"),
  "libs/contracts/src/mod.ts": "export const a = 1;\n",
  "libs/sqlite/package.json": manifest("@portcullis/sqlite"),
  "libs/sqlite/src/mod.ts": 'export { DatabaseSync } from "node:sqlite";\n',
  "libs/state/package.json": manifest("@portcullis/state", {
    dependencies: { ...drivers, "@portcullis/sqlite": "0.1.0", "@portcullis/contracts": "0.1.0" },
  }),
  "libs/state/src/mod.ts": 'export { a } from "@portcullis/contracts";\n',
  "libs/state/src/redis/mod.ts": 'import { Redis } from "ioredis";\nexport const a = Redis;\n',
  "libs/state/src/embedded/mod.ts": 'export { DatabaseSync } from "@portcullis/sqlite";\n',
  "services/edge/package.json": manifest("@portcullis/edge", {
    dependencies: {
      ...drivers,
      "@portcullis/protocol": "0.1.0",
      "@portcullis/state": "0.1.0",
      "@portcullis/keys": "0.1.0",
    },
    devDependencies: { smtp: "1" },
  }),
  "services/edge/src/mod.ts": 'import { a } from "@portcullis/protocol";\nexport const b = a;\n',
  "services/edge/src/config.ts": "export const port = process.env.PORT;\n",
  "services/edge/src/main.ts": 'export { DatabaseSync } from "@portcullis/state/embedded";\n',
  "services/edge/test/a.test.ts":
    'import { smtp } from "smtp";\nimport { Redis } from "ioredis";\nexport const a = [smtp, Redis];\n',
  "services/keys/package.json": manifest("@portcullis/keys"),
  "services/keys/src/mod.ts": "export const a = 1;\n",
  "deploy/start.ts":
    'import { a } from "@portcullis/edge";\nimport { b } from "../test/engines/engines.ts";\nexport const c = [a, b];\n',
  "test/engines/engines.ts": "export const b = process.env.HOME;\n",
};

/** Builds the allowed repository with `changes` in it, node_modules included, and inspects it. */
async function inspectWith(changes: Tree, least = minimum): Promise<Findings> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "portcullis-architecture-")));
  folders.push(root);
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  };
  for (const [file, text] of Object.entries({ ...allowed, ...changes })) write(file, text);
  for (const name of [...Object.keys(drivers), "vitest", "smtp"]) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: "1.0.0", main: "index.js" }));
    write(`node_modules/${name}/index.js`, "");
  }
  mkdirSync(join(root, "node_modules/@portcullis"), { recursive: true });
  for (const file of Object.keys({ ...allowed, ...changes })) {
    const [folder, name] = /^(?:libs|services)\/([^/]+)(?=\/package\.json$)/.exec(file) ?? [];
    if (folder) symlinkSync(join(root, folder), join(root, `node_modules/@portcullis/${name}`), "junction");
  }
  return await inspect(root, least);
}

/** For each rule, the least that breaks it. */
const violations: Record<string, Tree> = {
  "services-stay-apart": { "services/edge/src/b.ts": 'import { a } from "@portcullis/keys";\nexport const b = a;\n' },
  "libs-stand-below": { "libs/state/src/b.ts": 'export { a } from "../../../services/keys/src/mod.ts";\n' },
  "services-stand-below-deploy": {
    "services/keys/src/b.ts": 'import type { c } from "../../../deploy/start.ts";\nexport type B = typeof c;\n',
  },
  "production-needs-no-tests": { "services/edge/src/b.ts": 'export { a } from "../test/a.test.ts";\n' },
  "deploy-needs-engines-only": {
    "test/e2e/a.ts": "export const a = 1;\n",
    "deploy/b.ts": 'export { a } from "../test/e2e/a.ts";\n',
  },
  "no-circle": {
    "libs/state/src/b.ts": 'import type { C } from "./c.ts";\nexport type B = C;\n',
    "libs/state/src/c.ts": 'import type { B } from "./b.ts";\nexport type C = B;\n',
  },
  "driver-mongodb": {
    "libs/state/src/b.ts": 'import type { MongoClient } from "mongodb";\nexport type B = MongoClient;\n',
  },
  "driver-ioredis": { "libs/state/src/embedded/b.ts": 'import { Redis } from "ioredis";\nexport const b = Redis;\n' },
  "driver-bullmq": { "services/edge/src/b.ts": 'export const b = await import("bullmq");\n' },
  "driver-nats": { "services/edge/src/main.ts": 'export * from "@nats-io/nats-core";\n' },
  "driver-sqlite": {
    "services/edge/src/b.ts": 'import { DatabaseSync } from "node:sqlite";\nexport const b = DatabaseSync;\n',
  },
  "services-choose-no-adapter": {
    "services/edge/src/b.ts": 'export { DatabaseSync } from "@portcullis/state/embedded";\n',
  },
  "browser-safe-no-builtin": {
    "libs/protocol/src/b.ts": 'import { createHash } from "node:crypto";\nexport const b = createHash;\n',
  },
  "browser-safe-npm": { "libs/protocol/src/b.ts": 'import { pino } from "pino";\nexport const b = pino;\n' },
  "browser-safe-libs": { "libs/protocol/src/b.ts": 'export { a } from "@portcullis/contracts";\n' },
  resolvable: { "libs/state/src/b.ts": 'export { b } from "./nowhere.ts";\n' },
  declared: { "services/keys/src/b.ts": 'export { a } from "@portcullis/contracts";\n' },
  "no-dev-dependency": { "services/edge/src/b.ts": 'export { smtp } from "smtp";\n' },
  "by-package-name": { "libs/state/src/b.ts": 'export { a } from "../../contracts/src/mod.ts";\n' },
  "no-package-circle": { "libs/contracts/src/b.ts": 'import { b } from "@portcullis/state";\nexport const c = b;\n' },
  "environment-in-config": { "services/keys/src/b.ts": "export const b = process.env.HOME;\n" },
  "browser-safe-globals": { "libs/protocol/src/b.ts": 'export const b = Buffer.from("");\n' },
};

test("what the rules allow passes", async () => {
  const { problems, modules, workspaceEdges } = await inspectWith({});
  expect(problems).toEqual([]);
  expect(modules).toBeGreaterThanOrEqual(13);
  expect(workspaceEdges).toBeGreaterThanOrEqual(5);
});

test.each(Object.entries(violations))("a repository that breaks %s is refused", async (rule, changes) => {
  const { problems } = await inspectWith(changes);
  expect(problems.map((problem) => problem.rule)).toContain(rule);
  // Each problem names the file that was planted.
  expect(
    problems.filter((problem) => problem.rule === rule).every(({ what }) => /\/(b|main|contracts)\b/.test(what)),
  ).toBe(true);
});

test("every rule about imports is shown to fail", () => {
  expect(Object.keys(violations)).toEqual(expect.arrayContaining(rules.map(({ name }) => name)));
});

test("a lockfile without the entries of another platform is refused", async () => {
  const lock = (packages: object) => ({ "package-lock.json": JSON.stringify({ packages }) });
  const complete = {
    "": { devDependencies: { tool: "1" } },
    "node_modules/tool": { optionalDependencies: { "tool-mac": "1", "tool-linux": "1" } },
    "node_modules/tool-linux": { optional: true },
    "node_modules/tool/node_modules/tool-mac": { dependencies: { tool: "1" }, devDependencies: { unseen: "1" } },
  };
  expect((await inspectWith(lock(complete))).problems).toEqual([]);
  const { "node_modules/tool/node_modules/tool-mac": _, ...incomplete } = complete;
  expect((await inspectWith(lock(incomplete))).problems).toEqual([
    { rule: "lock-complete", what: "node_modules/tool needs tool-mac, which package-lock.json lacks" },
  ]);
});

test("a check that saw too little fails", async () => {
  const { problems } = await inspectWith({}, { modules: 1000, workspaceEdges: 1000 });
  expect(problems.map(({ rule }) => rule)).toEqual(["saw-enough", "saw-enough"]);
});
