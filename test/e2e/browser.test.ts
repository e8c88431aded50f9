import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, servePage } from "./browser/browser.ts";
import { findBrowser } from "./browser/find-browser.ts";
import type { Page as Actions } from "./browser/page.ts";
import { makeMember, makeSocket } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

declare const page: Actions;
const program = findBrowser(process.env);

describe.skipIf(program === null)("the SDK in a real browser", () => {
  let world: World;
  let served: Awaited<ReturnType<typeof servePage>>;
  let browser: Awaited<ReturnType<typeof launchBrowser>>;
  beforeAll(async () => {
    if (program === null) return;
    [world, served, browser] = await Promise.all([startWorld(), servePage(), launchBrowser(program)]);
  });
  afterAll(async () => {
    await browser?.close();
    served?.close();
    await world?.close();
  });

  test("passes key and code with the best suite that the browser has, and hears its own message", async () => {
    const socket = await makeSocket(world.owner);
    const bob = await makeMember(world.owner, socket, "bob");
    const tab = await browser.newPage();
    await tab.goto(served.url);
    const args = { url: `${socket.url}?id=bob`, appKey: socket.appKey, code: bob.code(world.now()) };
    expect(await tab.evaluate((a) => page.enter(a.url, a.appKey, a.code), args)).toEqual({
      member: "bob",
      gates: ["key", "otp"],
      // Also where its WebCrypto has none: what is missing is loaded.
      suite: "647a",
      heard: "hello from a browser",
    });
    await tab.close();
  });

  test("where that cannot be loaded, goes on with X25519, or not at all if it insists", async () => {
    const socket = await makeSocket(world.owner);
    const bob = await makeMember(world.owner, socket, "bob");
    const tab = await browser.newPage();
    await tab.route("**/post-quantum*", (route) => route.abort());
    await tab.goto(served.url);
    const url = `${socket.url}?id=bob`;
    const has = await tab.evaluate(() => page.hasPostQuantum());
    // Where the suite is there, the handshake comes as far as the code, which is not given.
    const args = { url, appKey: socket.appKey };
    expect(await tab.evaluate((a) => page.refusal(a.url, a.appKey, "647a"), args)).toBe(
      has ? "cancelled" : "unsupported",
    );
    const right = { ...args, code: bob.code(world.now()) };
    expect(await tab.evaluate((a) => page.enter(a.url, a.appKey, a.code), right)).toMatchObject({
      suite: has ? "647a" : "0020",
    });
    await tab.close();
  });

  test("is told no more than a program: denied", async () => {
    const [socket, other] = [await makeSocket(world.owner), await makeSocket(world.owner)];
    const tab = await browser.newPage();
    await tab.goto(served.url);
    const args = { url: `${socket.url}?id=bob`, appKey: other.appKey };
    expect(await tab.evaluate((a) => page.refusal(a.url, a.appKey), args)).toBe("denied");
    await tab.close();
  });
});
