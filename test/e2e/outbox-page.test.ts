import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser } from "./browser/browser.ts";
import { findBrowser } from "./browser/find-browser.ts";
import { startWorld, type World } from "./support/world.ts";

const outboxKey = "outbox-key-of-this-test-0123";
/** The page asks the server every two seconds. */
const severalPollsMs = 4_500;
const program = findBrowser(process.env);

describe.skipIf(program === null)("the outbox' page in a real browser", { timeout: 30_000 }, () => {
  let world: World;
  let browser: Awaited<ReturnType<typeof launchBrowser>>;
  beforeAll(async () => {
    if (program === null) return;
    [world, browser] = await Promise.all([startWorld({ env: { OUTBOX_KEY: outboxKey } }), launchBrowser(program)]);
  });
  afterAll(async () => {
    await browser?.close();
    await world?.close();
  });

  test("asks for its key where one can type at once, and goes on saying that it was wrong", async () => {
    const tab = await browser.newPage();
    await tab.goto(`${world.url}/outbox`);
    await tab.locator("#key:focus").waitFor();
    await tab.keyboard.type("not-the-key-of-the-outbox-0123\n");
    const wrong = tab.getByText("That is not the outbox key.");
    await wrong.waitFor();
    await tab.waitForTimeout(severalPollsMs);
    expect(await wrong.isVisible()).toBe(true);
    await tab.fill("#key", outboxKey);
    await tab.keyboard.press("Enter");
    await tab.getByText("1 message.").waitFor();
    await tab.close();
  });

  test("says no longer that the server cannot be reached once it can", async () => {
    const tab = await browser.newPage();
    await tab.goto(`${world.url}/outbox#${outboxKey}`);
    await tab.getByText("1 message.").waitFor();
    await tab.context().setOffline(true);
    await tab.getByText("The server cannot be reached").waitFor();
    await tab.context().setOffline(false);
    await tab.getByText("1 message.").waitFor();
    await tab.close();
  });
});
