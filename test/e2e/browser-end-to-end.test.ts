import { generateEndToEndIdentity, importEndToEndIdentity } from "@portcullis/crypto";
import type { Page as Tab } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { launchBrowser, servePage } from "./browser/browser.ts";
import { findBrowser } from "./browser/find-browser.ts";
import type { Page as Actions } from "./browser/page.ts";
import { keyOnly, makeKey, makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

declare const page: Actions;
const program = findBrowser(process.env);
const policy = { ...keyOnly, messaging: { mode: "consumer" }, encryption: { endToEnd: "required" } };

describe.skipIf(program === null)("what is sealed end to end, in a real browser", () => {
  let world: World;
  let served: Awaited<ReturnType<typeof servePage>>;
  let browser: Awaited<ReturnType<typeof launchBrowser>>;
  let socket: OwnedSocket;
  const tabs: Tab[] = [];
  beforeAll(async () => {
    if (program === null) return;
    [world, served, browser] = await Promise.all([startWorld(), servePage(), launchBrowser(program)]);
  });
  beforeEach(async () => {
    socket = await makeSocket(world.owner, policy);
  });
  afterEach(async () => {
    await Promise.all(tabs.splice(0).map((tab) => tab.close()));
  });
  afterAll(async () => {
    await browser?.close();
    served?.close();
    await world?.close();
  });

  /** @returns a page, and what it loaded besides itself */
  async function open({ without }: { without?: string } = {}) {
    const tab = await browser.newPage();
    tabs.push(tab);
    const loaded: string[] = [];
    tab.on("requestfinished", (request) => void loaded.push(new URL(request.url()).pathname));
    if (without !== undefined) await tab.route(without, (route) => route.abort());
    await tab.goto(served.url);
    return { tab, loaded };
  }

  async function publish({ tab }: { tab: Tab }, identity: string, before?: string) {
    const { appKey } = await makeKey(world.owner, socket.id, "consumer");
    const args = { url: socket.url, appKey, identity, before };
    return tab.evaluate(async (a) => (await page.endToEnd()).publish(a.url, a.appKey, a.identity, a.before), args);
  }

  function ask({ tab }: { tab: Tab }, pinned: string, minSuite?: "0020" | "647a") {
    const args = { url: socket.url, appKey: socket.appKey, pinned, minSuite };
    return tab.evaluate(
      async (a) => (await page.endToEnd()).ask(a.url, a.appKey, a.pinned, "for you alone", a.minSuite),
      args,
    );
  }

  const hasPostQuantum = ({ tab }: { tab: Tab }) => tab.evaluate(() => page.hasPostQuantum());
  const derivesPostQuantum = async ({ tab }: { tab: Tab }) =>
    (await hasPostQuantum({ tab })) && (await tab.evaluate(async () => (await page.endToEnd()).derivesPostQuantum()));
  const retire = ({ tab }: { tab: Tab }) => tab.evaluate(async () => (await page.endToEnd()).retire());
  const answer = ({ tab }: { tab: Tab }) => tab.evaluate(async () => (await page.endToEnd()).answer("and for you"));

  test("two pages seal to each other under post-quantum keys, and each sees whose signature it is", async () => {
    const [at, from] = [await open(), await open()];
    const identity = generateEndToEndIdentity();
    const published = await publish(at, identity);
    const { fingerprint } = await importEndToEndIdentity(identity);
    expect(published.fingerprint).toBe(fingerprint);
    const [letter, heard] = await Promise.all([answer(at), ask(from, fingerprint, "647a")]);
    expect(letter).toEqual({ heard: "for you alone", sender: heard.fingerprint, suite: "647a" });
    expect(heard).toMatchObject({ heard: "and for you", sender: fingerprint, suite: "647a", changes: [] });
    // What a browser has by itself is not loaded, what it lacks is: a page that only seals and is answered lacks less.
    const [seals, derives] = [await hasPostQuantum(at), await derivesPostQuantum(at)];
    const loads = ({ loaded }: { loaded: string[] }) => loaded.some((path) => path.startsWith("/post-quantum"));
    expect([loads(from), loads(at)]).toEqual([!seals, !derives]);
  });

  test("where the part that a browser lacks cannot be loaded, prekeys are X25519 alone, and who insists seals nothing", async () => {
    const [at, from] = [await open({ without: "**/post-quantum*" }), await open()];
    const has = await derivesPostQuantum(at);
    const { fingerprint } = await publish(at, generateEndToEndIdentity());
    const [letter, heard] = await Promise.all([answer(at), ask(from, fingerprint)]);
    expect([letter.suite, heard.suite]).toEqual(has ? ["647a", "647a"] : ["0020", "0020"]);
    if (!has) expect(await ask(from, fingerprint, "647a")).toMatchObject({ refused: "unsupported" });
  });

  test("another identity is told: one that the pinned one has signed is sealed to, any other is not", async () => {
    const [first, second, third] = [generateEndToEndIdentity(), generateEndToEndIdentity(), generateEndToEndIdentity()];
    const [at, from] = [await open(), await open()];
    const { fingerprint: pinned } = await publish(at, first);
    await retire(at);
    const { fingerprint: to, words } = await publish(at, second, first);
    const [letter, heard] = await Promise.all([answer(at), ask(from, pinned)]);
    expect(letter.heard).toBe("for you alone");
    const change = { name: "consumer", from: pinned, vouched: true };
    expect(heard).toMatchObject({ sender: to, changes: [{ ...change, to, words }] });

    await world.owner.delete(`/v1/sockets/${socket.id}/directory/consumer`);
    await retire(at);
    const stranger = await publish(at, third);
    expect(await ask(from, pinned)).toMatchObject({
      refused: "untrusted-recipient",
      changes: [{ ...change, to: stranger.fingerprint, words: stranger.words, vouched: false }],
    });
  });
});
