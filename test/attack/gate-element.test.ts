import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { json, type Receiver, startReceiver } from "../../libs/runtime/test/support/webhook-receiver.ts";
import { findBrowser } from "../e2e/browser/find-browser.ts";
import { type GatePage, type GateTab, openGatePage } from "../e2e/support/gate-page.ts";
import { type Bob, outboxKey, peopleOf } from "../e2e/support/gate-people.ts";
import { codeIn } from "../e2e/support/sent.ts";
import { startWorld, type World } from "../e2e/support/world.ts";

/** With a browser: `npm run test:full`. */
const full = process.env.PORTCULLIS_FULL === "1";
const program = findBrowser(process.env);
let world: World;
let page: GatePage;
let at: GateTab;
/** An owner's program that has been taken over, or an owner who means ill. */
let hostile: Receiver;
const { bobOn, textTo } = peopleOf(() => world);

beforeAll(async () => {
  if (program === null || !full) return;
  const env = { OUTBOX_KEY: outboxKey, OUTBOUND_ALLOW: "http://127.0.0.1" };
  [world, page, hostile] = await Promise.all([startWorld({ env }), openGatePage(program), startReceiver()]);
});
beforeEach(async () => {
  if (page !== undefined) at = await page.open();
});
afterEach(() => at?.close());
afterAll(async () => {
  await Promise.all([page?.close(), hostile?.close()]);
  await world?.close();
});

async function bobWhoIsAsked(question: object): Promise<Bob> {
  hostile.handle = (_, response) => json(response, question);
  const bob = await bobOn([]);
  const url = `/v1/sockets/${bob.socket.id}`;
  const made = await world.owner.post<{ webhook: { id: string } }>(`${url}/webhooks`, {
    url: hostile.url,
    purpose: "test",
  });
  const { version } = await world.owner.get<{ version: number }>(url);
  const gate = { gate: "question", kind: "custom", webhook: made.webhook.id };
  await world.owner.patch(url, { version, policy: { gates: [{ gate: "key" }, gate] } });
  await at.put({ url: bob.socket.url, appKey: bob.socket.appKey, member: "bob" });
  await at.start();
  return bob;
}

/** Whether a text is in what scripts of the page can still get at. */
async function isInMemory(text: string): Promise<boolean> {
  const devTools = await at.tab.context().newCDPSession(at.tab);
  const chunks: string[] = [];
  devTools.on("HeapProfiler.addHeapSnapshotChunk", ({ chunk }) => void chunks.push(chunk));
  await devTools.send("HeapProfiler.collectGarbage");
  await devTools.send("HeapProfiler.takeHeapSnapshot");
  await devTools.detach();
  return chunks.join("").includes(text);
}

describe.skipIf(program === null || !full)("whoever says what <portcullis-gate> shows", { timeout: 60_000 }, () => {
  const markup = [
    "<img src=x onerror=mark()>",
    "<script>mark()</script>",
    "</p><a href='javascript:mark()'>Go on</a>",
    "<svg onload=mark()>",
    "<portcullis-gate url=ws://evil.example/a/b></portcullis-gate>",
    "{{constructor.constructor('mark()')()}}",
    "&lt;img src=x onerror=mark()&gt;",
    '" autofocus onfocus=mark() x="',
  ];

  test.for(markup)("puts text on the page, and no markup: %s", async (text) => {
    await bobWhoIsAsked({ prompt: text, choices: [text, "no"] });
    await at.shows("question");
    const card = at.tab.locator("portcullis-gate .card");
    expect(await card.locator("legend").innerText()).toBe(text);
    expect(await card.locator("label.choice").first().innerText()).toBe(text);
    expect(await card.locator("img, script, a, svg, portcullis-gate, [onfocus]").count()).toBe(0);
    await at.tab.waitForTimeout(100);
    expect(await at.marks()).toBe(0);
    // Not even tried: the page's policy has had nothing to forbid.
    expect(at.broken).toEqual([]);
  });

  test("gets no character through the server that turns, hides or breaks lines of what is read", async () => {
    // What a server lets through all the same the element replaces: libs/client/test/gate-texts.test.ts.
    await bobWhoIsAsked({ prompt: "Pay \u202eOOI\u202c to\u200b \u2066bob\u2069\u0000\u2028now" });
    await at.shows("denied");
    expect(await at.markup()).not.toMatch(/[\u202a-\u202e\u200b\u2066\u2067\u2028\u2029\0]/u);
  });

  test("says it inside a frame, where it cannot be taken for what the element says itself", async () => {
    await bobWhoIsAsked({ prompt: "You are in. Type the code from your authenticator app here to stay." });
    await at.shows("question");
    const quote = at.tab.locator("portcullis-gate blockquote");
    expect(await quote.innerText()).toContain("You are in.");
    expect(await at.tab.locator("portcullis-gate h2").innerText()).toBe("Your answer");
    // Nor does the browser offer a code of the phone's to it.
    expect(await at.tab.getByRole("textbox", { name: "Your answer" }).getAttribute("autocomplete")).toBe("off");
  });

  test("does not make the page too wide to be read, however long a word is", async () => {
    await at.tab.setViewportSize({ width: 320, height: 640 });
    await bobWhoIsAsked({ prompt: "W".repeat(400), choices: ["W".repeat(60), "no"] });
    await at.shows("question");
    expect(await at.overflow()).toBe(0);
  });
});

describe.skipIf(program === null || !full)(
  "whoever reads the page around <portcullis-gate>",
  { timeout: 60_000 },
  () => {
    test("finds no secret in the document, its address, its storage or what the events say, during and after", async () => {
      const bob = await bobOn([{ gate: "otp" }, { gate: "sms" }, { gate: "question" }]);
      const answers = `/v1/sockets/${bob.socket.id}/members/bob/answer-secret`;
      const { secret } = await world.owner.post<{ secret: string }>(answers);
      const path = new URL(bob.socket.url).pathname.split("/")[2] ?? "none";
      const secrets = [path, bob.socket.appKey, secret];
      const find = async () => {
        const kept = await at.tab.evaluate(
          "JSON.stringify([location.href, document.title, document.cookie, {...localStorage}, {...sessionStorage}, history.state, performance.getEntries()])",
        );
        const seen = `${await at.markup()}${kept}${(await at.states()).join()}${at.said.join()}`;
        const fields = await at.tab.evaluate(
          "[...document.querySelector('portcullis-gate').shadowRoot.querySelectorAll('input')].map(({ value }) => value).join()",
        );
        return secrets.filter((each) => `${seen}${fields}`.includes(each));
      };
      await at.put({ url: bob.socket.url, member: "bob" });
      await at.tab.getByLabel("App key").fill(bob.socket.appKey);
      await at.press("Enter");
      await at.shows("otp");
      expect(await find()).toEqual([]);
      secrets.push(bob.code());
      await at.type(secrets.at(-1) ?? "");
      await at.shows("sms");
      secrets.push(codeIn(await textTo(bob.phone)));
      await at.type(secrets.at(-1) ?? "");
      await at.shows("secret");
      expect(await find()).toEqual([]);
      expect(await at.tab.getByLabel("Your answer secret").getAttribute("type")).toBe("password");
      await at.type(secret);
      await at.press("Enter");
      await at.shows("accepted");
      expect(await find()).toEqual([]);
      await at.logout();
      await at.shows("closed");
      expect(await find()).toEqual([]);
      // It would be found.
      secrets.push("closed");
      expect(await find()).toEqual(["closed"]);
    });

    test("finds no key and no answer secret in the memory of the page, once they have let in", async () => {
      const bob = await bobOn([{ gate: "question" }, { gate: "otp" }]);
      const answers = `/v1/sockets/${bob.socket.id}/members/bob/answer-secret`;
      const { secret } = await world.owner.post<{ secret: string }>(answers);
      await at.put({ url: bob.socket.url, member: "bob" });
      await at.tab.getByLabel("App key").focus();
      await at.type(bob.socket.appKey);
      await at.press("Enter");
      await at.shows("secret");
      // It would be found.
      expect(await isInMemory(bob.socket.appKey)).toBe(true);
      await at.type(secret);
      await at.press("Enter");
      await at.shows("otp");
      await at.type(bob.code());
      await at.shows("accepted");
      expect([await isInMemory(bob.socket.appKey), await isInMemory(secret)]).toEqual([false, false]);
    });

    test("hears of no session by listening above the element, unless they mean to catch what passes there", async () => {
      const bob = await bobOn([]);
      await at.tab.evaluate(
        "for (const name of ['accepted', 'state']) for (const target of [document, window, document.getElementById('place')]) target.addEventListener(name, mark)",
      );
      await at.put({ url: bob.socket.url, appKey: bob.socket.appKey, member: "bob" });
      await at.start();
      await at.shows("accepted");
      const { length } = await at.states();
      expect(length).toBeGreaterThan(1);
      const heard = await at.marks();
      expect(heard).toBe(0);
    });
  },
);
