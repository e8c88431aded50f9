import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import type { OutputChunk } from "rolldown";
import { parseAst } from "rolldown/parseAst";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildPackage } from "../../libs/client/package/build.ts";
import { loadedWith } from "../../libs/client/package/bundle.ts";
import { addedBytes, entryBytes, reportOf } from "../../libs/client/package/size.ts";
import { blocks } from "../docs/repository.ts";
import { launchBrowser } from "./browser/browser.ts";
import { findBrowser } from "./browser/find-browser.ts";
import { makeMember, makeSocket } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

const run = promisify(execFile);
const repository = join(import.meta.dirname, "../..");
const bytesMax = 45_000;
/** What the element adds to that. */
const gateBytesMax = 13_000;

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

  test(`comes without the element where a page does not want it; it is at most ${gateBytesMax} bytes more`, () => {
    const isOfGate = (id: string) => id.includes("/client/src/gate/");
    const modulesOf = (entry: string) => loadedWith(entry, chunks).flatMap(({ modules }) => Object.keys(modules));
    expect(modulesOf("gate.js").filter(isOfGate).length).toBeGreaterThan(20);
    for (const entry of ["index.js", "end-to-end.js"]) expect(modulesOf(entry).filter(isOfGate)).toEqual([]);
    expect(addedBytes("gate.js", "index.js", chunks)).toBeLessThanOrEqual(gateBytesMax);
  });

  test("has no effect that a bundler must keep, but for the element, which makes itself known", () => {
    expect(JSON.parse(readFileSync(join(built, "package.json"), "utf8")).sideEffects).toEqual(["./gate.js"]);
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
    for (const name of installed.filter((each) => each.endsWith(".md"))) {
      const text = readFileSync(join(project, "node_modules/@portcullis/client", name), "utf8");
      for (const [, link = ""] of text.matchAll(/\]\(([^)#]+)[^)]*\)/g))
        if (!link.startsWith("https:")) expect(installed, name).toContain(link);
    }
    const { dependencies, engines } = JSON.parse(readFileSync(join(built, "package.json"), "utf8"));
    expect(dependencies).toBeUndefined();
    expect(engines).toEqual({ node: ">=20" });
  });

  test.each([
    ["a bundler's", { module: "esnext", moduleResolution: "bundler", lib: ["es2022", "dom"], types: [] }],
    ["Node's", { module: "nodenext", moduleResolution: "nodenext", lib: ["es2022"], types: ["node"] }],
  ])("has types that say what they mean, to %s way of finding them", async (_, how) => {
    writeFileSync(join(project, "sample.ts"), sample);
    const shown = ["README.md", "gate-element.md"].flatMap((name) =>
      blocks(readFileSync(join(built, name), "utf8"), "ts"),
    );
    const samples = how.lib.includes("dom") ? [...shown, gateSample] : [];
    const files = samples.map((_text, index) => `shown-${index}.ts`);
    for (const [index, text] of samples.entries()) writeFileSync(join(project, `shown-${index}.ts`), text);
    const compilerOptions = {
      ...how,
      target: "es2022",
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      typeRoots: [join(repository, "node_modules/@types")],
    };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["sample.ts", ...files] }));
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

  test("is not disturbed by the element, where a server renders a page that has one", async () => {
    const text = `import { english } from "@portcullis/client/gate"; console.log(english["form.go"]);`;
    writeFileSync(join(project, "rendering.js"), text);
    expect((await run(node, ["rendering.js"], { cwd: project, env })).stdout).toBe("Connect\n");
  });

  test("has the element's properties before they are set: a framework that finds none sets an attribute, which everybody reads", async () => {
    const names = "url member appKey ticket pin unpinned answers answerSecret token options texts";
    const text = `import { PortcullisGate } from "@portcullis/client/gate";
      console.log("${names}".split(" ").filter((name) => !(name in PortcullisGate.prototype)).join(" "));`;
    writeFileSync(join(project, "properties.js"), text);
    expect((await run(node, ["properties.js"], { cwd: project, env })).stdout).toBe("\n");
  });
});

const browserProgram = findBrowser(process.env);

describe.skipIf(browserProgram === null)(
  "the packed SDK in a browser, as it is, under a strict content security policy",
  () => {
    let world: World;
    let browser: Awaited<ReturnType<typeof launchBrowser>>;
    beforeAll(async () => {
      if (browserProgram === null) return;
      [world, browser] = await Promise.all([startWorld(), launchBrowser(browserProgram)]);
    });
    afterAll(async () => {
      await browser?.close();
      await world?.close();
    });

    /** Comes in by a page of its own. @returns the gates that were passed */
    async function enterBy(page: string, check: (asked: readonly string[]) => void): Promise<unknown> {
      const socket = await makeSocket(world.owner, {
        gates: [{ gate: "key" }, { gate: "captcha", cost: "low" }],
        anonymous: true,
      });
      const served = await servePackage(page);
      const tab = await browser.newPage();
      try {
        const violations: string[] = [];
        tab.on("console", (message) => void (message.type() === "error" && violations.push(message.text())));
        await tab.goto(served.url);
        check(served.asked());
        const args = { url: socket.url, appKey: socket.appKey };
        const gates = await tab.evaluate(
          (given) => (globalThis as unknown as { enter(given: object): Promise<unknown> }).enter(given),
          args,
        );
        expect(served.asked()).toEqual(expect.arrayContaining(["/words.js", "/proof-of-work.js"]));
        expect(violations).toEqual([]);
        return gates;
      } finally {
        await tab.close();
        served.close();
      }
    }

    test("loads its parts when they are needed, and comes in", async () => {
      const gates = await enterBy(plainPage, (asked) => {
        expect(asked).toEqual(expect.arrayContaining(["/index.js", "/shared.js"]));
        for (const later of ["/words.js", "/proof-of-work.js", "/gate.js"]) expect(asked).not.toContain(later);
      });
      expect(gates).toEqual(["key", "captcha"]);
    });

    test("as an element needs no style, no markup and no code that the policy would have to allow, and tells nobody but who listens at it", async () => {
      const gates = await enterBy(gatePage, (asked) => {
        expect(asked).toEqual(expect.arrayContaining(["/gate.js", "/shared.js"]));
        expect(asked).not.toContain("/index.js");
      });
      expect(gates).toEqual({ gates: ["key", "captcha"], isStyled: true, heardAbove: 0 });
    });
  },
);

const plainPage = `import { connect } from "./index.js";
globalThis.enter = async ({ url, appKey }) => {
  const session = await connect(url, { appKey });
  await session.logout();
  return session.gates;
};`;

const gatePage = `import "./gate.js";
globalThis.enter = (given) =>
  new Promise((resolve, reject) => {
    const gate = Object.assign(document.createElement("portcullis-gate"), given);
    let heardAbove = 0;
    for (const name of ["accepted", "state"]) addEventListener(name, () => (heardAbove += 1));
    gate.addEventListener("accepted", async ({ detail: { session } }) => {
      const isStyled = getComputedStyle(gate).display === "block";
      await session.logout();
      resolve({ gates: session.gates, isStyled, heardAbove });
    });
    gate.addEventListener("denied", ({ detail }) => reject(detail.error));
    document.body.append(gate);
    gate.start();
  });`;

/** @param page its script */
async function servePackage(page: string) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const name = request.url ?? "";
    asked.push(name);
    const isPackage = chunks.some(({ fileName }) => name === `/${fileName}`);
    const isScript = isPackage || name === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.setHeader(
      "content-security-policy",
      "default-src 'none'; script-src 'self'; connect-src ws:; img-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'",
    );
    if (isPackage) response.end(readFileSync(join(built, name)));
    else
      response.end(isScript ? page : '<!doctype html><title>SDK</title><script type="module" src="/page.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}/`,
    asked: () => asked,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function namesIn(node: unknown, names = new Set<string>()): ReadonlySet<string> {
  if (Array.isArray(node)) for (const each of node) namesIn(each, names);
  else if (typeof node === "object" && node !== null) {
    const { type, name } = node as { readonly type?: string; readonly name?: string };
    if (type === "Identifier" && name !== undefined) names.add(name);
    const { computed, ...parts } = node as Readonly<Record<string, unknown>>;
    // A property may have any name.
    for (const [part, each] of Object.entries(parts))
      if (computed === true || (part !== "property" && part !== "key")) namesIn(each, names);
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
import { createEndToEnd } from "@portcullis/client/end-to-end";

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
  const beyond = await createEndToEnd(session, { recipients: { consumer: "x" } });
  await beyond.send("hello");
  const consumer = await connectConsumer("", {});
  for await (const { from, reply } of consumer) await reply(from.context.rest);
  return [...texts, name, String(retryAfterMs), role, String(bound), never, prompts.otp.title];
}
export const isLate = (error: unknown) => error instanceof PortcullisError && error.code === "timeout";
`;

const gateSample = `
import { english, type GateEvents, PortcullisGate, type Texts } from "@portcullis/client/gate";

const gate = document.createElement("portcullis-gate");
const other = new PortcullisGate();
const texts: Partial<Texts> = { "form.go": "Verbinden", attemptsLeft: { one: "{n} Versuch", other: "{n} Versuche" } };
Object.assign(other, { texts });
gate.url = "wss://demo.example.com/x";
gate.appKey = async () => "pc1.x";
gate.options = { domain: "example.com", echo: true };
gate.texts = { "form.title": english["form.go"] };
gate.addEventListener("accepted", ({ detail }) => void detail.session.send("hello"));
gate.addEventListener("denied", ({ detail }) => console.log(detail.error.code));
gate.addEventListener("state", ({ detail }) => console.log(detail.is === "waiting" ? detail.by : detail.is));
gate.addEventListener("focus", () => gate.start());
gate.addEventListener("keydown", ({ key }) => console.log(key));
gate.addEventListener("denied", function () {
  this.start();
});
const entered = ({ detail }: CustomEvent<GateEvents["accepted"]>) => void detail.session.close();
gate.addEventListener("accepted", entered, { once: true });
gate.removeEventListener("accepted", entered);
gate.addEventListener("of the page's own", { handleEvent: ({ type }) => console.log(type) });
// @ts-expect-error no such text
gate.texts = { nothing: "" };
// @ts-expect-error the element answers what is asked
gate.options = { onChallenge: () => null };
// @ts-expect-error not of this event
gate.addEventListener("accepted", ({ detail }) => detail.error);
document.body.append(gate, other);
`;
