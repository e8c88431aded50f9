import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../deploy/local/free-port.ts";
import { registerMember, ticketBy } from "../passkeys/socket-page.ts";
import { createSoftPasskey } from "../passkeys/soft-passkey.ts";
import { launchBrowser } from "./browser/browser.ts";
import { addDevice, registering } from "./browser/device.ts";
import { findBrowser } from "./browser/find-browser.ts";
import { denial, sessionKeeper } from "./support/sessions.ts";
import { makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

/** Slow, for it starts a browser: `npm run test:full`. */
const full = process.env.PORTCULLIS_FULL === "1";

const program = findBrowser(process.env);
const keeper = sessionKeeper();
const policy = { before: { ticket: "required" }, gates: [{ gate: "path" }] };
let world: World;
let at = "";
let pin = "";
beforeAll(async () => {
  world = await startWorld({ replicas: true });
  at = new URL(world.url).origin;
  pin = (await world.owner.get<{ fingerprint: string }>("/v1/server")).fingerprint;
});
afterEach(() => keeper.closeAll());
afterAll(() => world.close());

const pageOf = ({ url }: OwnedSocket) => url.replace(/^ws/, "http");
async function withBob(more: object = {}): Promise<OwnedSocket> {
  const socket = await makeSocket(world.owner, { ...policy, ...more });
  await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob", passphrase: "a passphrase of bob's" });
  return socket;
}

test("a passkey gets a ticket that lets in, until the passkey is removed, which puts out who came in by it", async () => {
  const socket = await withBob();
  const phone = createSoftPasskey();
  const whose = { socketId: socket.id, member: "bob", origin: at };
  const { id } = await registerMember(world.owner, whose, (options) => phone.register(options, at));
  const get = async () =>
    (await (await ticketBy(phone, `${pageOf(socket)}/app?room=2`, "bob")).json()) as { ticket: string; url: string };
  const { ticket, url } = await get();
  const session = await keeper.connect(url, { pin, ticket });
  expect(session).toMatchObject({ member: "bob", gates: ["ticket"], assurance: { memberBound: true } });
  const unused = await get();
  await world.owner.delete(`/v1/sockets/${socket.id}/members/bob/passkeys/${id}`);
  expect(await session.closed).toMatchObject({ reason: "revoked", what: "kicked" });
  await expect(keeper.connect(unused.url, { pin, ticket: unused.ticket })).rejects.toMatchObject(denial);
  expect((await ticketBy(phone, pageOf(socket), "bob")).status).toBe(401);
});

describe.runIf(full && program !== null)(
  "the page at a socket's address, with a passkey in a real browser",
  {
    timeout: 60_000,
  },
  () => {
    let browser: Awaited<ReturnType<typeof launchBrowser>>;
    beforeAll(async () => {
      if (program !== null) browser = await launchBrowser(program);
    });
    afterAll(() => browser?.close());

    /** A tab on the page, and a device of bob's that is registered there. */
    async function tabOf(socket: OwnedSocket, url = pageOf(socket), query = "") {
      const tab = await browser.newPage({ viewport: { width: 320, height: 640 }, colorScheme: "dark" });
      const broken: string[] = [];
      tab.on("console", (message) => void broken.push(message.text()));
      tab.on("pageerror", (error) => void broken.push(error.message));
      await tab.goto(`${url}${query}`);
      const verify = await addDevice(tab);
      const whose = { socketId: socket.id, member: "bob", origin: new URL(url).origin };
      await registerMember(world.owner, whose, (options) => tab.evaluate(registering(options)));
      return { tab, broken, verify };
    }
    const passkeyOn = (tab: Page) => tab.getByRole("button", { name: "Use a passkey" });

    test("lets in by keyboard alone, says what it does, and shows the ticket", async () => {
      const socket = await withBob();
      const { tab, broken } = await tabOf(socket);
      // Without a name nothing is asked of the device.
      await passkeyOn(tab).focus();
      await tab.keyboard.press("Enter");
      expect(await tab.evaluate("document.activeElement.id")).toBe("id");
      await tab.keyboard.type("bob");
      for (let presses = 0; presses < 3; presses += 1) await tab.keyboard.press("Tab");
      expect(await tab.evaluate("document.activeElement.textContent")).toBe("Use a passkey");
      expect(await tab.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(320);
      await tab.keyboard.press("Enter");
      const ticket = (await tab.locator("#ticket").innerText()).trim();
      expect((await keeper.connect(`${socket.url}?id=bob`, { ticket, pin })).member).toBe("bob");
      expect(broken).toEqual([]);
      await tab.close();
    });

    test("leads on to the application, with the ticket in the fragment", async () => {
      const server = createServer((_request, response) => response.end("in")).listen(0, "127.0.0.1");
      await once(server, "listening");
      const application = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const socket = await withBob({ origins: [application] });
      const { tab } = await tabOf(
        socket,
        pageOf(socket),
        `?id=bob&return_to=${encodeURIComponent(`${application}/in`)}`,
      );
      await passkeyOn(tab).click();
      await tab.waitForURL(`${application}/**`);
      expect(tab.url().slice(application.length)).toMatch(/^\/in#ticket=pt1\.[\w-]{43}$/);
      await tab.close();
      server.close();
      server.closeAllConnections();
    });

    test("works at the socket's own host, whose passkey is none of this server's", async () => {
      const socket = await withBob();
      const [, label, path] = new URL(socket.url).pathname.split("/");
      const own = `http://${label}.localhost:${new URL(world.url).port}/${path}`;
      const { tab } = await tabOf(socket, own, "?id=bob");
      await passkeyOn(tab).click();
      const ticket = (await tab.locator("#ticket").innerText()).trim();
      expect((await keeper.connect(`${socket.url}?id=bob`, { ticket, pin })).member).toBe("bob");
      await tab.close();
    });

    test("says what went wrong, and still takes a passphrase", async () => {
      const socket = await withBob();
      const { tab, broken, verify } = await tabOf(socket, pageOf(socket), "?id=bob");
      await verify(false);
      await passkeyOn(tab).click();
      await expect.poll(() => tab.getByRole("status").innerText()).toContain("No passkey was used");
      await verify(true);
      await tab.getByLabel("Name").fill("eve");
      await passkeyOn(tab).click();
      await tab.getByRole("alert").waitFor();
      expect(broken.filter((line) => !line.includes("422"))).toEqual([]);
      await tab.getByLabel("Name").fill("bob");
      await tab.getByLabel("Passphrase").fill("a passphrase of bob's");
      await tab.getByRole("button", { name: "Continue" }).click();
      await tab.locator("#ticket").waitFor();
      await tab.close();
    });

    test("says that there are none where the server goes by an IP address, and still takes a passphrase", async () => {
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      const other = await startWorld({ env: { PORT: `${port}`, PUBLIC_URL: url } });
      const socket = await makeSocket(other.owner, policy);
      const bob = { name: "bob", passphrase: "a passphrase of bob's" };
      await other.owner.post(`/v1/sockets/${socket.id}/members`, bob);
      const tab = await browser.newPage();
      await tab.goto(`${pageOf(socket)}?id=bob`);
      await passkeyOn(tab).click();
      await expect.poll(() => tab.getByRole("status").innerText()).toContain("do not work at this address");
      await tab.getByLabel("Passphrase").fill(bob.passphrase);
      await tab.getByRole("button", { name: "Continue" }).click();
      await tab.locator("#ticket").waitFor();
      await tab.close();
      await other.close();
    });

    test("offers none where there are none, or no script, and the form is there all the same", async () => {
      const socket = await withBob();
      const [bare, scriptless] = [
        await browser.newPage(),
        await (await browser.newContext({ javaScriptEnabled: false })).newPage(),
      ];
      await bare.addInitScript("delete window.PublicKeyCredential");
      for (const tab of [bare, scriptless]) {
        await tab.goto(pageOf(socket));
        expect(await passkeyOn(tab).count()).toBe(0);
        await tab.getByLabel("Name").fill("bob");
        await tab.getByLabel("Passphrase").fill("a passphrase of bob's");
        await tab.getByRole("button", { name: "Continue" }).click();
        await tab.locator("#ticket").waitFor();
        await tab.close();
      }
    });
  },
);
