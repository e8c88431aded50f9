import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { confirmAddress, person } from "../e2e/support/account.ts";
import { keyOnly, makeMember, makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { type Bystanders, startBystanders } from "./support/bystander.ts";
import { type Ask, ask, essence, type Reply } from "./support/http.ts";
import { rawConnect } from "./support/raw.ts";

vi.setConfig({ testTimeout: 20_000 });

let world: World;
let bystanders: Bystanders;
let trips: string[] = [];
let people = 0;
/** An owner whose session and password last through all of this. */
let resident: Awaited<ReturnType<typeof signedUp>>;
beforeAll(async () => {
  world = await startWorld({
    env: { TRUSTED_PROXIES: "127.0.0.1,::1" },
    onRoundTrip: (name) => void trips.push(name),
  });
  bystanders = await startBystanders(world);
  resident = await signedUp();
});
afterEach(() => bystanders.undisturbed());
afterAll(async () => {
  await bystanders.leave();
  await world.close();
});

interface Person {
  readonly email: string;
  readonly password: string;
  /** Whence: everybody has a network of their own. */
  readonly headers: Readonly<Record<string, string>>;
}

function somebody(): Person {
  people += 1;
  return {
    email: `person-${randomBytes(5).toString("hex")}@example.com`,
    password: randomBytes(18).toString("base64url"),
    headers: { origin: world.url, "x-forwarded-for": `203.0.113.${people}` },
  };
}

const post = (path: string, body: unknown, headers: Ask["headers"] = {}) =>
  ask(world, path, { method: "POST", body, headers });

const signInAs = ({ email, headers }: Person, password: string) => post("/v1/sign-in", { email, password }, headers);

async function signedUp(): Promise<Person & { readonly cookie: string }> {
  const person = somebody();
  const { email, password, headers } = person;
  expect((await post("/v1/account", { email, password }, headers)).status).toBe(202);
  const reply = await signInAs(person, password);
  expect(reply.status).toBe(200);
  return { ...person, cookie: cookieOf(reply) };
}

/** Of somebody whose address is confirmed by it. */
async function makeToken({ email, password, headers, cookie }: Person & { readonly cookie: string }) {
  await confirmAddress(person(world, { email, password }), cookie);
  const made = await post("/v1/account/tokens", { label: "t", password }, { ...headers, cookie });
  expect(made.status).toBe(201);
  return JSON.parse(made.text) as { readonly secret: string; readonly token: { readonly id: string } };
}

const setCookieOf = ({ headers }: Reply): string => String(headers["set-cookie"] ?? "");
const cookieOf = (reply: Reply): string => setCookieOf(reply).split(";", 1)[0] ?? "";
const statuses = (replies: readonly Reply[]): number[] => replies.map(({ status }) => status);

describe("guessing at a password", () => {
  test("ends after five on one network, for the right one too, and for nobody else", async () => {
    const victim = await signedUp();
    const neighbour = { ...(await signedUp()), headers: victim.headers };
    for (let n = 0; n < 5; n += 1) expect((await signInAs(victim, "wrong wrong wrong wrong")).status).toBe(401);
    expect((await signInAs(victim, "wrong wrong wrong wrong")).status).toBe(429);
    expect((await signInAs(victim, victim.password)).status).toBe(429);
    expect((await signInAs(neighbour, neighbour.password)).status).toBe(200);
    const elsewhere = { ...victim, headers: somebody().headers };
    expect((await signInAs(elsewhere, victim.password)).status).toBe(200);
  });

  test("is not helped by asking many times at once", async () => {
    const victim = await signedUp();
    const guesses = Array.from({ length: 30 }, (_, n) =>
      signInAs(victim, n === 25 ? victim.password : `guess ${n} guess`),
    );
    const all = statuses(await Promise.all(guesses));
    expect(all.filter((status) => status === 401)).toHaveLength(5);
    expect(all.filter((status) => status === 429)).toHaveLength(25);
  });

  test("is not helped by writing the address differently, nor by inventing addresses within a network", async () => {
    const victim = await signedUp();
    const headers = somebody().headers;
    for (let n = 0; n < 5; n += 1) {
      const email = n % 2 === 0 ? victim.email.toUpperCase() : victim.email;
      expect((await post("/v1/sign-in", { email, password: "wrong wrong wrong" }, headers)).status).toBe(401);
    }
    expect((await signInAs({ ...victim, headers }, victim.password)).status).toBe(429);
    const hop = (n: number) => ({ origin: world.url, "x-forwarded-for": `2001:db8:1:1::${n}` });
    const hops = [];
    for (let n = 1; n <= 6; n += 1) hops.push(await signInAs({ ...victim, headers: hop(n) }, "wrong wrong wrong"));
    expect(statuses(hops)).toEqual([401, 401, 401, 401, 401, 429]);
  });

  test("of the one who is signed in, to change what protects the account, ends after five as well", async () => {
    const victim = await signedUp();
    const headers = { ...victim.headers, cookie: victim.cookie };
    const change = (current: string) =>
      post("/v1/account/password/change", { currentPassword: current, password: "another long password 1" }, headers);
    const guesses = await Promise.all(Array.from({ length: 12 }, () => change("wrong wrong wrong wrong")));
    expect(guesses.filter(({ status }) => status === 429).length).toBe(7);
    expect((await change(victim.password)).status).toBe(429);
    expect((await signInAs({ ...victim, headers: somebody().headers }, victim.password)).status).toBe(200);
  });
});

describe("who has an account is nobody's business", () => {
  test("sign-up, sign-in and a forgotten password answer alike for a known and an unknown address", async () => {
    const known = resident;
    const unknown = somebody();
    const compare = async (path: string, bodyFor: (person: Person) => object) => {
      const seen = [];
      for (const person of [known, unknown]) {
        trips = [];
        const reply = essence(await post(path, bodyFor(person), somebody().headers));
        // Mails are composed afterwards, for one and for the other at their own time.
        seen.push({ reply, trips: trips.filter((name) => !name.includes("mail") && !name.startsWith("keys.bundle")) });
      }
      expect(seen[0]).toEqual(seen[1]);
    };
    await compare("/v1/sign-in", ({ email }) => ({ email, password: "wrong wrong wrong wrong" }));
    await compare("/v1/account/password/forgot", ({ email }) => ({ email }));
    await compare("/v1/account", ({ email }) => ({ email, password: "another long password 1" }));
  });

  test("and roughly the same work", async () => {
    const known = resident;
    const fastest = new Map<string, number>();
    for (let round = 0; round < 4; round += 1) {
      for (const [who, email] of [
        ["known", known.email],
        ["unknown", somebody().email],
      ] as const) {
        const startedAt = performance.now();
        await post("/v1/sign-in", { email, password: "wrong wrong wrong wrong" }, somebody().headers);
        const tookMs = performance.now() - startedAt;
        fastest.set(who, Math.min(fastest.get(who) ?? Number.POSITIVE_INFINITY, tookMs));
      }
    }
    const ratio = (fastest.get("known") ?? 0) / (fastest.get("unknown") ?? 1);
    expect(ratio).toBeGreaterThan(0.5);
    expect(ratio).toBeLessThan(2);
  });
});

describe("a page elsewhere cannot use the owner's browser", () => {
  const newLabel = (): string => `csrf${randomBytes(5).toString("hex")}`;
  let cookie: string;
  beforeAll(() => {
    ({ cookie } = resident);
  });

  test.each<[string, () => Record<string, string>]>([
    ["from another site", () => ({ origin: "https://evil.example" })],
    ["from a socket's subdomain", () => ({ origin: world.url.replace("localhost", "x.localhost") })],
    ["from another port", () => ({ origin: "http://localhost:1" })],
    ["from a sandboxed frame", () => ({ origin: "null" })],
    ["that says nothing of where it is from", () => ({})],
    ["as Fetch Metadata sees it", () => ({ "sec-fetch-site": "cross-site" })],
    ["of the same site, another host", () => ({ "sec-fetch-site": "same-site", origin: world.url })],
  ])("%s", async (_from, headers) => {
    const body = { label: newLabel(), policy: keyOnly };
    expect((await post("/v1/sockets", body, { cookie, ...headers() })).status).toBe(403);
    expect(
      (await ask(world, "/v1/account/sessions/x", { method: "DELETE", headers: { cookie, ...headers() } })).status,
    ).toBe(403);
    const listed = await ask(world, "/v1/sockets", { headers: { cookie } });
    expect(JSON.parse(listed.text)).toEqual({ sockets: [], next: null });
  });

  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/json",
    "application/jsonp",
  ])("with what a form can send: %s", async (type) => {
    const body = JSON.stringify({ label: newLabel(), policy: keyOnly });
    const reply = await post("/v1/sockets", body, { cookie, origin: world.url, "content-type": type });
    expect(reply.status).toBe(400);
  });

  test("no preflight is answered and no answer may be read", async () => {
    const headers = {
      origin: "https://evil.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type",
    };
    for (const path of ["/v1/sockets", "/v1/sign-in"]) {
      const reply = await ask(world, path, { method: "OPTIONS", headers });
      expect(reply.status).toBeGreaterThanOrEqual(400);
      expect(Object.keys(reply.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
  });

  test("reading changes nothing: there is no way to do by GET what POST does, nor by a method in a header", async () => {
    const headers = { cookie, "x-http-method-override": "DELETE", "x-method-override": "DELETE" };
    for (const path of ["/v1/sign-out", "/v1/sockets?_method=POST&label=x", "/v1/account/tokens"]) {
      await ask(world, path, { headers });
    }
    expect((await ask(world, "/v1/account", { headers: { cookie } })).status).toBe(200);
  });
});

describe("the session", () => {
  test("is a cookie for this host, https and no script, that no other site sends", async () => {
    const person = resident;
    const reply = await signInAs(person, person.password);
    const [pair = "", ...attributes] = setCookieOf(reply).split("; ");
    expect(pair).toMatch(/^__Host-portcullis=pcs_[A-Za-z0-9_-]{43}$/);
    const names = attributes.map((attribute) => attribute.split("=", 1)[0]?.toLowerCase());
    expect(attributes).toEqual(expect.arrayContaining(["Path=/", "HttpOnly", "Secure", "SameSite=Strict"]));
    expect(names).not.toContain("domain");
  });

  test("is new with each sign-in, whatever cookie came along, and worth nothing when it is over", async () => {
    const person = resident;
    const planted = `__Host-portcullis=pcs_${"A".repeat(43)}`;
    const fixed = await post(
      "/v1/sign-in",
      { email: person.email, password: person.password },
      { ...person.headers, cookie: planted },
    );
    const cookie = cookieOf(fixed);
    expect(cookie).not.toBe(planted);
    expect(cookie).not.toBe(person.cookie);
    expect((await ask(world, "/v1/account", { headers: { cookie: planted } })).status).toBe(401);
    expect((await post("/v1/sign-out", undefined, { ...person.headers, cookie })).status).toBe(204);
    expect((await ask(world, "/v1/account", { headers: { cookie } })).status).toBe(401);
    expect((await ask(world, "/v1/account", { headers: { cookie: person.cookie } })).status).toBe(200);
  });

  test.each(["", "=", "pcs_", "pcs_../../x", `pcs_${"A".repeat(5_000)}`, "pct_", "%00", "undefined", '{"$ne":""}'])(
    "is not what looks a little like it: %j",
    async (value) => {
      const reply = await ask(world, "/v1/sockets", { headers: { cookie: `__Host-portcullis=${value}` } });
      expect(reply.status).toBe(401);
      const bearer = await ask(world, "/v1/sockets", { headers: { authorization: `Bearer ${value}` } });
      expect(bearer.status).toBe(401);
    },
  );
});

describe("what belongs to another owner is not there", () => {
  const paths = (id: string): readonly (readonly [string, string, unknown?])[] => [
    ["GET", `/v1/sockets/${id}`],
    ["PATCH", `/v1/sockets/${id}`, { version: 1, policy: keyOnly }],
    ["DELETE", `/v1/sockets/${id}`],
    ["GET", `/v1/sockets/${id}/keys`],
    ["POST", `/v1/sockets/${id}/keys`, { label: "mine now" }],
    ["DELETE", `/v1/sockets/${id}/keys/KEYID`],
    ["GET", `/v1/sockets/${id}/members`],
    ["POST", `/v1/sockets/${id}/members`, { name: "eve" }],
    ["PATCH", `/v1/sockets/${id}/members/bob`, { version: 1, contacts: {} }],
    ["DELETE", `/v1/sockets/${id}/members/bob`],
    ["POST", `/v1/sockets/${id}/members/bob/authenticator`],
    ["DELETE", `/v1/sockets/${id}/members/bob/authenticator`],
    ["POST", `/v1/sockets/${id}/authenticator`],
    ["DELETE", `/v1/sockets/${id}/authenticator`],
    ["GET", `/v1/sockets/${id}/sessions`],
    ["DELETE", `/v1/sockets/${id}/sessions/SID`],
  ];

  test("with a session or a token: each answer is that of something that never was", async () => {
    const socket = await makeSocket(world.owner);
    await makeMember(world.owner, socket, "bob");
    const thief = resident;
    const { secret } = await makeToken(thief);
    const fill = (path: string) => path.replace("KEYID", socket.keyId).replace("SID", "AAAAAAAAAAAAAAAAAAAAAA");
    for (const headers of [{ ...thief.headers, cookie: thief.cookie }, { authorization: `Bearer ${secret}` }]) {
      const theirs = [];
      const nobodys = [];
      for (const [method, path, body] of paths(socket.id)) {
        theirs.push(essence(await ask(world, fill(path), { method, headers, body })));
      }
      for (const [method, path, body] of paths("AAAAAAAAAAAAAAAAAAAAAA")) {
        nobodys.push(essence(await ask(world, fill(path), { method, headers, body })));
      }
      expect(theirs).toEqual(nobodys);
      expect(new Set(theirs.map(({ status }) => status))).toEqual(new Set([404]));
    }
    // And it was not touched.
    const found = await world.owner.get<{ members: { name: string; authenticator: boolean }[] }>(
      `/v1/sockets/${socket.id}/members`,
    );
    expect(found.members.map(({ name, authenticator }) => [name, authenticator])).toEqual([["bob", true]]);
  });

  test("another's session and token cannot be ended, one's own can", async () => {
    const [victim, thief] = [await signedUp(), resident];
    const mine = { ...victim.headers, cookie: victim.cookie };
    const { sessions } = JSON.parse((await ask(world, "/v1/account/sessions", { headers: mine })).text) as {
      sessions: { id: string }[];
    };
    const { token } = await makeToken(victim);
    const theirs = { ...thief.headers, cookie: thief.cookie };
    for (const path of [`/v1/account/sessions/${sessions[0]?.id}`, `/v1/account/tokens/${token.id}`]) {
      expect((await ask(world, path, { method: "DELETE", headers: theirs })).status).toBe(404);
      expect((await ask(world, path, { method: "DELETE", headers: { origin: world.url } })).status).toBe(401);
    }
    expect((await ask(world, `/v1/account/tokens/${token.id}`, { method: "DELETE", headers: mine })).status).toBe(204);
  });

  test("a token, which lies about in files, cannot take the account over", async () => {
    const owner = resident;
    const { secret } = await makeToken(owner);
    const headers = { authorization: `Bearer ${secret}` };
    const forbidden: readonly (readonly [string, string, unknown?])[] = [
      ["POST", "/v1/account/password/change", { currentPassword: owner.password, password: "another long password 1" }],
      ["POST", "/v1/account/tokens", { label: "more", password: owner.password }],
      ["GET", "/v1/account/tokens"],
      ["GET", "/v1/account/sessions"],
      ["POST", "/v1/account/authenticator", { password: owner.password }],
      ["POST", "/v1/account/authenticator/confirm", { code: "000000" }],
      ["POST", "/v1/account/recovery-codes", { password: owner.password, code: "000000" }],
      ["POST", "/v1/sign-out"],
    ];
    for (const [method, path, body] of forbidden) {
      expect((await ask(world, path, { method, headers, body })).status).toBe(403);
    }
    expect((await ask(world, "/v1/sockets", { headers })).status).toBe(200);
  });
});

describe("a body says what the route asks for and nothing more", () => {
  let socket: OwnedSocket;
  let headers: Record<string, string>;
  beforeAll(async () => {
    const owner = resident;
    headers = { ...owner.headers, cookie: owner.cookie };
    const label = `s${randomBytes(6).toString("hex")}`;
    const made = await post("/v1/sockets", { label, policy: keyOnly }, headers);
    socket = { ...(JSON.parse(made.text) as OwnedSocket), appKey: "", keyId: "" };
  });
  const socketBody = () => ({ label: `x${randomBytes(6).toString("hex")}`, policy: keyOnly });

  test.each<[string, () => string, () => Record<string, unknown>]>([
    ["an owner", () => "/v1/sockets", () => ({ ...socketBody(), ownerId: "somebody" })],
    ["an id", () => "/v1/sockets", () => ({ ...socketBody(), id: "AAAAAAAAAAAAAAAAAAAAAA" })],
    ["an HMAC of a path", () => "/v1/sockets", () => ({ ...socketBody(), pathTag: "x" })],
    [
      "an authenticator that is there already",
      () => `/v1/sockets/${socket.id}/members`,
      () => ({ name: "x", authenticator: true }),
    ],
    ["a passphrase's hash", () => `/v1/sockets/${socket.id}/members`, () => ({ name: "x", passphraseHash: "x" })],
    ["another socket's id", () => `/v1/sockets/${socket.id}/members`, () => ({ name: "x", socketId: "x" })],
    ["a key of one's own choice", () => `/v1/sockets/${socket.id}/keys`, () => ({ label: "x", key: "pc1.x" })],
    ["a token of one's own choice", () => "/v1/account/tokens", () => ({ label: "x", secret: "pct_x" })],
    [
      "a verified address",
      () => "/v1/account",
      () => ({ email: "a@example.com", password: "a long enough password", emailVerified: true }),
    ],
    [
      "a role",
      () => "/v1/account",
      () => ({ email: "a@example.com", password: "a long enough password", role: "admin" }),
    ],
    [
      "an address of the client",
      () => "/v1/sign-in",
      () => ({ email: "a@example.com", password: "x", address: "10.0.0.1" }),
    ],
    [
      "a policy with a field that nobody knows",
      () => "/v1/sockets",
      () => ({ ...socketBody(), policy: { ...keyOnly, bypass: true } }),
    ],
  ])("%s is refused", async (_what, path, body) => {
    const reply = await post(path(), body(), headers);
    expect(reply.status).toBe(400);
    expect(JSON.parse(reply.text)).toMatchObject({ code: "invalid" });
  });

  test.each<[string, (body: string) => string]>([
    ["__proto__", (body) => body.replace("{", '{"__proto__":{"polluted":true},')],
    ["__proto__, escaped", (body) => body.replace("{", '{"\\u005f_proto__":{"polluted":true},')],
    ["constructor.prototype", (body) => body.replace("{", '{"constructor":{"prototype":{"polluted":true}},')],
    ["__proto__ in the policy", (body) => body.replace('"gates"', '"__proto__":{"polluted":true},"gates"')],
    ["__proto__ in a gate", (body) => body.replace('"gate":', '"__proto__":{"polluted":true},"gate":')],
    [
      "constructor in the policy",
      (body) => body.replace('"gates"', '"constructor":{"prototype":{"polluted":true}},"gates"'),
    ],
  ])("%s is refused and changes no other object", async (_what, change) => {
    const body = change(JSON.stringify(socketBody()));
    const reply = await post("/v1/sockets", body, { ...headers, "content-type": "application/json" });
    expect(reply.status).toBe(400);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test.each<[string, () => string]>([
    ["over 64 KiB", () => JSON.stringify({ ...socketBody(), path: "x".repeat(65_536) })],
    ["of 30,000 levels", () => `{"label":"x","policy":{"gates":${"[".repeat(30_000)}${"]".repeat(30_000)}}}`],
    [
      "of a policy with 33 levels",
      () => JSON.stringify({ ...socketBody(), policy: JSON.parse(`${'{"a":'.repeat(33)}1${"}".repeat(33)}`) }),
    ],
    ["that is no JSON", () => "{"],
    ["that is null", () => "null"],
    ["that is an array", () => "[]"],
    ["with a byte that is no UTF-8", () => '{"label":"\u{dcff}"}'],
  ])("a body %s is refused", async (_what, body) => {
    const reply = await post("/v1/sockets", body(), { ...headers, "content-type": "application/json" });
    expect(reply.status).toBe(400);
    expect(reply.text.length).toBeLessThan(2_000);
  });

  test.each([
    "a\r\nSet-Cookie: x=1",
    "a\nb",
    "a\0b",
    "\u2028",
    "a b",
    "../x",
    "%0d%0a",
    "ä",
    "A",
    "-x",
    "x-",
    "x.y",
    "www",
    "",
  ])("a label that could be more than a label is refused: %j", async (label) => {
    const reply = await post("/v1/sockets", { label, policy: keyOnly }, headers);
    expect(reply.status).toBe(400);
    expect(setCookieOf(reply)).toBe("");
  });

  test.each(["a\r\nSet-Cookie: x=1", "a/b", "a\0", "a b", "<script>", "ä", "..%2f", "a?b", "", "x".repeat(129)])(
    "so is a member's name: %j",
    async (name) => {
      expect((await post(`/v1/sockets/${socket.id}/members`, { name }, headers)).status).toBe(400);
      const inPath = await post(
        `/v1/sockets/${socket.id}/members/${encodeURIComponent(name)}/authenticator`,
        undefined,
        headers,
      );
      expect([400, 404]).toContain(inPath.status);
      expect(setCookieOf(inPath)).toBe("");
    },
  );

  test.each(["a\r\nX: y", "a\0", "\u0085", "", "x".repeat(65), "\ud800"])(
    "so is the label of a key: %j",
    async (label) => {
      const body = JSON.stringify({ label });
      const reply = await post(`/v1/sockets/${socket.id}/keys`, body, {
        ...headers,
        "content-type": "application/json",
      });
      expect(reply.status).toBe(400);
    },
  );

  test.each([
    "short",
    "a/../b/secret",
    "/absolute1",
    "trailing1/",
    "with space1",
    "query?12345",
    "percent%2f1",
    "x".repeat(257),
    "a//bcdefgh",
  ])("so is a path that a proxy might read differently: %j", async (path) => {
    expect((await post("/v1/sockets", { ...socketBody(), path }, headers)).status).toBe(400);
  });

  test("a request that splits into two is one bad request", async () => {
    const raw = await rawConnect(Number(new URL(world.url).port));
    raw.write(
      "POST /v1/sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/account HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    const head = await raw.head();
    await raw.gone;
    expect(head).toMatch(/^HTTP\/1\.1 400 /);
    expect(
      raw
        .received()
        .toString()
        .match(/HTTP\/1\.1/g),
    ).toHaveLength(1);
  });
});

describe("secrets that are shown once", () => {
  test("no QR code without being its owner, none by GET, none in a cache", async () => {
    const socket = await makeSocket(world.owner);
    await makeMember(world.owner, socket, "bob");
    const owner = resident;
    const paths = [
      `/v1/sockets/${socket.id}/authenticator`,
      `/v1/sockets/${socket.id}/members/bob/authenticator`,
      "/v1/account/authenticator",
    ];
    for (const path of paths) {
      const accept = "image/png";
      const body = path.startsWith("/v1/account") ? { password: owner.password } : undefined;
      expect((await post(path, body, { accept, origin: world.url })).status).toBe(401);
      expect([404, 405]).toContain((await ask(world, path, { headers: { accept, cookie: owner.cookie } })).status);
    }
    const token = await person(world, { email: owner.email }).mailed(/Confirm/);
    expect((await post("/v1/account/email/verify", { token }, { ...owner.headers, cookie: owner.cookie })).status).toBe(
      204,
    );
    const own = await post(
      "/v1/account/authenticator",
      { password: owner.password },
      { ...owner.headers, cookie: owner.cookie },
    );
    expect(own.status).toBe(200);
    expect(own.headers["cache-control"]).toContain("no-store");
    // Asking for one replaces nothing until it is confirmed.
    expect((await signInAs(owner, owner.password)).status).toBe(200);
  });

  test("app keys, tokens and paths are not told a second time", async () => {
    const owner = resident;
    const headers = { ...owner.headers, cookie: owner.cookie };
    const label = `s${randomBytes(6).toString("hex")}`;
    const made = JSON.parse((await post("/v1/sockets", { label, policy: keyOnly }, headers)).text) as {
      id: string;
      path: string;
    };
    const { key } = JSON.parse((await post(`/v1/sockets/${made.id}/keys`, { label: "k" }, headers)).text) as {
      key: string;
    };
    const { secret } = await makeToken(owner);
    const later = [];
    for (const path of [
      "/v1/sockets",
      `/v1/sockets/${made.id}`,
      `/v1/sockets/${made.id}/keys`,
      "/v1/account/tokens",
      "/v1/account",
    ]) {
      later.push((await ask(world, path, { headers })).text);
    }
    const text = later.join();
    for (const shown of [made.path, key.split(".")[2] ?? "", secret]) {
      expect(shown.length).toBeGreaterThan(15);
      expect(text).not.toContain(shown);
    }
  });
});

describe("what is not there", () => {
  test.each([
    "/v1/../etc/passwd",
    "/docs/..%2f..%2f..%2fetc%2fpasswd",
    "/docs/%2e%2e/%2e%2e/package.json",
    "/.env",
    "/v1/debug",
    "/v1/%00",
    "//evil.example",
    "/v1/sockets/..%2faccount",
  ])("%s is not there, and says nothing of what is", async (path) => {
    const raw = await rawConnect(Number(new URL(world.url).port));
    raw.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    const head = await raw.head();
    await raw.gone;
    expect(head).toMatch(/^HTTP\/1\.1 (400|401|404) /);
    expect(raw.received().toString()).not.toMatch(/root:|workspaces|at .*\.ts:|ENOENT/);
  });
});
