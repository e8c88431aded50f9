import dns from "node:dns";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { freePort } from "../../deploy/local/free-port.ts";
import { buildOverlay } from "../k8s/kustomize.ts";
import { registerMember, ticketBy } from "../passkeys/socket-page.ts";
import { createSoftPasskey } from "../passkeys/soft-passkey.ts";
import { launchBrowser } from "./browser/browser.ts";
import { addDevice, registering } from "./browser/device.ts";
import { findBrowser } from "./browser/find-browser.ts";
import { startGateway } from "./support/gateway.ts";
import { helloComes } from "./support/raw-client.ts";
import { denial, sessionKeeper } from "./support/sessions.ts";
import { makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

/**
 * The services behind the routes of `k8s/overlays/dev`, which a Gateway of the test's own follows: edge and API have ports of their own, so that
 * neither could do the other's work.
 */
const program = findBrowser(process.env);
const full = process.env.PORTCULLIS_FULL === "1";
const keeper = sessionKeeper();
const passphrase = "a passphrase of bob's";
const client = "198.51.100.7";
let world: World | undefined;
let gateway: Awaited<ReturnType<typeof startGateway>> | undefined;
let hosts = { owners: "", sockets: "", domain: "" };
let pin = "";

beforeAll(async () => {
  const manifests = await buildOverlay("dev");
  if (manifests === null && process.env.CI === "true")
    throw new Error("neither kubectl, kustomize nor Go is here to build the manifests with");
  if (manifests === null) return;
  const settings = manifests.filter(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === "settings");
  const { PUBLIC_URL = "", SOCKETS_URL = "", DOMAIN = "" } = settings[0]?.data ?? {};
  const [port, api, edge] = [await freePort(), await freePort(), await freePort()];
  hosts = {
    owners: `${new URL(PUBLIC_URL).host}:${port}`,
    sockets: `${new URL(SOCKETS_URL).host}:${port}`,
    domain: DOMAIN,
  };
  namesLeadHere();
  gateway = await startGateway({ manifests, port, services: { api, edge }, client });
  world = await startWorld({
    env: {
      PORT: `${api}`,
      EDGE_PORT: `${edge}`,
      DOMAIN,
      PUBLIC_URL: `http://${hosts.owners}`,
      SOCKETS_URL: `ws://${hosts.sockets}`,
      TRUSTED_PROXIES: "127.0.0.1",
    },
  });
  pin = (await world.owner.get<{ fingerprint: string }>("/v1/server")).fingerprint;
}, 240_000);
beforeEach(({ skip }) => {
  if (world === undefined) skip("neither kubectl, kustomize nor Go is here to build the manifests with");
});
afterEach(() => keeper.closeAll());
afterAll(async () => {
  await world?.close();
  await gateway?.close();
  vi.restoreAllMocks();
});

/** In a deployment DNS does this. */
function namesLeadHere(): void {
  const lookup = dns.lookup as (...args: unknown[]) => void;
  vi.spyOn(dns, "lookup").mockImplementation(((...args: unknown[]) => {
    const [name, options, callback] = args as [string, { all?: boolean }, (error: null, ...found: unknown[]) => void];
    if (!name.endsWith(".test")) return lookup(...args);
    if (options.all) callback(null, [{ address: "127.0.0.1", family: 4 }]);
    else callback(null, "127.0.0.1", 4);
  }) as typeof dns.lookup);
}

function running(): World {
  if (world === undefined) throw new Error("there is no world");
  return world;
}

async function withBob(policy: object = { before: { ticket: "required" }, gates: [{ gate: "path" }] }) {
  const socket = await makeSocket(running().owner, policy);
  await running().owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob", passphrase });
  return socket;
}

/** Both ways to write the address of a socket. */
function addressesOf({ url }: OwnedSocket): string[] {
  const [, label, path] = new URL(url).pathname.split("/");
  return [url, `ws://${label}.${hosts.sockets}/${path}`];
}
const pageAt = (address: string) => address.replace(/^ws/, "http");

test("one address is the page and the socket, at the sockets' host and at the socket's own", async () => {
  const socket = await withBob();
  expect(new URL(socket.url).host).toBe(hosts.sockets);
  for (const address of addressesOf(socket)) {
    const page = await fetch(pageAt(address));
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("<h1>Sign in to connect</h1>")]);
    const answer = await fetch(pageAt(address), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ id: "bob", passphrase }),
    });
    const { ticket, url } = (await answer.json()) as { ticket: string; url: string };
    expect(url).toBe(`${socket.url}?id=bob`);
    const { domain } = hosts;
    const session = await keeper.connect(`${address}?id=bob`, { pin, ticket, domain });
    expect(session).toMatchObject({ member: "bob", gates: ["ticket"] });
    await expect(keeper.connect(`${address}?id=bob`, { pin, ticket, domain })).rejects.toMatchObject(denial);
  }
});

test("what is not there has the same page and the same hello", async () => {
  const socket = await withBob();
  const seen = new Set<string>();
  const url = `ws://${hosts.sockets}`;
  for (const address of [
    ...addressesOf(socket),
    `${socket.url}x`,
    `${url}/nobody/nowhere`,
    `ws://nobody.${hosts.sockets}/x`,
  ]) {
    const page = await fetch(pageAt(address));
    const varying = ["date", "x-request-id", "ratelimit-remaining", "ratelimit-reset"];
    const headers = [...page.headers].filter(([name]) => !varying.includes(name));
    seen.add(JSON.stringify([page.status, headers, await page.text()]));
    await helloComes(address);
  }
  expect(seen.size).toBe(1);
});

test("a passkey of this server gets a ticket at the sockets' host, and one of the socket's at its own", async () => {
  const socket = await withBob();
  const [shared = "", own = ""] = addressesOf(socket).map(pageAt);
  for (const [page, registeredAt] of [
    [shared, `http://${hosts.owners}`],
    [own, new URL(own).origin],
  ] as const) {
    const phone = createSoftPasskey();
    const whose = { socketId: socket.id, member: "bob", origin: registeredAt };
    await registerMember(running().owner, whose, (options) => phone.register(options, registeredAt));
    const answer = await ticketBy(phone, page, "bob");
    const { ticket } = (await answer.json()) as { ticket: string };
    expect((await keeper.connect(`${socket.url}?id=bob`, { pin, ticket })).member).toBe("bob");
    const elsewhere = await ticketBy(phone, page, "bob", { origin: "http://evil.test" });
    expect(elsewhere.status).toBe(401);
  }
});

test("guesses count for the address that the Gateway saw, whatever a client says of itself", async () => {
  const socket = await withBob();
  const guess = (index: number) =>
    fetch(pageAt(socket.url), {
      method: "POST",
      headers: { "content-type": "application/json", "x-forwarded-for": `203.0.113.${index}` },
      body: JSON.stringify({ id: "bob", passphrase: `guess ${index}` }),
    });
  const statuses: number[] = [];
  for (let index = 0; index < 7; index += 1) statuses.push((await guess(index)).status);
  expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429]);
});

test("the sockets' host leads to no API", async () => {
  for (const path of ["/v1/server", "/docs", "/healthz"]) {
    expect((await fetch(`http://${hosts.owners}${path}`)).status).toBe(200);
    expect((await fetch(`http://${hosts.sockets}${path}`)).status).toBe(404);
  }
});

test.runIf(full && program !== null)(
  "a browser takes a passkey of this server on the page at the sockets' host",
  async () => {
    if (program === null) return;
    const socket = await withBob();
    const origin = `http://${hosts.sockets}`;
    // Passkeys are for pages over TLS, which a Gateway of the test's own does not speak.
    const asDeployed = [
      "--host-resolver-rules=MAP *.test 127.0.0.1",
      `--unsafely-treat-insecure-origin-as-secure=${origin}`,
    ];
    const browser = await launchBrowser(program, asDeployed);
    const tab = await browser.newPage();
    await tab.goto(`${pageAt(socket.url)}?id=bob`);
    await addDevice(tab);
    const [url, owner] = [`/v1/sockets/${socket.id}/members/bob/passkeys`, running().owner];
    const begun = await owner.post<{ registrationId: string; options: { rp: { id: string } } }>(`${url}/begin`, {});
    expect(`${begun.options.rp.id}:`).toBe(hosts.owners.replace(/\d+$/, ""));
    const response = await tab.evaluate(registering(begun.options));
    await owner.post(url, { registrationId: begun.registrationId, response, label: "device", origin });
    await tab.getByRole("button", { name: "Use a passkey" }).click();
    const ticket = (await tab.locator("#ticket").innerText()).trim();
    expect((await keeper.connect(`${socket.url}?id=bob`, { ticket, pin })).member).toBe("bob");
    await browser.close();
  },
  60_000,
);
