import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { connect } from "@portcullis/client";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scan } from "../../deploy/demo/authenticator.ts";
import { type DemoServer, startDemoServer } from "../../deploy/demo/test/demo-server.ts";
import { type Program, run } from "../../deploy/demo/test/program.ts";
import type { Demo } from "../../deploy/local/first-run.ts";
import { signIn } from "../../deploy/local/owner.ts";
import { launchBrowser } from "./browser/browser.ts";
import { findBrowser } from "./browser/find-browser.ts";

const script = "examples/browser/main.ts";
const browserProgram = findBrowser(process.env);
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core"), "utf8");

let folder: string;
let server: DemoServer;
let demo: Demo;
let example: Program;
/** Of the API. */
let url: string;
/** Of the page, as it was printed. */
let address: string;
beforeAll(async () => {
  server = await startDemoServer();
  ({ folder, demo, url } = server);
  example = run(script, ["--port", "0"], { DATA_DIR: folder });
  [, address = ""] = await example.until(/The page is ready: (http\S+)/);
}, 60_000);
afterAll(() => server?.stop());

/** As whoever typed it at a terminal would. */
async function newCode(): Promise<string> {
  const before = example.stdout.length;
  example.type("");
  for (;;) {
    const [code] = example.stdout.slice(before).match(/^\d{6}(?= )/m) ?? [];
    if (code !== undefined) return code;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

describe("the program that serves the browser's example", () => {
  test("says what it lacks: a demo, or a port", async () => {
    const nowhere = join(folder, "nowhere");
    const without = run(script, [], { DATA_DIR: nowhere });
    expect(await without.exit).toBe(2);
    expect(without.stderr).toBe(
      `example: there is no demo socket yet in ${nowhere}: run npm start first, and leave it running\n`,
    );
    const wrong = run(script, ["--port", "http"], { DATA_DIR: folder });
    expect(await wrong.exit).toBe(2);
    expect(wrong.stderr).toBe("example: the port is a number between 0 and 65535\n");
  });

  test("tells the socket and the app key only to whoever has the page's key", async () => {
    const { origin, hash } = new URL(address);
    for (const path of ["/demo", "/app-key"]) {
      for (const headers of [{}, { authorization: "Bearer " }, { authorization: `Bearer ${hash.slice(2)}` }]) {
        const refused = await fetch(origin + path, { headers });
        expect([refused.status, await refused.text()]).toEqual([401, "That is not the key."]);
      }
    }
    const told = await fetch(`${origin}/app-key`, { headers: { authorization: `Bearer ${hash.slice(1)}` } });
    expect(await told.text()).toBe(demo.socket.appKey);
  });

  test("has headers that keep others out, on whatever it answers, and takes no more than questions", async () => {
    const { origin } = new URL(address);
    for (const [path, status] of [
      ["/", 200],
      ["/chat.js", 200],
      ["/demo", 401],
      ["/../main.ts", 404],
    ] as const) {
      const { headers, status: answered } = await fetch(origin + path);
      expect(answered, path).toBe(status);
      const policy = headers.get("content-security-policy") ?? "";
      expect(policy.split("; ")).toEqual(
        expect.arrayContaining([
          "default-src 'none'",
          "script-src 'self'",
          "style-src 'self'",
          `connect-src 'self' ${new URL(demo.socket.url).origin}`,
          "require-trusted-types-for 'script'",
          "frame-ancestors 'none'",
        ]),
      );
      expect(policy).not.toContain("unsafe");
      expect(headers.get("cache-control")).toBe("no-store");
    }
    expect((await fetch(`${origin}/demo`, { method: "POST" })).status).toBe(405);
  });
});

describe.skipIf(browserProgram === null)("the browser's example", { timeout: 60_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    if (browserProgram !== null) browser = await launchBrowser(browserProgram);
  });
  afterAll(() => browser?.close());

  test("goes through the gates by keyboard alone, chats, and logs out; nothing secret is in an address or a log", async () => {
    const owner = await signIn(url, demo.owner);
    const { sockets } = await owner.get<{ sockets: { id: string }[] }>("/v1/sockets");
    const members = `/v1/sockets/${sockets[0]?.id}/members`;
    await owner.post(members, { name: "eve" });
    const { uri } = await owner.post<{ uri: string }>(`${members}/eve/authenticator`);
    const eve = await connect(demo.socket.url.replace("id=bob", "id=eve"), {
      appKey: demo.socket.appKey,
      answers: { otp: () => scan(uri).code(Date.now()) },
    });

    const tab = await browser.newPage({ colorScheme: "light", viewport: { width: 900, height: 900 } });
    const [asked, complaints]: [string[], string[]] = [[], []];
    tab.on("request", (request) => void asked.push(request.url()));
    tab.on("console", (message) => void complaints.push(message.text()));
    tab.on("pageerror", (error) => void complaints.push(error.message));
    await tab.goto(address);
    await tab.getByRole("button", { name: "Connect" }).waitFor();
    // Nor is the page's own key left where somebody may look over a shoulder.
    expect(tab.url()).toBe(`${new URL(address).origin}/`);
    await expectGood(tab);

    await tab.keyboard.press("Tab");
    await tab.keyboard.press("Enter");
    await tab.getByRole("textbox", { name: "Code" }).waitFor();
    await expectGood(tab);
    await tab.keyboard.type(await newCode());
    await tab.getByRole("heading", { name: "You are in" }).waitFor();
    await tab.keyboard.type("good evening");
    await tab.keyboard.press("Enter");
    for await (const message of eve) {
      expect([message.from.member, message.text()]).toEqual(["bob", "good evening"]);
      break;
    }
    await eve.send("<b>hello</b>\nbob: not bob");
    const log = tab.getByRole("log", { name: "Messages" });
    await log.getByText("eve: <b>hello</b> bob: not bob").waitFor();
    expect(await log.locator("p").allTextContents()).toEqual(["bob: good evening", "eve: <b>hello</b>\nbob: not bob"]);
    await expectGood(tab);

    for (const _ of ["to Send", "to Log out"]) await tab.keyboard.press("Tab");
    await tab.keyboard.press("Enter");
    await tab.getByRole("heading", { name: "The session is over" }).waitFor();
    expect(await log.count()).toBe(0);
    expect(await tab.locator("#messages p").count()).toBe(0);
    await expect
      .poll(async () => (await sessionsOf(owner, sockets[0]?.id)).map(({ member }) => member))
      .toEqual(["eve"]);

    expect(complaints).toEqual([]);
    expect(asked.some((each) => each.endsWith("/chat.js"))).toBe(true);
    const told = [...asked, example.stdout, example.stderr].join("\n");
    expect(told).not.toContain(demo.socket.appKey);
    expect(asked.join("\n")).not.toContain(new URL(address).hash.slice(1));
    expect(await tab.evaluate("JSON.stringify([localStorage, sessionStorage])")).not.toContain(demo.socket.appKey);
    await eve.close();
    await tab.close();
  });

  test("says what to do where it was opened without its key, and where nobody gives it the app key any more", async () => {
    const tab = await browser.newPage();
    await tab.goto(new URL(address).origin);
    await tab.getByText("Open the address that npm run example:browser has printed").waitFor();
    expect(await tab.locator("portcullis-gate").count()).toBe(0);
    // As into the same tab: the page is the same to a browser.
    await tab.goto(address);
    const begin = tab.getByRole("button", { name: "Connect" });
    await begin.waitFor();
    await tab.route("**/app-key", (route) => route.abort());
    await begin.click();
    await tab.getByText("The program that served this page has ended").waitFor();
    await tab.close();
  });
});

test("the program that serves the browser's example is ended by Ctrl-C, and says where a server was that has gone", async () => {
  example.child.kill("SIGINT");
  expect(await example.exit).toBe(0);
  server.program.child.kill("SIGINT");
  await server.program.exit;
  const late = run(script, [], { DATA_DIR: folder });
  expect(await late.exit).toBe(3);
  const { origin } = new URL(demo.socket.url);
  expect(late.stderr).toBe(`example: nothing answers at ${origin}: run npm start first, and leave it running\n`);
});

async function sessionsOf(owner: Awaited<ReturnType<typeof signIn>>, socket: string | undefined) {
  const { sessions } = await owner.get<{ sessions: { member: string }[] }>(`/v1/sockets/${socket}/sessions`);
  return sessions;
}

/** For whoever sees little, hears it, or has a small screen, in the light and in the dark. */
async function expectGood(tab: Page): Promise<void> {
  const size = tab.viewportSize();
  for (const colorScheme of ["light", "dark"] as const) {
    await tab.emulateMedia({ colorScheme });
    const violations: string[] = await tab.evaluate(
      `(() => { ${axe}; return axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes.map(({ target }) => target.join(" ")).join(", "))); })()`,
    );
    expect(violations, colorScheme).toEqual([]);
  }
  await tab.setViewportSize({ width: 320, height: 800 });
  expect(await tab.evaluate("document.documentElement.scrollWidth")).toBe(320);
  if (size !== null) await tab.setViewportSize(size);
}
