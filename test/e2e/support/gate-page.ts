import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page as Tab } from "playwright-core";
import { expect } from "vitest";
import { launchBrowser, type Served, servePage } from "../browser/browser.ts";
import type { Actions } from "../browser/gate/actions.ts";

declare const page: Actions;

/** Nothing but the page's own files, no markup made by scripts, no style written into elements. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src ws://localhost:* ws://127.0.0.1:*",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const folder = join(import.meta.dirname, "../browser/gate");
const file = (name: string) => readFileSync(join(folder, name), "utf8");

/** A page with the element on it, in a browser; as strict a page as there can be. */
export interface GatePage {
  open(options?: Parameters<Awaited<ReturnType<typeof launchBrowser>>["newPage"]>[0]): Promise<GateTab>;
  close(): Promise<void>;
}

/** One tab, and a person before it. */
export interface GateTab {
  readonly tab: Tab;
  /** What the browser complained of: errors, and whatever the page's policy forbade. */
  readonly broken: string[];
  /** Everything that was written to the console. */
  readonly said: readonly string[];
  readonly url: string;
  put(...given: Parameters<Actions["put"]>): Promise<void>;
  start(): Promise<void>;
  view(): Promise<string>;
  /** Resolves when this is shown. */
  shows(view: string): Promise<void>;
  /** What the keyboard acts on. */
  focused(): Promise<string>;
  /** What a screen reader says of it besides. */
  described(): Promise<string>;
  states(): Promise<readonly string[]>;
  errors(): Promise<readonly string[]>;
  entered(): Promise<ReturnType<Actions["entered"]>>;
  /** Resolves when the message was placed. */
  send(text: string, messageClass: string): Promise<unknown>;
  move(): Promise<void>;
  remove(): Promise<void>;
  /** That is to be typed, or said, elsewhere. */
  number(): Promise<string>;
  signs(): Promise<readonly string[]>;
  buttons(): Promise<readonly string[]>;
  /** What is said to be wrong, below its field and aloud. */
  wrongs(): Promise<{ readonly field: string; readonly aloud: string }>;
  markup(): Promise<string>;
  marks(): Promise<number>;
  logout(): Promise<unknown>;
  setDirection(dir: "ltr" | "rtl"): Promise<void>;
  /** By how many pixels the page is wider than the screen. */
  overflow(): Promise<number>;
  /** All that is written on the card, without marks of direction. */
  text(): Promise<string>;
  /** Presses Tab until the focus is on something whose text has this in it. */
  tabTo(text: string): Promise<void>;
  /** The same, and Enter there. */
  pressAt(text: string): Promise<void>;
  press(key: string): Promise<void>;
  type(text: string): Promise<void>;
  close(): Promise<void>;
}

/** Marks of direction, which people do not see. */
const plain = (text: string) => text.replace(/[\u2068\u2069]/gu, "");
const soon = { timeout: 10_000 };

export async function openGatePage(program: string): Promise<GatePage> {
  const files = new Map([
    ["/", file("page.html")],
    ["/page.css", file("page.css")],
  ]);
  const headers = { "content-security-policy": policy };
  const [served, browser] = await Promise.all([
    servePage({ script: "gate/page.ts", files, headers }),
    launchBrowser(program),
  ]);
  return {
    async open(options) {
      return gateTab(await browser.newPage(options), served);
    },
    async close() {
      await browser.close();
      served.close();
    },
  };
}

async function gateTab(tab: Tab, { url }: Served): Promise<GateTab> {
  const broken: string[] = [];
  const said: string[] = [];
  tab.on("console", (message) => {
    said.push(message.text());
    if (["error", "warning"].includes(message.type())) broken.push(message.text());
  });
  tab.on("pageerror", (error) => void broken.push(error.message));
  tab.on("crash", () => void broken.push("the tab crashed"));
  await tab.goto(url);
  const focused = () => tab.evaluate(() => page.focused());
  async function tabTo(text: string): Promise<void> {
    for (let presses = 0; presses < 30; presses += 1) {
      if ((await focused()).includes(text)) return;
      await tab.keyboard.press("Tab");
    }
    throw new Error(`the keyboard does not come to ${text}`);
  }
  return {
    tab,
    broken,
    said,
    url,
    put: (given, attributes) =>
      tab.evaluate(([properties, rest]) => page.put(properties, rest), [given, attributes] as const),
    start: () => tab.evaluate(() => page.start()),
    view: () => tab.evaluate(() => page.view()),
    async shows(view) {
      await expect.poll(() => tab.evaluate(() => page.view()), soon).toBe(view);
    },
    focused,
    described: () => tab.evaluate(() => page.described()).then(plain),
    states: () => tab.evaluate(() => page.states()),
    errors: () => tab.evaluate(() => page.errors()),
    entered: () => tab.evaluate(() => page.entered()),
    send: (text, messageClass) => tab.evaluate(([what, of]) => page.send(what, of), [text, messageClass] as const),
    move: () => tab.evaluate(() => page.move()),
    remove: () => tab.evaluate(() => page.remove()),
    number: () => tab.locator("portcullis-gate .number").innerText(),
    signs: () => tab.locator("portcullis-gate fieldset pre").allTextContents(),
    buttons: () =>
      tab
        .locator("portcullis-gate button:visible")
        .allInnerTexts()
        .then((texts) => texts.map(plain)),
    wrongs: () => tab.evaluate(() => page.wrongs()),
    markup: () => tab.evaluate(() => page.markup()),
    marks: () => tab.evaluate(() => page.marks()),
    logout: () => tab.evaluate(() => page.logout()),
    setDirection: (dir) => tab.evaluate((to) => page.setDirection(to), dir),
    overflow: () => tab.evaluate(() => page.overflow()),
    text: () => tab.locator("portcullis-gate .card").innerText().then(plain),
    tabTo,
    async pressAt(text) {
      await tabTo(text);
      await tab.keyboard.press("Enter");
    },
    press: (key) => tab.keyboard.press(key),
    type: (text) => tab.keyboard.type(text),
    close: () => tab.close(),
  };
}
