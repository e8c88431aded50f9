import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Session } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser } from "./browser/browser.ts";
import { findBrowser } from "./browser/find-browser.ts";
import { helloComes } from "./support/raw-client.ts";
import { at, denial, read, sessionKeeper } from "./support/sessions.ts";
import { makeMember, makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

const keeper = sessionKeeper();
const passphrase = "a passphrase of bob's";
const program = findBrowser(process.env);
let world: World;
let pin = "";
beforeAll(async () => {
  world = await startWorld({ replicas: true });
  pin = (await world.owner.get<{ fingerprint: string }>("/v1/server")).fingerprint;
});
afterEach(() => keeper.closeAll());
afterAll(() => world.close());

interface Minted {
  readonly ticket: string;
  readonly url: string;
  readonly pin: string;
  readonly expiresAt: string;
}
const mint = (socket: OwnedSocket, body: object) => world.owner.post<Minted>(`/v1/sockets/${socket.id}/tickets`, body);
const listed = async ({ id }: OwnedSocket) =>
  (await world.owner.get<{ sessions: Record<string, unknown>[] }>(`/v1/sockets/${id}/sessions`)).sessions;

async function withBob(policy: object): Promise<OwnedSocket> {
  const socket = await makeSocket(world.owner, policy);
  await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob", passphrase });
  return socket;
}

describe("a ticket for a passphrase", () => {
  test("is had at the socket's own address, and is the way in, with all that came along", async () => {
    const socket = await withBob({ before: { ticket: "required" }, gates: [{ gate: "key" }] });
    const address = `${socket.url.replace(/^ws/, "http")}/fancy_app_path?room=2`;
    const answer = await fetch(address, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ id: "bob", passphrase }),
    });
    const { ticket, url, expiresAt } = (await answer.json()) as Minted;
    expect(Date.parse(expiresAt) - world.now()).toBeGreaterThan(50_000);
    const { appKey } = socket;
    const session = await keeper.connect(url, { appKey, ticket, parameters: { theme: "dark" } });
    expect(session).toMatchObject({ member: "bob", gates: ["ticket", "key"] });
    expect(session.assurance).toEqual({ key: true, memberBound: true, gates: ["ticket"] });
    expect(await listed(socket)).toMatchObject([
      {
        role: "member",
        member: "bob",
        gates: ["ticket", "key"],
        assurance: { key: true, memberBound: true, gates: ["ticket"] },
        context: { rest: "fancy_app_path", query: "id=bob&room=2" },
        parameters: { theme: "dark" },
      },
    ]);
    await expect(keeper.connect(url, { appKey, ticket })).rejects.toMatchObject(denial);
    await expect(keeper.connect(url, { appKey })).rejects.toMatchObject(denial);
  });

  test("is asked for once where the handshake goes on at another edge, and where the session does", async () => {
    const socket = await makeSocket(world.owner, { before: { ticket: "required" }, gates: [{ gate: "key" }] });
    const bob = await makeMember(world.owner, socket, "bob");
    let asked = 0;
    const ticket = async () => {
      asked += 1;
      return (await mint(socket, { member: "bob" })).ticket;
    };
    const sockets: WebSocket[] = [];
    class Breaking extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(at(world.edges[sockets.length % 2], url), protocols);
        sockets.push(this);
      }
    }
    const states: string[] = [];
    const session: Session = await keeper.connect(`${socket.url}?id=bob`, {
      appKey: socket.appKey,
      ticket,
      webSocket: Breaking as never,
      onState: ({ is }) => states.push(is),
      answers: {
        otp: async () => {
          // Lost while somebody looks for the code.
          if (sockets.length === 1) sockets[0]?.close(3_000);
          return bob.code(world.now());
        },
      },
    });
    expect([session.gates, asked]).toEqual([["ticket", "key", "otp"], 1]);
    sockets.at(-1)?.close(3_000);
    await expect.poll(() => states, { timeout: 10_000 }).toContain("resumed");
    expect(asked).toBe(1);
  });
});

describe("a ticket of the owner's backend", () => {
  test("lets in whom it has signed in", async () => {
    const socket = await withBob({ gates: [{ anyOf: [{ gate: "ticket" }, { gate: "otp", of: "socket" }] }] });
    const made = await mint(socket, { member: "bob" });
    expect(made).toMatchObject({ pin, url: expect.stringMatching(/\/\{path\}\?id=bob$/) });
    const session = await keeper.connect(`${socket.url}?id=bob`, { ticket: made.ticket, pin });
    expect(session).toMatchObject({ member: "bob", gates: ["ticket"] });
  });
});

describe("the owner's own ticket", () => {
  test.each(["owner", "consumer"])("reaches a socket whose gates they do not pass: %s", async (role) => {
    const socket = await withBob({
      gates: [{ gate: "key" }, { gate: "otp" }],
      encryption: { session: "required" },
      resume: "10s",
    });
    const { ticket, ...made } = await mint(socket, { role });
    const session = await keeper.connect(socket.url, { ticket, pin: made.pin, echo: true, requireSealed: true });
    expect(session).toMatchObject({ member: null, gates: ["ticket"], sealed: true });
    await session.send("hello");
    expect(await read(session, 1)).toEqual(["hello"]);
    expect(await listed(socket)).toMatchObject([{ role, member: null, gates: ["ticket"] }]);
    await expect(keeper.connect(socket.url, { ticket, pin })).rejects.toMatchObject(denial);
    await expect(keeper.connect(socket.url, { pin })).rejects.toMatchObject(denial);
  });
});

describe.skipIf(program === null)("the page at a socket's address, in a real browser", { timeout: 60_000 }, () => {
  let browser: Awaited<ReturnType<typeof launchBrowser>>;
  let application: Awaited<ReturnType<typeof startApplication>>;
  beforeAll(async () => {
    if (program === null) return;
    [browser, application] = await Promise.all([launchBrowser(program), startApplication()]);
  });
  afterAll(async () => {
    await browser?.close();
    application?.close();
  });
  const pageOf = ({ url }: OwnedSocket) => url.replace(/^ws/, "http");

  test("takes name and passphrase, and shows a ticket that lets in", async () => {
    const socket = await withBob({ before: { ticket: "required" }, gates: [{ gate: "path" }] });
    const tab = await browser.newPage({ viewport: { width: 320, height: 568 }, colorScheme: "dark" });
    const broken: string[] = [];
    tab.on("console", (message) => void broken.push(message.text()));
    tab.on("pageerror", (error) => void broken.push(error.message));
    await tab.goto(`${pageOf(socket)}?id=bob`);
    expect(await tab.getByLabel("Name").inputValue()).toBe("bob");
    await tab.getByLabel("Passphrase").fill("not that one");
    await tab.keyboard.press("Enter");
    await tab.getByRole("alert").waitFor();
    // The status of what was refused is all that a console has to say.
    expect(broken.filter((line) => !line.includes("422"))).toEqual([]);
    await tab.getByLabel("Name").fill("bob");
    await tab.getByLabel("Passphrase").fill(passphrase);
    await tab.getByRole("button", { name: "Continue" }).click();
    const ticket = (await tab.locator("#ticket").innerText()).trim();
    // Nothing sticks out of the smallest screen.
    expect(await tab.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(320);
    expect(await tab.evaluate("getComputedStyle(document.body).backgroundColor")).not.toBe("rgb(255, 255, 255)");
    const session = await keeper.connect(`${socket.url}?id=bob`, { ticket, pin });
    expect(session.member).toBe("bob");
    await tab.close();
  });

  test("leads on to the application that sent it there, with the ticket in the fragment only", async () => {
    const socket = await withBob({
      before: { ticket: "required" },
      gates: [{ gate: "path" }],
      origins: [application.origin],
    });
    const tab = await browser.newPage();
    await tab.goto(`${pageOf(socket)}?return_to=${encodeURIComponent(`${application.origin}/in?x=1`)}`);
    await tab.getByLabel("Name").fill("bob");
    await tab.getByLabel("Passphrase").fill(passphrase);
    await tab.getByRole("button", { name: "Continue" }).click();
    await tab.waitForURL(`${application.origin}/**`);
    const { hash, search } = new URL(tab.url());
    expect(search).toBe("?x=1");
    const ticket = new URLSearchParams(hash.slice(1)).get("ticket") ?? "";
    expect((await keeper.connect(`${socket.url}?id=bob`, { ticket, pin })).gates).toEqual(["ticket"]);
    expect(application.heard.join("\n")).toContain("/in?x=1");
    expect(application.heard.join("\n")).not.toContain("pt1.");
    expect(application.heard.join("\n")).not.toContain(new URL(socket.url).pathname);
    await tab.close();
  });

  test("cannot be framed, and leads to nobody whom the policy does not name", async () => {
    const socket = await withBob({ before: { ticket: "required" }, gates: [{ gate: "path" }] });
    const tab = await browser.newPage();
    await tab.goto(`${application.origin}/frame?of=${encodeURIComponent(pageOf(socket))}`);
    await tab.waitForLoadState("networkidle");
    expect(await tab.frameLocator("iframe").getByLabel("Passphrase").count()).toBe(0);
    await tab.goto(`${pageOf(socket)}?return_to=${encodeURIComponent(`${application.origin}/in`)}`);
    await tab.getByLabel("Name").fill("bob");
    await tab.getByLabel("Passphrase").fill(passphrase);
    await tab.getByRole("button", { name: "Continue" }).click();
    await tab.locator("#ticket").waitFor();
    expect(new URL(tab.url()).origin).toBe(new URL(world.url).origin);
    await tab.close();
  });
});

/** A page of somebody's on another origin; everything that its server hears. */
async function startApplication() {
  const heard: string[] = [];
  const server = createServer((request, response) => {
    heard.push(JSON.stringify([request.url, request.headers]));
    const of = new URL(request.url ?? "/", "http://x").searchParams.get("of");
    response.setHeader("content-type", "text/html");
    response.end(
      `<!doctype html><title>App</title>${of === null ? "" : `<iframe src="${of.replaceAll('"', "")}"></iframe>`}`,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    heard,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

test("the edges still take upgrades at every such address", async () => {
  for (const edge of world.edges) await helloComes(`${edge}/nobody/nowhere/at/all?x=1`);
});
