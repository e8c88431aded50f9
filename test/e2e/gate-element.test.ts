import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { registerMember } from "../passkeys/socket-page.ts";
import { addDevice, registering } from "./browser/device.ts";
import { findBrowser } from "./browser/find-browser.ts";
import { type GatePage, type GateTab, openGatePage } from "./support/gate-page.ts";
import { type Bob, outboxKey, peopleOf, wrong } from "./support/gate-people.ts";
import { codeIn, linkIn, submit } from "./support/sent.ts";
import { makeSocket } from "./support/socket.ts";
import { startTcpProxy } from "./support/tcp-proxy.ts";
import { startWorld, type World } from "./support/world.ts";

/** One of them runs by `npm test`: the rest in `npm run test:full`. */
const full = process.env.PORTCULLIS_FULL === "1";
const soon = { timeout: 10_000 };
const program = findBrowser(process.env);
const cat = ["  /\\_/\\", " ( o.o )", "  > ^ <"].join("\n");

let world: World;
let page: GatePage;
let at: GateTab;
const { bobOn, textTo, letIn } = peopleOf(() => world);
const given = ({ socket }: Bob) => ({ url: socket.url, appKey: socket.appKey, member: "bob" });

beforeAll(async () => {
  if (program === null) return;
  [world, page] = await Promise.all([
    startWorld({ replicas: true, env: { OUTBOX_KEY: outboxKey } }),
    openGatePage(program),
  ]);
});
beforeEach(async () => {
  if (program !== null) at = await page.open();
});
afterEach(async () => {
  // Whatever a test was about: the browser has had nothing to complain of, but that it was cut off.
  expect(at?.broken.filter((line) => !line.startsWith("WebSocket connection to"))).toEqual([]);
  await at?.close();
});
afterAll(async () => {
  await page?.close();
  await world?.close();
});

describe.skipIf(program === null)("<portcullis-gate>", { timeout: 60_000 }, () => {
  test("is passed by keyboard alone: what is to be typed has the focus, and a code that is complete needs no key", async () => {
    const bob = await bobOn([{ gate: "otp" }, { gate: "sms" }]);
    await at.put(given(bob));
    await at.pressAt("Enter");
    await at.shows("otp");
    expect(await at.focused()).toBe("input Code from your authenticator app");
    // So that phones offer the code that they have just got, and a keyboard of digits.
    const field = at.tab.getByRole("textbox", { name: "Code" });
    expect(await field.getAttribute("autocomplete")).toBe("one-time-code");
    expect(await field.getAttribute("inputmode")).toBe("numeric");
    await at.type(bob.code());
    await at.shows("sms");
    expect(await at.focused()).toBe("input Code from the text message");
    await at.type(codeIn(await textTo(bob.phone)));
    await at.shows("accepted");
    expect(await at.entered()).toMatchObject({ member: "bob", gates: ["key", "otp", "sms"], suite: "647a" });
    expect((await at.text()).split("\n")).toContain((await at.entered())?.words);
    expect(await at.states()).toEqual([
      "connecting",
      "asking otp",
      "asking sms",
      "waiting sms code queued",
      "waiting sms code sent",
      "accepted",
    ]);
  });
});

describe.skipIf(program === null || !full)("<portcullis-gate>, gate by gate", { timeout: 60_000 }, () => {
  test("walks bob through the whole chain, by keyboard alone", async () => {
    const bob = await bobOn([
      { gate: "otp" },
      { gate: "sms" },
      { gate: "approval", notify: "none" },
      { gate: "question", kind: "excerpt" },
      { gate: "captcha", cost: "low" },
      { gate: "ident", ask: "pick" },
    ]);
    const member = `/v1/sockets/${bob.socket.id}/members/bob`;
    const { secret } = await world.owner.post<{ secret: string }>(`${member}/answer-secret`);
    await world.owner.put(`${member}/sign`, { art: cat });
    await at.put(given(bob));
    await at.pressAt("Enter");
    await at.shows("otp");
    await at.type(bob.code());
    await at.shows("sms");
    await at.type(codeIn(await textTo(bob.phone)));
    await at.shows("waiting");
    await letIn(bob.socket, await at.number());
    await at.shows("secret");
    expect(await at.focused()).toBe("input Your answer secret");
    await at.type("pa1.not-one");
    await at.press("Enter");
    await expect.poll(() => at.text()).toContain("This is no answer secret.");
    await at.type(secret);
    await at.press("Enter");
    await at.shows("ident-pick");
    expect(await at.focused()).toContain("Sign 1");
    const signs = await at.signs();
    // The arrow keys pick among them; the first one has the focus and is not picked.
    await at.press(" ");
    for (let n = 0; n < signs.indexOf(cat); n += 1) await at.press("ArrowDown");
    await at.press("Enter");
    await at.shows("accepted");
    const { gates } = (await at.entered()) ?? {};
    expect(gates).toEqual(["key", "otp", "sms", "approval", "question", "captcha", "ident"]);
  });

  test("says that a code was wrong, at its field and aloud, and takes the right one", async () => {
    const bob = await bobOn([{ gate: "otp" }]);
    await at.put(given(bob));
    await at.start();
    await at.shows("otp");
    const code = bob.code();
    await at.type("12345");
    await at.pressAt("Go on");
    const unfit = "A code has 6 digits.";
    expect(await at.wrongs()).toEqual({ field: unfit, aloud: unfit });
    expect(await at.focused()).toBe("input Code from your authenticator app");
    await at.press("Control+A");
    await at.type(wrong(code));
    const said = "That code was wrong or has been used: each one lets in once.";
    await expect.poll(() => at.wrongs()).toEqual({ field: said, aloud: said });
    expect(await at.focused()).toBe("input Code from your authenticator app");
    expect(await at.described()).toBe(`2 attempts left. ${said}`);
    // As people type it, and as some apps show it.
    await at.type(`${code.slice(0, 3)} ${code.slice(3)}`);
    await at.shows("accepted");
  });

  test("takes no second press for an answer while the first is on its way, and says once that it looks", async () => {
    let lateMs = 0;
    await at.tab.routeWebSocket(/./, (socket) => {
      const server = socket.connectToServer();
      server.onMessage((message) => void setTimeout(() => socket.send(message), lateMs));
    });
    const bob = await bobOn([{ gate: "otp" }]);
    await at.put(given(bob));
    await at.start();
    await at.shows("otp");
    const root = at.tab.locator("portcullis-gate");
    lateMs = 500;
    await at.type(wrong(bob.code()));
    await at.press("Enter");
    await root.getByRole("button", { name: "Go on" }).click();
    expect(await at.wrongs()).toEqual({ field: "", aloud: "" });
    // What is busy is of no interest to a screen reader: what it is to read stands beside it.
    await expect.poll(() => root.locator("[aria-busy=true]").count()).toBe(1);
    expect(await root.locator("[aria-busy=true] :is([role=status], .foot)").count()).toBe(0);
    expect(await root.getByRole("status").innerText()).toBe("Checking");
    await expect.poll(async () => (await at.wrongs()).aloud, soon).toMatch(/^That code was wrong/);
    expect(await root.locator("[aria-busy=true]").count()).toBe(0);
    // So that it is read out once more.
    expect(await root.getByRole("status").innerText()).toBe("");
  });

  test("lets an input method finish: what it still puts in belongs to this code, and not to the next one", async () => {
    const bob = await bobOn([{ gate: "otp" }, { gate: "sms" }]);
    await at.put(given(bob));
    await at.start();
    await at.shows("otp");
    const text = bob.code().replace(/\d/g, (digit) => String.fromCharCode(digit.charCodeAt(0) + 0xfee0));
    const devTools = await at.tab.context().newCDPSession(at.tab);
    const [selectionStart, selectionEnd] = [text.length, text.length];
    await devTools.send("Input.imeSetComposition", { text, selectionStart, selectionEnd });
    expect(await at.tab.locator("portcullis-gate input").inputValue()).toBe(text);
    await devTools.send("Input.insertText", { text });
    await at.shows("sms");
    await at.tab.waitForTimeout(100);
    expect(await at.wrongs()).toEqual({ field: "", aloud: "" });
    expect(await at.text()).toContain("3 attempts left.");
  });

  test("says that a code from a message was wrong, and still has the message", async () => {
    const bob = await bobOn([{ gate: "sms" }]);
    await at.put(given(bob));
    await at.start();
    await at.shows("sms");
    const code = codeIn(await textTo(bob.phone));
    await at.type(wrong(code));
    await expect.poll(async () => (await at.wrongs()).field, soon).toMatch(/^That code was wrong/);
    expect(await at.focused()).toBe("input Code from the text message");
    expect(await at.text()).toMatch(/Text message to \S+ was sent\./);
    expect(await at.text()).toContain("2 attempts left.");
    await at.type(code);
    await at.shows("accepted");
  });

  test("shows the number for the page behind a link, and goes on when it was typed there", async () => {
    const bob = await bobOn([{ gate: "email", by: "link" }]);
    await at.put(given(bob));
    await at.start();
    await at.shows("waiting");
    const number = await at.number();
    expect(number).toMatch(/^[1-9]\d\d$/);
    const link = linkIn(await textTo(bob.email));
    expect((await submit(link, wrong(number))).status).toBe(422);
    expect(await at.number()).toBe(number);
    expect((await submit(link, number)).status).toBe(200);
    await at.shows("accepted");
    expect(await at.states()).toEqual([
      "connecting",
      "waiting email link queued",
      "waiting email link sent",
      "accepted",
    ]);
  });

  test("shows another number, and why, after as many wrong ones as there may be", async () => {
    const bob = await bobOn([{ gate: "email", by: "link" }]);
    await at.put(given(bob));
    await at.start();
    await at.shows("waiting");
    const number = await at.number();
    const link = linkIn(await textTo(bob.email));
    for (let tries = 0; tries < 3; tries += 1) await submit(link, wrong(number));
    await expect.poll(() => at.text(), soon).toContain("Too many wrong numbers were typed. This is another number.");
    expect(await at.number()).not.toBe(number);
  });

  test("says, shown and aloud, why another way is asked for after as many wrong numbers as there may be", async () => {
    const bob = await bobOn([{ anyOf: [{ gate: "otp" }, { gate: "email", by: "link" }] }]);
    await at.put(given(bob));
    await at.start();
    await at.shows("choose");
    await at.pressAt("E-mail");
    await at.shows("waiting");
    const number = await at.number();
    const link = linkIn(await textTo(bob.email));
    for (let tries = 0; tries < 3; tries += 1) await submit(link, wrong(number));
    await at.shows("choose");
    const said = "Too many wrong numbers were typed.";
    const root = at.tab.locator("portcullis-gate");
    expect(await root.locator(".notice").innerText()).toBe(said);
    expect(await root.getByRole("status").innerText()).toBe(said);
  });

  test("lets choose among several ways, leave one for another, and come back to what is waited for", async () => {
    const bob = await bobOn([{ anyOf: [{ gate: "otp" }, { gate: "email", by: "link" }, { gate: "sms" }] }]);
    await at.put(given(bob));
    await at.start();
    await at.shows("choose");
    expect(await at.buttons()).toEqual([
      "Code from your authenticator app",
      "E-mail: a link",
      "Text message: a code",
      "Cancel",
    ]);
    await at.pressAt("E-mail");
    await at.shows("waiting");
    const number = await at.number();
    await at.pressAt("Another way");
    await at.shows("choose");
    await at.pressAt("Back to what is waited for");
    await at.shows("waiting");
    expect(await at.number()).toBe(number);
    await at.pressAt("Another way");
    await at.pressAt("Code from your authenticator app");
    await at.shows("otp");
    const code = bob.code();
    await at.type(wrong(code));
    await expect.poll(async () => (await at.wrongs()).field, soon).toMatch(/^That code was wrong/);
    await at.type(code);
    await at.shows("accepted");
    expect((await at.entered())?.gates).toEqual(["key", "otp"]);
  });

  test("asks a device for its passkey behind a button; again where the finger was none of its own", async () => {
    const origin = new URL(at.url).origin;
    const bob = await bobOn([{ gate: "passkey", relyingParty: "localhost", origins: [origin] }]);
    const verify = await addDevice(at.tab);
    await registerMember(world.owner, { socketId: bob.socket.id, member: "bob", origin }, (options) =>
      at.tab.evaluate(registering(options)),
    );
    await at.put(given(bob));
    await at.start();
    await at.shows("passkey");
    expect(await at.focused()).toBe("button Use your passkey");
    await verify(false);
    await at.press("Enter");
    await expect.poll(() => at.text(), soon).toContain("The passkey was not used.");
    await verify(true);
    await at.press("Enter");
    await at.shows("accepted");
  });

  test("stays in where somebody is let in by a link while a device, or the browser itself, is still at another way", async () => {
    const origin = new URL(at.url).origin;
    const ways = {
      Passkey: { gate: "passkey", relyingParty: "localhost", origins: [origin] },
      "Proof of work": { gate: "captcha", cost: "low" },
    };
    await addDevice(at.tab);
    // Neither ever comes to an end by itself.
    await at.tab.evaluate(`
      navigator.credentials.get = ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      crypto.subtle.deriveBits = () => new Promise((resolve) => setTimeout(resolve, 20, new ArrayBuffer(32)));
    `);
    for (const [way, gate] of Object.entries(ways)) {
      const bob = await bobOn([{ anyOf: [{ gate: "email", by: "link" }, gate] }]);
      const id = { socketId: bob.socket.id, member: "bob", origin };
      if (way === "Passkey") await registerMember(world.owner, id, (options) => at.tab.evaluate(registering(options)));
      await at.put(given(bob));
      await at.start();
      await at.shows("choose");
      await at.pressAt("E-mail");
      await at.shows("waiting");
      const number = await at.number();
      await at.pressAt("Another way");
      await at.pressAt(way);
      if (way === "Passkey") {
        await at.shows("passkey");
        await at.press("Enter");
      } else await at.shows("captcha");
      await submit(linkIn(await textTo(bob.email)), number);
      await expect.poll(() => at.states(), soon).toContain("accepted");
      await at.tab.waitForTimeout(300);
      expect(await at.view()).toBe("accepted");
      expect((await at.states()).at(-1)).toBe("accepted");
    }
  });

  test("says that a session was refused, and no more; and begins anew", async () => {
    const bob = await bobOn([{ gate: "otp" }]);
    const other = await makeSocket(world.owner);
    await at.put({ ...given(bob), appKey: other.appKey });
    await at.start();
    await at.shows("denied");
    expect(await at.text()).toContain("A server does not say why: the key, the address, the name or an answer.");
    expect(await at.text()).not.toContain("The connection is lost");
    expect(await at.errors()).toEqual(["denied: denied"]);
    expect(await at.focused()).toBe("h2 Not let in");
    await at.pressAt("Try again");
    await expect.poll(() => at.errors(), soon).toEqual(["denied: denied", "denied: denied"]);
  });

  test("counts down where the server says when to come back, and lets nobody come before", async () => {
    const bob = await bobOn([{ gate: "otp" }], { onFailure: { free: 1, work: 0, attempts: 1 } });
    await at.put(given(bob));
    for (let n = 0; n < 4; n += 1) {
      if ((await at.view()) !== "otp") await at.start();
      await expect.poll(() => at.view(), soon).toMatch(/^(otp|denied)$/);
      if ((await at.view()) === "otp") await at.type(wrong(bob.code()));
      await at.shows("denied");
      if ((await at.text()).includes("Come back in")) break;
    }
    expect(await at.text()).toMatch(/Come back in \d+:\d\d\./);
    const again = at.tab.getByRole("button", { name: "Try again" });
    expect(await again.getAttribute("aria-disabled")).toBe("true");
    await at.tab.clock.install();
    await at.tab.clock.fastForward(3_600_000);
    await expect.poll(() => again.getAttribute("aria-disabled"), soon).toBe(null);
    const status = at.tab.locator("portcullis-gate").getByRole("status");
    expect(await status.innerText()).toBe("You can try again now.");
  });

  test("goes on at the same gate where the connection is lost, with what was typed already", async () => {
    const bob = await bobOn([{ gate: "otp" }]);
    const proxy = await startTcpProxy(world.edges[0] ?? "");
    await at.put({ ...given(bob), url: proxy.through(bob.socket.url) });
    await at.start();
    await at.shows("otp");
    const code = bob.code();
    await at.type(code.slice(0, 3));
    proxy.cut();
    await expect.poll(() => at.text(), soon).toContain("The connection is lost. Another one is tried.");
    proxy.leadTo(world.edges[1] ?? "");
    await expect.poll(() => at.text(), soon).toContain("The connection is back.");
    // Said, and not left standing there.
    expect(await at.tab.locator("portcullis-gate .notice").isVisible()).toBe(false);
    expect(await at.focused()).toBe("input Code from your authenticator app");
    await at.type(code.slice(3));
    await at.shows("accepted");
    await proxy.close();
  });

  test("goes back to what is waited for where the connection is lost under the work for another way", async () => {
    const bob = await bobOn([
      {
        anyOf: [
          { gate: "email", by: "link" },
          { gate: "captcha", cost: "low" },
        ],
      },
    ]);
    const proxy = await startTcpProxy(world.edges[0] ?? "");
    await at.tab.evaluate(
      "crypto.subtle.deriveBits = () => new Promise((resolve) => setTimeout(resolve, 20, new ArrayBuffer(32)))",
    );
    await at.put({ ...given(bob), url: proxy.through(bob.socket.url) });
    await at.start();
    await at.shows("choose");
    await at.pressAt("E-mail");
    await at.shows("waiting");
    const number = await at.number();
    await at.pressAt("Another way");
    await at.pressAt("Proof of work");
    await at.shows("captcha");
    proxy.cut();
    proxy.leadTo(world.edges[1] ?? "");
    await at.shows("waiting");
    expect(await at.number()).toBe(number);
    await submit(linkIn(await textTo(bob.email)), number);
    await at.shows("accepted");
    await proxy.close();
  });

  test("rises above the page for a step-up, where nobody who types there loses a key, and gives the focus back", async () => {
    const bob = await bobOn([], { during: [{ message: "transfer", gate: "otp" }], resume: "30s" });
    await at.put(given(bob));
    await at.start();
    await at.shows("otp");
    await at.type(bob.code());
    await at.shows("accepted");
    await at.tab.getByLabel("Search").focus();
    const sending = at.send("a transfer", "transfer");
    void sending.catch(() => undefined);
    await at.shows("otp");
    await at.type("still searching");
    expect(await at.tab.getByLabel("Search").inputValue()).toBe("still searching");
    const dialog = at.tab.getByRole("dialog", { name: "Code from your authenticator app" });
    // It says what is left by it.
    expect(await at.buttons()).toContain("End the session");
    await dialog.getByRole("textbox").focus();
    await at.type(bob.code());
    await at.shows("accepted");
    await expect.poll(() => at.focused()).toBe("input Search");
    await sending;
  });

  test("gives the focus back to what had it, also inside of another element", async () => {
    const bob = await bobOn([], { during: [{ message: "transfer", gate: "otp" }], resume: "30s" });
    await at.put(given(bob));
    await at.start();
    await at.shows("otp");
    await at.type(bob.code());
    await at.shows("accepted");
    await at.tab.evaluate(`{
      const panel = document.createElement("x-panel");
      const send = document.createElement("button");
      send.append("Transfer");
      panel.attachShadow({ mode: "open" }).append(send);
      document.body.append(panel);
      send.focus();
    }`);
    const sending = at.send("a transfer", "transfer");
    void sending.catch(() => undefined);
    await at.shows("otp");
    expect(await at.focused()).toBe("input Code from your authenticator app");
    await at.type(bob.code());
    await sending;
    await expect.poll(() => at.focused()).toBe("button Transfer");
  });

  test("takes the focus out of nothing in which somebody may be typing: no frame, and nothing that it cannot look into", async () => {
    const bob = await bobOn([{ gate: "otp" }]);
    const elsewhere = [
      "document.createElement('iframe')",
      "(() => { const made = document.createElement('x-editor'); made.tabIndex = 0; made.attachShadow({ mode: 'closed' }); return made; })()",
      "(() => { const made = document.createElement('div'); made.tabIndex = 0; made.role = 'textbox'; return made; })()",
    ];
    for (const made of elsewhere) {
      await at.put(given(bob));
      await at.tab.evaluate(`{ globalThis.typing = ${made}; document.body.append(typing); typing.focus(); }`);
      await at.start();
      await at.shows("otp");
      expect(await at.tab.evaluate("document.activeElement === typing")).toBe(true);
      await at.tab.evaluate("typing.remove()");
    }
  });

  test("gives the focus to what is to be typed also where a click gives none to a button, as in Safari", async () => {
    await at.put(given(await bobOn([{ gate: "otp" }])));
    const noFocus = "(event) => event.preventDefault()";
    await at.tab.evaluate(`document.querySelector("portcullis-gate").addEventListener("mousedown", ${noFocus})`);
    await at.tab.getByRole("button", { name: "Connect" }).click();
    await at.shows("otp");
    expect(await at.focused()).toBe("input Code from your authenticator app");
  });

  test("stays above the page where it is moved during a step-up, and takes one up when it is put back into the page", async () => {
    const bob = await bobOn([], { during: [{ message: "transfer", gate: "otp" }], resume: "30s" });
    const card = at.tab.locator("portcullis-gate .card");
    const isAbove = () => card.evaluate((element) => element.matches(":popover-open"));
    await at.put(given(bob));
    await at.start();
    await at.shows("otp");
    await at.type(bob.code());
    await at.shows("accepted");
    await at.remove();
    const sending = at.send("a transfer", "transfer");
    void sending.catch(() => undefined);
    await expect.poll(() => at.states(), soon).toContain("step-up");
    await at.move();
    await expect.poll(isAbove).toBe(true);
    await at.move();
    expect(await isAbove()).toBe(true);
    expect(await card.isVisible()).toBe(true);
    await card.getByRole("textbox").fill(bob.code());
    await at.shows("accepted");
    await sending;
    expect(await isAbove()).toBe(false);
  });

  test("has the person fill in what the page does not know, and says what of it is wrong", async () => {
    const bob = await bobOn([{ gate: "otp" }]);
    await at.put({ member: "" });
    await at.shows("form");
    await at.tab.getByLabel("Address of the socket").fill("https://example.com/");
    await at.tab.getByLabel("App key").fill(bob.socket.appKey);
    await at.tab.getByLabel("Your name there").fill("bob");
    await at.press("Enter");
    expect(await at.wrongs()).toMatchObject({ field: "This is no address of a socket." });
    expect(await at.focused()).toBe("input Address of the socket");
    // Nothing but what was wrong is to be typed again.
    await at.tab.getByLabel("Address of the socket").fill(bob.socket.url);
    await at.press("Enter");
    await at.shows("otp");
    await at.tab.getByRole("button", { name: "Cancel" }).click();
    await at.put({ member: "" });
    await at.tab.getByLabel("Address of the socket").fill(bob.socket.url);
    await at.tab.getByLabel("App key").fill("pc1.nothing");
    await at.tab.getByLabel("Your name there").fill("bob");
    await at.press("Enter");
    await expect.poll(() => at.wrongs()).toMatchObject({ field: "This is no app key." });
    expect(await at.focused()).toBe("input App key");
    expect(await at.markup()).not.toContain(new URL(bob.socket.url).pathname);
    await at.type(bob.socket.appKey);
    await at.press("Enter");
    await at.shows("otp");
    await at.type(bob.code());
    await at.shows("accepted");
  });

  test("goes on without anybody who vouches for the server only where the page allows it and the person says so", async () => {
    const { url } = await makeSocket(world.owner, { gates: [{ gate: "path" }], anonymous: true });
    await at.put({ url, unpinned: "allow" });
    await at.press("Tab");
    await at.tab.getByRole("button", { name: "Connect" }).click();
    await at.shows("unpinned");
    // Nothing was sent yet, and whoever presses Enter without looking has chosen nothing.
    expect(await at.states()).toEqual([]);
    expect(await at.focused()).toBe("h2 Nothing vouches for this server");
    await at.tab.getByRole("button", { name: "Go on all the same" }).click();
    await at.shows("accepted");
    expect(await at.text()).toContain("Nothing vouches for this server. The words of its key:");
  });

  test("is left by its button, by the page, and by being taken away; and not by being moved", async () => {
    const bob = await bobOn([{ gate: "otp" }]);
    await at.put(given(bob));
    await at.start();
    await at.shows("otp");
    await at.pressAt("Cancel");
    await at.shows("cancelled");
    expect(await at.errors()).toEqual(["cancelled: cancelled"]);
    await at.pressAt("Try again");
    await at.shows("otp");
    await at.move();
    await at.tabTo("Code from your authenticator app");
    await at.type(bob.code());
    await at.shows("accepted");
    await at.put(given(bob));
    await at.start();
    await at.shows("otp");
    await at.remove();
    await expect.poll(() => at.errors(), soon).toEqual(["cancelled: cancelled"]);
  });

  test("tells the owner of a server that the person did not recognise", async () => {
    const bob = await bobOn([{ gate: "ident", ask: "agree" }, { gate: "otp" }]);
    await at.put(given(bob));
    await at.start();
    await at.shows("ident-agree");
    expect(await at.focused()).toBe("h2 Is this the server that you know?");
    await at.tab.getByRole("button", { name: "I do not recognise this" }).click();
    await at.shows("cancelled");
    expect(await at.errors()).toEqual(["cancelled: not-recognised"]);
    const alerts = async () =>
      (await world.owner.get<{ alerts: { kind: string }[] }>(`/v1/sockets/${bob.socket.id}/alerts`)).alerts;
    await expect.poll(async () => (await alerts()).map(({ kind }) => kind), soon).toContain("not-recognised");
  });

  test("does not say that the person has left where a function of the page's has failed, and tells the page by what", async () => {
    const bob = await bobOn([{ gate: "otp" }]);
    await at.put({ ...given(bob), failing: "no code of the page's" });
    await at.start();
    await at.shows("denied");
    expect(await at.text()).toContain("This page could not give what is asked for.");
    expect(await at.errors()).toEqual(["denied: cancelled"]);
    await expect.poll(() => at.broken.splice(0)).toEqual([expect.stringContaining("no code of the page's")]);
  });

  test("says that it is the page's doing where what it gave can never work, and tells the page why", async () => {
    const { url, appKey } = given(await bobOn([]));
    const wrongs = [
      { pin: "no fingerprint" },
      { url: "https://example.com/chat/path" },
      { options: { timeoutMs: 0.5 } },
    ];
    for (const wrong of wrongs) {
      await at.put({ url, appKey, ...wrong });
      await at.tab.getByRole("button", { name: "Connect" }).click();
      await at.shows("denied");
      expect(await at.text()).toContain("This page could not give what is asked for.");
      expect(await at.errors()).toEqual(["denied: cancelled"]);
      await expect.poll(() => at.broken.splice(0)).toEqual([expect.stringMatching(/^(pin|The URL|timeoutMs) is not /)]);
    }
  });

  test("says that the session is over when the page logs out, and nothing of a connection that is lost", async () => {
    await at.put(given(await bobOn([])));
    await at.start();
    await at.shows("accepted");
    expect(await at.text()).toContain("Passed: App key.");
    await at.logout();
    await at.shows("closed");
    expect(await at.text()).not.toContain("The connection is lost");
  });

  test("says when a session ends, and connects again", async () => {
    const bob = await bobOn([]);
    await at.put(given(bob));
    await at.start();
    await at.shows("accepted");
    const url = `/v1/sockets/${bob.socket.id}/sessions`;
    const { sessions } = await world.owner.get<{ sessions: { sid: string }[] }>(url);
    await at.tab.locator("#enter").focus();
    await world.owner.delete(`${url}/${sessions[0]?.sid}`);
    await at.shows("closed");
    // The person is elsewhere since, and hears of it there.
    expect(await at.focused()).toBe("button Enter");
    expect(await at.tab.locator("portcullis-gate").getByRole("status").innerText()).toBe("The session is over");
    await at.pressAt("Connect again");
    await at.shows("accepted");
  });

  // The last one: the clocks differ afterwards.
  test("sends a message again when that may be, and not before", async () => {
    const bob = await bobOn([{ gate: "sms" }]);
    await at.tab.clock.install();
    await at.put(given(bob));
    await at.start();
    await at.shows("sms");
    await textTo(bob.phone);
    // Whoever has the focus on it would hear each second of a name that counts.
    const again = at.tab.getByRole("button", { name: "Send again", exact: true });
    expect(await again.getAttribute("aria-disabled")).toBe("true");
    await expect.poll(() => at.text(), soon).toMatch(/^Send again in 0:\d\d$/m);
    await at.type("12");
    world.advance(60_000);
    await at.tab.clock.fastForward(60_000);
    await expect.poll(() => again.getAttribute("aria-disabled"), soon).toBe(null);
    expect(await at.tab.locator("portcullis-gate").getByRole("status").innerText()).toBe(
      "You can ask for another message now.",
    );
    // Twice, and it would be said that there were too many.
    await at.tab.evaluate("globalThis.sent = 0; WebSocket.prototype.send = () => { sent += 1; }");
    await again.dblclick();
    await expect.poll(() => at.tab.evaluate("sent"), soon).toBe(1);
    await at.tab.waitForTimeout(100);
    expect(await at.tab.evaluate("sent")).toBe(1);
    expect(await again.getAttribute("aria-disabled")).toBe("true");
    // What was begun to be typed is still there.
    expect(await at.tab.getByRole("textbox", { name: "Code" }).inputValue()).toBe("12");
  });
});
