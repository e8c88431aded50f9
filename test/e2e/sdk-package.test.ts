import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import type { OutputChunk } from "rolldown";
import { parseAst } from "rolldown/parseAst";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildPackage } from "../../libs/client/package/build.ts";
import { entryBytes, reportOf } from "../../libs/client/package/size.ts";
import { makeMember, makeSocket } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

const run = promisify(execFile);
const repository = join(import.meta.dirname, "../..");
const bytesMax = 45_000;

const folder = mkdtempSync(join(tmpdir(), "portcullis-sdk-"));
const built = join(folder, "dist");
const project = join(folder, "project");
const home = join(folder, "home");
/** No registry, no cache and no settings of whoever runs this: what is installed is what is in the archive. */
const env = {
  PATH: process.env.PATH,
  HOME: home,
  npm_config_cache: join(home, "cache"),
  npm_config_registry: "http://127.0.0.1:9/",
  npm_config_offline: "true",
};
const npm = (cwd: string, ...args: string[]) =>
  run("npm", [...args, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], { cwd, env });

/** Every Node that can be had here and is new enough, one for each version: that which runs this, and that of the machine. */
async function nodes(): Promise<ReadonlyMap<string, string>> {
  const found = new Map([[process.version, process.execPath]]);
  for (const path of (process.env.PATH ?? "").split(delimiter)) {
    const node = join(path, "node");
    const version = await run(node, ["--version"]).then(
      ({ stdout }) => stdout.trim(),
      () => "",
    );
    if (Number(/^v(\d+)/.exec(version)?.[1]) >= 20 && !found.has(version)) found.set(version, node);
  }
  return found;
}

let chunks: readonly OutputChunk[];
beforeAll(async () => {
  chunks = await buildPackage(built);
  for (const each of [home, project]) mkdirSync(each);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "somewhere", private: true, type: "module" }));
  const { stdout } = await npm(built, "pack", "--pack-destination", folder);
  await npm(project, "install", join(folder, stdout.trim()));
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the packed SDK", () => {
  test(`is at most ${bytesMax} bytes, gzipped, until something is needed that is not always needed`, () => {
    process.stdout.write(`${reportOf("index.js", chunks)}\n`);
    expect(entryBytes("index.js", chunks)).toBeLessThanOrEqual(bytesMax);
    expect(chunks.map(({ fileName }) => fileName)).toEqual(expect.arrayContaining(["words.js", "proof-of-work.js"]));
  });

  test("has nothing of Node, and makes no code at run time, so that a strict content security policy lets it run", () => {
    for (const { fileName, code } of chunks) {
      const names = namesIn(parseAst(code));
      for (const name of ["Buffer", "process", "require", "global", "__dirname", "setImmediate", "eval", "Function"])
        expect(names.has(name), `${name} in ${fileName}`).toBe(false);
      expect(code).not.toMatch(/["'`]node:/);
      // What only a newer Node has than the package says.
      expect(code).not.toContain("Promise.withResolvers");
    }
  });

  test("imports nothing but itself, types included", () => {
    const files = readdirSync(built, { recursive: true, encoding: "utf8" }).filter((name) => /\.(js|ts)$/.test(name));
    expect(files.length).toBeGreaterThan(20);
    for (const file of files) {
      const text = readFileSync(join(built, file), "utf8");
      for (const [, name] of text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*[`"']([^`"']+)[`"']/g))
        expect(name, file).toMatch(/^\.\.?\//);
    }
  });

  test("keeps the licences of what is inside", () => {
    const kept = readFileSync(join(built, "THIRD-PARTY-LICENSES"), "utf8");
    for (const name of ["@scure/bip39", "altcha-lib", "hpke", "zod"])
      expect(kept).toMatch(new RegExp(`^${name} \\d`, "m"));
    expect(kept.match(/Permission is hereby granted/g)?.length).toBeGreaterThanOrEqual(4);
  });

  test("is installed from its archive alone, with nothing beside it", () => {
    expect(readdirSync(join(project, "node_modules")).filter((name) => !name.startsWith("."))).toEqual(["@portcullis"]);
    const installed = readdirSync(join(project, "node_modules/@portcullis/client"));
    expect(installed).toEqual(expect.arrayContaining(["LICENSE", "README.md", "THIRD-PARTY-LICENSES", "index.js"]));
    const { dependencies, engines } = JSON.parse(readFileSync(join(built, "package.json"), "utf8"));
    expect(dependencies).toBeUndefined();
    expect(engines).toEqual({ node: ">=20" });
  });

  test.each([
    ["a bundler's", { module: "esnext", moduleResolution: "bundler", lib: ["es2022", "dom"], types: [] }],
    ["Node's", { module: "nodenext", moduleResolution: "nodenext", lib: ["es2022"], types: ["node"] }],
  ])("has types that say what they mean, to %s way of finding them", async (_, how) => {
    writeFileSync(join(project, "sample.ts"), sample);
    const compilerOptions = {
      ...how,
      target: "es2022",
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      typeRoots: [join(repository, "node_modules/@types")],
    };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["sample.ts"] }));
    const compiler = join(repository, "node_modules/typescript/bin/tsc");
    const told = await run(process.execPath, [compiler, "-p", project]).then(
      () => "",
      ({ stdout }: { stdout: string }) => stdout,
    );
    expect(told).toBe("");
  });
});

describe.each([...(await nodes())])("the packed SDK in Node %s", (_, node) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
    cpSync(join(repository, "node_modules/ws"), join(project, "node_modules/ws"), { recursive: true });
  });
  afterAll(() => world.close());

  test("comes through key and code, and hears its own message", async () => {
    const socket = await makeSocket(world.owner);
    const bob = await makeMember(world.owner, socket, "bob");
    const input = { url: `${socket.url}?id=bob`, appKey: socket.appKey, code: bob.code(world.now()) };
    writeFileSync(join(project, "program.js"), program);
    const { stdout } = await run(node, ["program.js"], { cwd: project, env: { ...env, INPUT: JSON.stringify(input) } });
    expect(JSON.parse(stdout)).toMatchObject({ member: "bob", gates: ["key", "otp"], heard: "hello", words: 6 });
  });
});

function namesIn(node: unknown, names = new Set<string>()): ReadonlySet<string> {
  if (Array.isArray(node)) for (const each of node) namesIn(each, names);
  else if (typeof node === "object" && node !== null) {
    const { type, name } = node as { readonly type?: string; readonly name?: string };
    if (type === "Identifier" && name !== undefined) names.add(name);
    for (const each of Object.values(node)) namesIn(each, names);
  }
  return names;
}

const program = `
import { connect } from "@portcullis/client";
const { url, appKey, code } = JSON.parse(process.env.INPUT);
const webSocket = globalThis.WebSocket ?? (await import("ws")).WebSocket;
const session = await connect(url, { appKey, webSocket, echo: true, answers: { otp: () => code } });
await session.send("hello");
for await (const message of session) {
  const { member, gates, suite, words } = session;
  console.log(JSON.stringify({ member, gates, suite, heard: message.text(), words: words.split(" ").length }));
  break;
}
await session.close();
`;

const sample = `
import { type ConnectOptions, connect, connectConsumer, PortcullisError, prompts, type Session } from "@portcullis/client";

const options: ConnectOptions = {
  appKey: async () => "pc1.x",
  webSocket: globalThis.WebSocket,
  signal: AbortSignal.timeout(1_000),
  answers: { otp: ({ attemptsLeft, server }) => (attemptsLeft > 1 ? server.words : null) },
  onState: (state) => console.log(state.is === "resumed" ? state.edge : state.is),
};
export async function go(): Promise<string[]> {
  const session: Session = await connect(new URL("wss://demo.example.com/x"), options);
  const texts: string[] = [];
  for await (const message of session) texts.push(message.text());
  const { retryAfterMs, what, name } = await session.closed;
  const bound: boolean = session.assurance.memberBound;
  const role: "member" | "owner" | "consumer" = session.role;
  // @ts-expect-error not a reason
  const never: "nonsense" = what;
  // @ts-expect-error nothing of that name
  session.assurance.nothing;
  // @ts-expect-error not an option
  await connect("", { nothing: true });
  // @ts-expect-error not a suite
  await connect("", { minSuite: "1" });
  const consumer = await connectConsumer("", {});
  for await (const { from, reply } of consumer) await reply(from.context.rest);
  return [...texts, name, String(retryAfterMs), role, String(bound), never, prompts.otp.title];
}
export const isLate = (error: unknown) => error instanceof PortcullisError && error.code === "timeout";
`;
