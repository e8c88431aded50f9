import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addSecondFactor, confirmAddress, type Person, person } from "./support/account.ts";
import { ask } from "./support/http.ts";
import { keyAndOtp } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

const env = { TRUSTED_PROXIES: "127.0.0.1,::1" };
const verification = /Confirm/;
const reset = /Reset/;

/** An address gets one mail a minute, whoever asks. */
const aMinuteLater = 60_001;

describe("sign-up where it is closed", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ env: { ...env, SIGN_UP: "closed" } });
  });
  afterAll(() => world.close());

  test("the bootstrap token makes the first owner, once; nobody else comes in", async () => {
    // The world's owner has used it.
    const { email } = (await world.owner.get<{ email: string }>("/v1/account")) ?? {};
    expect(email).toBe(world.credentials.email);
    expect(world.bootstrapToken).toMatch(/^pcb_/);
    for (const extra of [{}, { bootstrapToken: "wrong" }, { bootstrapToken: world.bootstrapToken }]) {
      const stranger = person(world);
      expect(await stranger.signUp(extra)).toMatchObject({ status: 403, code: "forbidden" });
      expect(await stranger.signIn()).toMatchObject({ status: 401, code: "unauthenticated" });
    }
  });
});

describe("an owner account", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ env });
  });
  afterAll(() => world.close());

  async function signedUp(): Promise<{ who: Person; cookie: string }> {
    const who = person(world);
    expect(await who.signUp()).toMatchObject({ status: 202 });
    return { who, cookie: await who.signedIn() };
  }

  async function withSecondFactor() {
    const { who, cookie } = await signedUp();
    return { who, cookie, ...(await addSecondFactor(world, who, cookie)) };
  }

  test("where sign-up is open anybody may have one; the cookie is out of scripts' and other sites' reach", async () => {
    const who = person(world);
    expect(await who.signUp()).toEqual({ status: 202, code: null, body: {}, cookie: null, setCookie: null });
    const { status, cookie, setCookie } = await who.signIn();
    expect(status).toBe(200);
    expect(setCookie).toMatch(/^__Host-portcullis=pcs_[^;]+;.*Path=\/;/);
    for (const attribute of ["HttpOnly", "Secure", "SameSite=Strict"]) expect(setCookie).toContain(attribute);
    const { body } = await who.get("/v1/account", cookie ?? "");
    expect(body).toMatchObject({ email: who.email, emailVerified: false, secondFactor: false });
    // Another site's page, in the browser of somebody who is signed in.
    const origin = "https://elsewhere.example";
    const forged = await ask(world.url, "POST", "/v1/sign-out", { cookie: cookie ?? "", origin });
    expect(forged).toMatchObject({ status: 403 });
    expect((await who.get("/v1/account", cookie ?? "")).status).toBe(200);
  });

  test("signing up with an address that has an account looks like any sign-up and changes nothing", async () => {
    const { who } = await signedUp();
    const again = person(world, { email: who.email });
    world.advance(aMinuteLater);
    expect(await again.signUp()).toEqual({ status: 202, code: null, body: {}, cookie: null, setCookie: null });
    expect(await again.signIn()).toMatchObject({ status: 401 });
    await who.signedIn();
    await expect.poll(() => who.mails(/already have/), { timeout: 10_000 }).toBe(1);
  });

  test("a weak password is refused and says why; a wrong one and an unknown address are the same error", async () => {
    const who = person(world);
    const weak = await who.signUp({ password: "short" });
    expect(weak).toMatchObject({ status: 400, code: "invalid", body: { issues: [{ path: "password" }] } });
    await who.signUp();
    const wrong = await who.signIn({ password: "not the password at all" });
    const unknown = await person(world).signIn();
    expect(wrong).toMatchObject({ status: 401, code: "unauthenticated" });
    expect(unknown).toEqual(wrong);
  });

  test("guessing at a password ends after five wrong ones, on that network only", async () => {
    const { who } = await signedUp();
    const attacker = person(world, { email: who.email });
    const statuses: number[] = [];
    for (let n = 0; n < 7; n += 1) statuses.push((await attacker.signIn({ password: `guess number ${n}` })).status);
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429]);
    // Even the right one does not help there, and its owner is not locked out elsewhere.
    expect((await attacker.signIn({ password: who.password })).status).toBe(429);
    await who.signedIn();
  });

  describe("with a second factor", () => {
    test("it counts once it is confirmed, and from then on every sign-in needs it", async () => {
      const { who, cookie } = await signedUp();
      await confirmAddress(who, cookie);
      const begun = await who.post("/v1/account/authenticator", { password: who.password }, cookie);
      expect(begun).toMatchObject({ status: 200 });
      expect(begun.body.uri).toMatch(/^otpauth:\/\/totp\//);
      expect(begun.body.qrSvg).toMatch(/^<svg/);
      // Not confirmed: it must not lock its owner out.
      await who.signedIn();
      expect(await who.post("/v1/account/authenticator/confirm", { code: "000000" }, cookie)).toMatchObject({
        status: 400,
      });
      await who.signedIn();
      const { app } = await addSecondFactor(world, who, cookie);
      expect(await who.signIn()).toMatchObject({ status: 401, code: "second_factor_required", cookie: null });
      expect(await who.signIn({ code: "000000" })).toMatchObject({ status: 401, code: "unauthenticated" });
      // A wrong password does not even learn that there is one.
      expect(await who.signIn({ password: "not the password at all", code: "000000" })).toMatchObject({
        code: "unauthenticated",
      });
      world.advance(30_000);
      await who.signedIn({ code: app.code(world.now()) });
    });

    test("a code signs in once, a recovery code too", async () => {
      const { who, app, recoveryCodes } = await withSecondFactor();
      world.advance(30_000);
      const code = app.code(world.now());
      await who.signedIn({ code });
      expect(await who.signIn({ code })).toMatchObject({ status: 401, code: "unauthenticated" });
      expect(new Set(recoveryCodes).size).toBe(10);
      const [first = "", second = ""] = recoveryCodes;
      const together = await Promise.all([1, 2, 3].map(() => who.signIn({ recoveryCode: first })));
      expect(together.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(await who.signIn({ recoveryCode: first })).toMatchObject({ status: 401 });
      await who.signedIn({ recoveryCode: second });
    });

    test("neither password change nor its own removal goes without it", async () => {
      const { who, cookie, app, recoveryCodes } = await withSecondFactor();
      const next = "another long passphrase";
      const change = { currentPassword: who.password, password: next };
      expect(await who.post("/v1/account/password/change", change, cookie)).toMatchObject({
        status: 401,
        code: "second_factor_required",
      });
      world.advance(30_000);
      expect(
        await who.post("/v1/account/password/change", { ...change, code: app.code(world.now()) }, cookie),
      ).toMatchObject({ status: 204 });
      expect((await who.delete("/v1/account/authenticator", { password: next }, cookie)).status).toBe(400);
      expect(
        await who.delete("/v1/account/authenticator", { password: next, recoveryCode: recoveryCodes[0] }, cookie),
      ).toMatchObject({ status: 204 });
      expect((await who.signIn({ password: next })).status).toBe(200);
    });

    test("the mailbox alone resets no password", async () => {
      const { who, app, cookie } = await withSecondFactor();
      world.advance(aMinuteLater);
      await who.post("/v1/account/password/forgot", { email: who.email });
      const token = await who.mailed(reset);
      const password = "a password from the mailbox";
      expect(await who.post("/v1/account/password/reset", { token, password })).toMatchObject({
        status: 401,
        code: "second_factor_required",
      });
      expect(await who.post("/v1/account/password/reset", { token, password, code: "000000" })).toMatchObject({
        status: 401,
        code: "unauthenticated",
      });
      expect((await who.signIn({ password })).status).toBe(401);
      world.advance(30_000);
      const code = app.code(world.now());
      expect((await who.post("/v1/account/password/reset", { token, password, code })).status).toBe(204);
      expect((await who.get("/v1/account", cookie)).status).toBe(401);
      expect(await who.signIn({ password })).toMatchObject({ code: "second_factor_required" });
    });
  });

  test("its address is verified with the token from the mail, by whoever is signed in to it", async () => {
    const { who, cookie } = await signedUp();
    const token = await who.mailed(verification);
    const verify = (given: string, by?: string) => who.post("/v1/account/email/verify", { token: given }, by);
    expect((await verify(`${token}x`, cookie)).status).toBe(400);
    expect((await verify(token)).status).toBe(401);
    expect((await verify(token, (await signedUp()).cookie)).status).toBe(400);
    expect((await who.get("/v1/account", cookie)).body.emailVerified).toBe(false);
    expect((await verify(token, cookie)).status).toBe(204);
    expect((await who.get("/v1/account", cookie)).body.emailVerified).toBe(true);
  });

  test("its password is reset with the token from the mail, once, ending all sessions", async () => {
    const { who, cookie } = await signedUp();
    const stranger = person(world);
    world.advance(aMinuteLater);
    const asked = await who.post("/v1/account/password/forgot", { email: who.email });
    expect(await stranger.post("/v1/account/password/forgot", { email: stranger.email })).toEqual(asked);
    expect(asked.status).toBe(202);
    const token = await who.mailed(reset);
    const verify = await who.mailed(verification);
    const first = "the first new passphrase";
    // A token for one thing is none for another.
    expect((await who.post("/v1/account/password/reset", { token: verify, password: first })).status).toBe(400);
    const tries = await Promise.all(
      [1, 2].map(() => who.post("/v1/account/password/reset", { token, password: first })),
    );
    expect(tries.map(({ status }) => status).sort()).toEqual([204, 400]);
    expect((await who.post("/v1/account/password/reset", { token, password: "the second new one" })).status).toBe(400);
    expect((await who.get("/v1/account", cookie)).status).toBe(401);
    expect((await who.signIn()).status).toBe(401);
    expect((await who.signIn({ password: first })).status).toBe(200);
    await expect.poll(() => who.mails(/was changed/), { timeout: 10_000 }).toBe(1);
    expect(await stranger.mails(reset)).toBe(0);
  });

  test("the token for a new password is good for half an hour", async () => {
    const { who } = await signedUp();
    world.advance(aMinuteLater);
    await who.post("/v1/account/password/forgot", { email: who.email });
    const token = await who.mailed(reset);
    world.advance(31 * 60_000);
    const late = await who.post("/v1/account/password/reset", { token, password: "one that comes too late" });
    expect(late.status).toBe(400);
    await who.signedIn();
  });

  test("a mailbox gets no more than one mail a minute, whoever asks for how many", async () => {
    const { who } = await signedUp();
    await who.mailed(verification);
    world.advance(aMinuteLater);
    for (let n = 0; n < 4; n += 1)
      expect((await person(world).post("/v1/account/password/forgot", { email: who.email })).status).toBe(202);
    world.advance(aMinuteLater);
    await who.post("/v1/account/password/forgot", { email: who.email });
    await expect.poll(() => who.mails(reset), { timeout: 10_000 }).toBe(2);
  });

  test("sessions are listed and ended one by one", async () => {
    const { who, cookie } = await signedUp();
    const elsewhere = await who.signedIn();
    const list = async (by: string) =>
      ((await who.get("/v1/account/sessions", by)).body.sessions ?? []) as { id: string; current: boolean }[];
    const sessions = await list(cookie);
    expect(sessions).toHaveLength(2);
    expect(sessions[0]).toMatchObject({ address: who.from });
    const other = sessions.find(({ current }) => !current)?.id ?? "";
    expect((await who.delete(`/v1/account/sessions/${other}`, undefined, cookie)).status).toBe(204);
    expect((await who.get("/v1/account", elsewhere)).status).toBe(401);
    expect(await list(cookie)).toHaveLength(1);
    // Nobody ends what is not theirs.
    const { who: eve, cookie: eves } = await signedUp();
    const [mine] = await list(cookie);
    expect((await eve.delete(`/v1/account/sessions/${mine?.id}`, undefined, eves)).status).toBe(404);
    expect((await who.post("/v1/sign-out", undefined, cookie)).status).toBe(204);
    expect((await who.get("/v1/account", cookie)).status).toBe(401);
  });

  test("a session ends after an hour without use", async () => {
    const { who, cookie } = await signedUp();
    world.advance(50 * 60_000);
    expect((await who.get("/v1/account", cookie)).status).toBe(200);
    world.advance(50 * 60_000);
    expect((await who.get("/v1/account", cookie)).status).toBe(200);
    world.advance(61 * 60_000);
    expect((await who.get("/v1/account", cookie)).status).toBe(401);
  });

  test("an API token works on sockets, and on nothing that could take the account over", async () => {
    const { who, cookie } = await signedUp();
    await confirmAddress(who, cookie);
    const { password } = who;
    const made = await who.post("/v1/account/tokens", { label: "deploy", password }, cookie);
    expect(made.status).toBe(201);
    const secret = String(made.body.secret);
    const by = (method: "GET" | "POST" | "DELETE", path: string, body?: unknown) =>
      ask(world.url, method, path, { token: secret, body, from: who.from });
    const label = `t${Date.now().toString(36)}`;
    expect((await by("POST", "/v1/sockets", { label, policy: keyAndOtp })).status).toBe(201);
    expect((await by("GET", "/v1/account")).body).toMatchObject({ credential: { kind: "token" } });
    for (const [method, path, body] of [
      ["POST", "/v1/account/password/change", { currentPassword: password, password: "another long passphrase" }],
      ["POST", "/v1/account/authenticator", { password }],
      ["POST", "/v1/account/authenticator/confirm", { code: "000000" }],
      ["DELETE", "/v1/account/authenticator", { password, code: "000000" }],
      ["POST", "/v1/account/recovery-codes", { password, code: "000000" }],
      ["GET", "/v1/account/sessions", undefined],
      ["DELETE", "/v1/account/sessions/any", undefined],
      ["GET", "/v1/account/tokens", undefined],
      ["POST", "/v1/account/tokens", { label: "more", password }],
      ["DELETE", `/v1/account/tokens/${(made.body.token as { id: string }).id}`, undefined],
      ["POST", "/v1/sign-out", undefined],
    ] as const)
      expect(await by(method, path, body), `${method} ${path}`).toMatchObject({ status: 403, code: "forbidden" });
    await who.signedIn();

    const listed = (await who.get("/v1/account/tokens", cookie)).body;
    expect(JSON.stringify(listed)).not.toContain(secret);
    const { id } = made.body.token as { id: string };
    expect((await who.delete(`/v1/account/tokens/${id}`, undefined, cookie)).status).toBe(204);
    expect((await by("GET", "/v1/sockets")).status).toBe(401);
  });

  test("an API token ends at its time", async () => {
    const { who, cookie } = await signedUp();
    const expiresAt = new Date(world.now() + 60_000).toISOString();
    await confirmAddress(who, cookie);
    const { body } = await who.post(
      "/v1/account/tokens",
      { label: "short", expiresAt, password: who.password },
      cookie,
    );
    const token = String(body.secret);
    expect((await ask(world.url, "GET", "/v1/sockets", { token })).status).toBe(200);
    world.advance(60_001);
    expect((await ask(world.url, "GET", "/v1/sockets", { token })).status).toBe(401);
  });

  test("somebody else's socket is not there", async () => {
    const [one, two] = [await signedUp(), await signedUp()];
    const label = `o${Date.now().toString(36)}`;
    const { body } = await one.who.post("/v1/sockets", { label, policy: keyAndOtp }, one.cookie);
    const path = `/v1/sockets/${String(body.id)}`;
    expect((await one.who.get(path, one.cookie)).status).toBe(200);
    for (const answer of [
      await two.who.get(path, two.cookie),
      await two.who.delete(path, undefined, two.cookie),
      await two.who.post(`${path}/keys`, { label: "mine now" }, two.cookie),
      await two.who.post(`${path}/members`, { name: "eve" }, two.cookie),
      await two.who.post(`${path}/authenticator`, undefined, two.cookie),
      await two.who.get(`${path}/sessions`, two.cookie),
    ])
      expect(answer).toMatchObject({ status: 404, code: "not_found" });
  });
});
