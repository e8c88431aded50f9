import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ask } from "../e2e/support/http.ts";
import { at, denial, sessionKeeper } from "../e2e/support/sessions.ts";
import { makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { type Attacker, dial } from "./support/attacker.ts";
import { bareDenied } from "./support/closes.ts";
import { destinationIn, makeOpen } from "./support/knock.ts";

vi.setConfig({ testTimeout: 30_000 });

const passphrase = "a passphrase of bob's";
const policy = {
  before: { ticket: "required" },
  gates: [{ gate: "key" }],
  origins: ["https://app.example"],
  resume: "off",
};
const keeper = sessionKeeper();
let world: World;
let socket: OwnedSocket;
let other: OwnedSocket;
let from = 0;

beforeAll(async () => {
  world = await startWorld({ replicas: true, env: { TRUSTED_PROXIES: "127.0.0.1,::1", OPEN_TIMEOUT: "2m" } });
  [socket, other] = [await makeSocket(world.owner, policy), await makeSocket(world.owner, policy)];
  for (const each of [socket, other])
    await world.owner.post(`/v1/sockets/${each.id}/members`, { name: "bob", passphrase });
  await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "carol" });
});
afterAll(async () => {
  await keeper.closeAll();
  await world.close();
});

const mint = async (of: OwnedSocket, body: object = { member: "bob" }) =>
  (await world.owner.post<{ ticket: string }>(`/v1/sockets/${of.id}/tickets`, body)).ticket;
const enter = (ticket: string, url = `${socket.url}?id=bob`, { appKey } = socket) =>
  keeper.connect(url, { appKey, ticket });
const listed = async ({ id }: OwnedSocket) =>
  (await world.owner.get<{ sessions: unknown[] }>(`/v1/sockets/${id}/sessions`)).sessions;
/** Posted from a network of its own, so that nobody's limits are in the way. */
function post(
  target: string,
  body: Record<string, string>,
  options: { readonly from?: string; readonly redirect?: "manual" } = {},
) {
  from += 1;
  return fetch(`${world.url}${target}`, {
    method: "POST",
    headers: { "x-forwarded-for": options.from ?? `198.18.${from >> 8}.${from & 255}` },
    body: new URLSearchParams(body),
    redirect: "manual",
  });
}

describe("one ticket", () => {
  test("lets one in of two hundred connections that present it at once over two edges", async () => {
    // Of its own: whoever fails so often under a key waits, which is not what the others are about.
    const crowded = await makeSocket(world.owner, policy);
    await world.owner.post(`/v1/sockets/${crowded.id}/members`, { name: "bob", passphrase });
    const ticket = await mint(crowded);
    const url = `${crowded.url}?id=bob`;
    const { appKey } = crowded;
    const ready: { readonly attacker: Attacker; readonly frame: string }[] = [];
    while (ready.length < 200) {
      const batch = Array.from({ length: 20 }, async (_, index) => {
        const attacker = await dial(at(world.edges[index % 2], url));
        const { frame } = await makeOpen(await attacker.hello(), { appKey, dst: destinationIn(url), ticket });
        return { attacker, frame };
      });
      ready.push(...(await Promise.all(batch)));
    }
    for (const { attacker, frame } of ready) attacker.send(frame);
    const heard = await Promise.all(ready.map(({ attacker }) => attacker.next()));
    // Who is let in hears it in a sealed record.
    expect(heard.filter((frame) => typeof frame === "object" && frame !== null)).toHaveLength(1);
    expect(heard.filter((frame) => frame === bareDenied)).toHaveLength(199);
    expect(await listed(crowded)).toHaveLength(1);
    for (const { attacker } of ready) attacker.leave();
  });

  test("is not for another socket, another member, or nobody; whoever tries has used it up", async () => {
    for (const url of [`${other.url}?id=bob`, `${socket.url}?id=carol`, socket.url]) {
      const ticket = await mint(socket);
      await expect(enter(ticket, url, url.startsWith(other.url) ? other : socket)).rejects.toMatchObject(denial);
      await expect(enter(ticket)).rejects.toMatchObject(denial);
    }
  });

  test("is over after a minute", async () => {
    const ticket = await mint(socket);
    world.advance(60_001);
    await world.fresh();
    await expect(enter(ticket)).rejects.toMatchObject(denial);
  });

  test("lets nobody in after the member was removed, also where there is one of that name again", async () => {
    const members = `/v1/sockets/${other.id}/members`;
    const ticket = await mint(other);
    await world.owner.delete(`${members}/bob`);
    await world.owner.post(members, { name: "bob", passphrase });
    await expect(enter(ticket, `${other.url}?id=bob`, other)).rejects.toMatchObject(denial);
  });

  test("of the owner's is no way in for a member, nor a member's a way around the key", async () => {
    const [owners, members] = [await mint(socket, { role: "owner" }), await mint(socket)];
    await expect(enter(owners)).rejects.toMatchObject(denial);
    const { fingerprint: pin } = await world.owner.get<{ fingerprint: string }>("/v1/server");
    await expect(keeper.connect(`${socket.url}?id=bob`, { ticket: members, pin })).rejects.toMatchObject(denial);
  });
});

describe("the page at a socket's address", () => {
  const path = (url: string) => new URL(url).pathname;

  test("answers alike whatever is wrong", async () => {
    const unknown = `/nobody/${"x".repeat(22)}`;
    const tries: [string, Record<string, string>][] = [
      [path(socket.url), { id: "bob", passphrase: "not that one" }],
      [path(socket.url), { id: "eve", passphrase }],
      [path(socket.url), { id: "carol", passphrase }],
      [`${path(socket.url)}x`, { id: "bob", passphrase }],
      [unknown, { id: "bob", passphrase }],
    ];
    const seen = [];
    for (const [target, body] of tries) {
      const answer = await post(target, body);
      const headers = Object.fromEntries(answer.headers);
      for (const name of ["date", "x-request-id", "ratelimit-reset", "ratelimit-remaining"]) delete headers[name];
      seen.push(JSON.stringify([answer.status, headers, await answer.text()]));
    }
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]).toContain("422");
    const secrets = [passphrase, "not that one", path(socket.url).split("/")[2] ?? ""];
    expect(secrets.filter((secret) => world.logs.join("\n").includes(secret))).toEqual([]);
  });

  test("takes as long whatever is wrong", async () => {
    const took = async (target: string) => {
      const started = performance.now();
      await (await post(target, { id: "bob", passphrase: "not that one" })).text();
      return performance.now() - started;
    };
    const times: { readonly real: number; readonly none: number }[] = [];
    // In turns, and of each the best: whatever else the machine does hits both.
    for (let index = 0; index < 6; index += 1)
      times.push({ real: await took(path(socket.url)), none: await took("/nobody/nowhere-at-all") });
    const real = Math.min(...times.map((each) => each.real));
    const none = Math.min(...times.map((each) => each.none));
    // Without the slow hash it would be a twentieth.
    expect(none).toBeGreaterThan(real / 3);
    expect(none).toBeLessThan(real * 3);
  });

  test.each([
    "https://evil.example/",
    "https://app.example.evil.example/",
    "https://app.example@evil.example/",
    "https://app.example:8443/",
    "http://app.example/",
    "//evil.example",
    "/\\evil.example",
    "javascript:alert(1)//https://app.example/",
    "https:evil.example",
  ])("leads nobody to %s", async (returnTo) => {
    for (const query of [`?return_to=${encodeURIComponent(returnTo)}`, ""]) {
      const body = { id: "bob", passphrase, ...(query === "" ? { return_to: returnTo } : {}) };
      const answer = await post(`${path(socket.url)}${query}`, body);
      expect([answer.status, answer.headers.get("location")]).toEqual([200, null]);
    }
  });

  test("leads to the application that the policy names", async () => {
    const answer = await post(path(socket.url), { id: "bob", passphrase, return_to: "https://app.example/in?x=1#y" });
    expect(answer.status).toBe(303);
    expect(answer.headers.get("location")).toMatch(/^https:\/\/app\.example\/in\?x=1#ticket=pt1\.[\w-]{43}$/);
  });

  test("stops guesses from one network, and keeps nobody out elsewhere", async () => {
    const guesses = [];
    for (let index = 0; index < 7; index += 1)
      guesses.push(
        (await post(path(socket.url), { id: "bob", passphrase: `guess ${index}` }, { from: "203.0.113.9" })).status,
      );
    expect(guesses).toEqual([422, 422, 422, 422, 422, 429, 429]);
    expect((await post(path(socket.url), { id: "bob", passphrase })).status).toBe(200);
  });

  test("cannot be had by an API token, nor an owner's ticket", async () => {
    const wrong = await ask(world.url, "POST", `/v1/sockets/${socket.id}/tickets`, {
      body: { role: "owner" },
      token: `pct_${"a".repeat(43)}`,
    });
    expect(wrong.status).toBe(401);
  });
});
