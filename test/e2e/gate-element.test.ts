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
    await at.tabTo("Enter");
    await at.press("Enter");
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
    await at.tabTo("Enter");
    await at.press("Enter");
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
    await at.press("Enter");
    expect(await at.wrongs()).toEqual({ field: "A code has 6 digits.", aloud: "" });
    await at.press("Control+A");
    await at.type(wrong(code));
    const said = "That code was wrong or has been used: each one lets in once.";
    await expect.poll(() => at.wrongs()).toEqual({ field: said, aloud: said });
    expect(await at.focused()).toBe("input Code from your authenticator app");
    expect(await at.text()).toContain("2 attempts left.");
    // As people type it, and as some apps show it.
    await at.type(`${code.slice(0, 3)} ${code.slice(3)}`);
    await at.shows("accepted");
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
    await at.tabTo("E-mail");
    await at.press("Enter");
    await at.shows("waiting");
    const number = await at.number();
    await at.tabTo("Another way");
    await at.press("Enter");
    await at.shows("choose");
    await at.tabTo("Back to what is waited for");
    await at.press("Enter");
    await at.shows("waiting");
    expect(await at.number()).toBe(number);
    await at.tabTo("Another way");
    await at.press("Enter");
    await at.tabTo("Code from your authenticator app");
    await at.press("Enter");
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
    await at.tabTo("Try again");
    await at.press("Enter");
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
    expect(await at.tab.getByRole("button", { name: "Try again" }).getAttribute("aria-disabled")).toBe("true");
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
    expect(await at.focused()).toBe("input Code from your authenticator app");
    await at.type(code.slice(3));
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
    await dialog.getByRole("textbox").focus();
    await at.type(bob.code());
    await at.shows("accepted");
    await expect.poll(() => at.focused()).toBe("input Search");
    await sending;
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
    await expect.poll(() => at.text()).toContain("This is no address of a socket.");
    await at.tab.getByLabel("Address of the socket").fill(bob.socket.url);
    await at.tab.getByLabel("App key").fill("pc1.nothing");
    await at.tab.getByLabel("Your name there").fill("bob");
    await at.press("Enter");
    await expect.poll(() => at.text()).toContain("This is no app key.");
    await at.tab.getByLabel("Address of the socket").fill(bob.socket.url);
    await at.tab.getByLabel("App key").fill(bob.socket.appKey);
    await at.tab.getByLabel("Your name there").fill("bob");
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
    await at.tabTo("Cancel");
    await at.press("Enter");
    await at.shows("cancelled");
    expect(await at.errors()).toEqual(["cancelled: cancelled"]);
    await at.tabTo("Try again");
    await at.press("Enter");
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

  test("says that it is the page's failure where an option of the page's is wrong, and tells the page which", async () => {
    await at.put({ ...given(await bobOn([])), options: { timeoutMs: 0.5 } });
    await at.start();
    await at.shows("denied");
    expect(await at.text()).toContain("This page could not give what is asked for.");
    expect(await at.errors()).toEqual(["denied: cancelled"]);
    await expect.poll(() => at.broken.splice(0)).toEqual([expect.stringContaining("timeoutMs is not in 1 to")]);
  });

  test("tells the page that its address is none, which the person cannot mend", async () => {
    await at.put({ ...given(await bobOn([])), url: "https://example.com/a/b" });
    await at.tab.getByRole("button", { name: "Connect" }).click();
    await expect.poll(() => at.text()).toContain("This is no address of a socket.");
    await expect.poll(() => at.broken.splice(0)).toEqual([expect.stringContaining("The URL is not ws: or wss:.")]);
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
    await world.owner.delete(`${url}/${sessions[0]?.sid}`);
    await at.shows("closed");
    await at.tabTo("Connect again");
    await at.press("Enter");
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
    const again = at.tab.getByRole("button", { name: /^Send again/ });
    expect(await again.getAttribute("aria-disabled")).toBe("true");
    await expect.poll(() => at.buttons(), soon).toContainEqual(expect.stringMatching(/^Send again in 0:\d\d$/));
    await at.type("12");
    world.advance(60_000);
    await at.tab.clock.fastForward(60_000);
    await expect.poll(() => again.innerText(), soon).toBe("Send again");
    await again.click();
    await expect.poll(() => again.getAttribute("aria-disabled"), soon).toBe("true");
    // What was begun to be typed is still there.
    expect(await at.tab.getByRole("textbox", { name: "Code" }).inputValue()).toBe("12");
  });
});
