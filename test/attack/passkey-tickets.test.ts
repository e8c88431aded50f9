import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { denial, sessionKeeper } from "../e2e/support/sessions.ts";
import { makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { askSocket, type Begun, registerMember, ticketBy } from "../passkeys/socket-page.ts";
import { createSoftPasskey, type SoftPasskey } from "../passkeys/soft-passkey.ts";

vi.setConfig({ testTimeout: 30_000 });

const keeper = sessionKeeper();
const policy = { before: { ticket: "required" }, gates: [{ gate: "key" }], resume: "off" };
let world: World;
let socket: OwnedSocket;
let other: OwnedSocket;
let phone: SoftPasskey;
let anns: SoftPasskey;
let at = "";
let networks = 0;

beforeAll(async () => {
  world = await startWorld({ replicas: true, env: { TRUSTED_PROXIES: "127.0.0.1,::1" } });
  at = new URL(world.url).origin;
  [socket, other] = [await makeSocket(world.owner, policy), await makeSocket(world.owner, policy)];
  for (const { id } of [socket, other])
    for (const name of ["bob", "ann", "carol"]) await world.owner.post(`/v1/sockets/${id}/members`, { name });
  [phone, anns] = [createSoftPasskey(), createSoftPasskey()];
  for (const [member, passkey] of [
    ["bob", phone],
    ["ann", anns],
  ] as const)
    await registerMember(world.owner, { socketId: socket.id, member, origin: at }, (o) => passkey.register(o, at));
});
afterAll(async () => {
  await keeper.closeAll();
  await world.close();
});

const pageOf = ({ url }: OwnedSocket) => url.replace(/^ws/, "http");
/** Of a network of its own, so that nobody's limits are in the way. */
const network = () => {
  networks += 1;
  return `198.19.${networks >> 8}.${networks & 255}`;
};
const post = (body: object, url = pageOf(socket), address = network()) => askSocket(url, body, address);
const begin = async (id = "bob", url = pageOf(socket)) =>
  (await (await post({ begin: "passkey", id }, url)).json()) as Begun;
/** All that is told, but for what is another each time. */
async function seen(answer: Response): Promise<string> {
  const headers = Object.fromEntries(answer.headers);
  for (const name of ["date", "x-request-id", "ratelimit-reset", "ratelimit-remaining"]) delete headers[name];
  return JSON.stringify([answer.status, headers, (await answer.text()).replaceAll(/[\w-]{20,}/g, "…")]);
}

describe("asking for a passkey at a socket's address", () => {
  test("is answered alike for every address, path and name, enrolled or not, and each time anew", async () => {
    const real = pageOf(socket);
    const unknown = `${at}/nobody/${"x".repeat(22)}`;
    const asked: [string, string][] = [
      ["bob", real],
      ["bob", `${real}/app`],
      ["carol", real],
      ["eve", real],
      ["bob", `${real}x`],
      ["bob", pageOf(other)],
      ["bob", unknown],
      ["bob", `${unknown}/app`],
    ];
    const answers = [];
    for (const [id, url] of asked) answers.push(await seen(await post({ begin: "passkey", id }, url)));
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toContain('allowCredentials\\":[]');
    expect((await begin()).options.challenge).not.toBe((await begin()).options.challenge);
  });

  test("and answering it wrongly is refused alike, and leaves nothing in the log", async () => {
    const stranger = createSoftPasskey();
    const real = pageOf(socket);
    const tries: [SoftPasskey, string, string, string][] = [
      [stranger, real, "bob", at],
      [phone, real, "ann", at],
      [phone, real, "carol", at],
      [phone, real, "eve", at],
      [phone, `${real}x`, "bob", at],
      [phone, `${at}/nobody/${"x".repeat(22)}`, "bob", at],
      [phone, pageOf(other), "bob", at],
      [phone, real, "bob", "https://evil.example"],
      [phone, real, "bob", at.replace(/:\d+$/, ":1")],
    ];
    const answers = [];
    for (const [passkey, url, id, origin] of tries)
      answers.push(await seen(await ticketBy(passkey, url, id, { origin, address: network() })));
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toContain("401");
    const secrets = [new URL(real).pathname.split("/")[2] ?? "", phone.id, stranger.id];
    expect(secrets.filter((secret) => world.logs.join("\n").includes(secret))).toEqual([]);
    expect((await ticketBy(phone, real, "bob", { address: network() })).status).toBe(200);
  });
});

describe("what a passkey signed", () => {
  test("is worth one ticket, however often it is sent, and none with another challenge", async () => {
    const one = await begin();
    const response = phone.get(one.options, at);
    expect((await post({ id: "bob", signInId: one.signInId, response })).status).toBe(200);
    expect((await post({ id: "bob", signInId: one.signInId, response })).status).toBe(401);
    const two = await begin();
    expect((await post({ id: "bob", signInId: two.signInId, response })).status).toBe(401);
  });

  test("gets one ticket of twenty who send it at once, and of twenty signatures of one challenge", async () => {
    const tickets = async (responses: unknown[], signInId: string) => {
      const sent = responses.map((response) => post({ id: "bob", signInId, response }));
      return (await Promise.all(sent)).filter(({ status }) => status === 200);
    };
    const one = await begin();
    const response = phone.get(one.options, at);
    expect(await tickets(Array(20).fill(response), one.signInId)).toHaveLength(1);
    const two = await begin();
    const signed = Array.from({ length: 20 }, () => phone.get(two.options, at));
    expect(await tickets(signed, two.signInId)).toHaveLength(1);
  });

  test("for one socket or member is none for another, and its challenge is used up", async () => {
    const device = createSoftPasskey();
    const twin = createSoftPasskey();
    for (const [socketId, passkey] of [
      [socket.id, device],
      [other.id, twin],
    ] as const)
      await registerMember(world.owner, { socketId, member: "carol", origin: at }, (o) => passkey.register(o, at));
    const elsewhere = await begin("carol", pageOf(other));
    const stolen = device.get(elsewhere.options, at);
    expect((await post({ id: "carol", signInId: elsewhere.signInId, response: stolen })).status).toBe(401);
    const again = twin.get(elsewhere.options, at);
    const late = await post({ id: "carol", signInId: elsewhere.signInId, response: again }, pageOf(other));
    expect(late.status).toBe(401);
    const bobs = await begin("bob");
    expect((await post({ id: "ann", signInId: bobs.signInId, response: anns.get(bobs.options, at) })).status).toBe(401);
  });

  test("without its person, or for a registration, is none", async () => {
    for (const change of [{ flags: 0x01 }, { flags: 0x04 }, { type: "webauthn.create" }]) {
      const { signInId, options } = await begin();
      expect((await post({ id: "bob", signInId, response: phone.get(options, at, change) })).status).toBe(401);
    }
  });

  test("under another relying party is none here, though it is the member's", async () => {
    const elsewhere = "https://app.example.com";
    const work = createSoftPasskey();
    const whose = { socketId: socket.id, member: "bob", origin: elsewhere };
    await registerMember(world.owner, whose, (options) => work.register(options, elsewhere));
    const { signInId, options } = await begin();
    for (const rpId of [options.rpId, "app.example.com"]) {
      const response = work.get({ ...options, rpId }, at);
      expect((await post({ id: "bob", signInId, response })).status).toBe(401);
    }
  });

  test("gets a ticket that works once, for its member", async () => {
    const answer = await ticketBy(phone, pageOf(socket), "bob", { address: network() });
    const { ticket, url } = (await answer.json()) as { ticket: string; url: string };
    const { appKey } = socket;
    await expect(keeper.connect(url.replace("id=bob", "id=ann"), { appKey, ticket })).rejects.toMatchObject(denial);
    await expect(keeper.connect(url, { appKey, ticket })).rejects.toMatchObject(denial);
  });
});

test("guesses with passkeys are stopped for one network, and keep nobody out elsewhere", async () => {
  const from = network();
  const stranger = createSoftPasskey();
  const statuses = [];
  for (let index = 0; index < 7; index += 1)
    statuses.push((await ticketBy(stranger, pageOf(socket), "ann", { address: from })).status);
  expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429]);
  expect((await ticketBy(anns, pageOf(socket), "ann", { address: network() })).status).toBe(200);
});
