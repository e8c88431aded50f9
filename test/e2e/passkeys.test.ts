import { connect } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createSoftPasskey, type SoftPasskey } from "../passkeys/soft-passkey.ts";
import { launchBrowser, servePage } from "./browser/browser.ts";
import { findBrowser } from "./browser/find-browser.ts";
import type { Page as Actions } from "./browser/page.ts";
import { confirmAddress, person } from "./support/account.ts";
import { denial, sessionKeeper } from "./support/sessions.ts";
import { makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startTcpProxy } from "./support/tcp-proxy.ts";
import { startWorld, type World } from "./support/world.ts";

declare const page: Actions;
const program = findBrowser(process.env);
const relyingParty = "app.example.com";
const origin = `https://${relyingParty}`;
const keeper = sessionKeeper();
let world: World;
beforeAll(async () => {
  world = await startWorld({ replicas: true, env: { TRUSTED_PROXIES: "127.0.0.1,::1" } });
});
afterEach(() => keeper.closeAll());
afterAll(() => world.close());

interface Registration {
  readonly registrationId: string;
  readonly options: { readonly challenge: string; readonly rp: { readonly id: string } };
}
const urlOf = (socket: OwnedSocket) => `/v1/sockets/${socket.id}/members/bob/passkeys`;
const policyFor = (party: string, origins: string[]) => ({
  gates: [{ gate: "key" }, { gate: "passkey", relyingParty: party, origins }],
});

describe("a member's passkey", () => {
  let socket: OwnedSocket;
  let phone: SoftPasskey;
  beforeEach(async () => {
    socket = await makeSocket(world.owner, policyFor(relyingParty, [origin]));
    await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob" });
    phone = createSoftPasskey();
    const { registrationId, options } = await world.owner.post<Registration>(`${urlOf(socket)}/begin`, {
      relyingParty,
    });
    const response = phone.register(options, origin);
    await world.owner.post(urlOf(socket), { registrationId, response, label: "phone", origin });
  });
  const enter = (sign = async (request: Parameters<SoftPasskey["get"]>[0]) => phone.get(request, origin)) =>
    keeper.connect(`${socket.url}?id=bob`, { appKey: socket.appKey, passkey: sign });

  test("lets in who has it, and proves who it is", async () => {
    const { member, assurance } = await enter();
    expect({ member, assurance }).toEqual({
      member: "bob",
      assurance: { key: true, memberBound: true, gates: ["passkey"] },
    });
  });

  test("does not let in by a signature that was relayed from another connection", async () => {
    // Whoever sits between shows bob's device the question of one conversation, and uses the answer in their own.
    let stolen: unknown = null;
    const victim = connect(`${socket.url}?id=bob`, {
      appKey: socket.appKey,
      passkey: async (request) => {
        stolen = phone.get(request, origin);
        return stolen;
      },
    });
    await (await victim).close();
    await expect(enter(async () => stolen)).rejects.toMatchObject(denial);
    await expect(enter(async (request) => phone.get(request, "https://evil.example"))).rejects.toMatchObject(denial);
    await expect(enter(async (request) => createSoftPasskey().get(request, origin))).rejects.toMatchObject(denial);
  });

  test("signs anew where the connection is lost while it is asked for, at another edge", async () => {
    const [first = "", second = ""] = world.edges;
    const proxy = await startTcpProxy(first);
    const asked: string[] = [];
    const session = await keeper.connect(proxy.through(`${socket.url}?id=bob`), {
      appKey: socket.appKey,
      passkey: async (request) => {
        asked.push(request.challenge);
        if (asked.length === 1) {
          proxy.cut();
          proxy.leadTo(second);
        }
        return phone.get(request, origin);
      },
    });
    expect(session.gates).toEqual(["key", "passkey"]);
    expect(new Set(asked).size).toBe(2);
    await session.close();
    await proxy.close();
  });

  test("that is removed lets nobody in, and puts out whoever came in by it", async () => {
    const session = await enter();
    const { passkeys } = await world.owner.get<{ passkeys: { id: string }[] }>(urlOf(socket));
    await world.owner.delete(`${urlOf(socket)}/${passkeys[0]?.id}`);
    expect(await session.closed).toMatchObject({ reason: "revoked", what: "kicked" });
    await expect(enter()).rejects.toMatchObject(denial);
  });
});

describe("an owner's passkey", () => {
  const at = () => new URL(world.url).origin;
  const respond = (passkey: SoftPasskey, options: { challenge: string; rpId: string }) => passkey.get(options, at());

  test("is registered behind password and confirmed address, and signs in by itself, once for each challenge", async () => {
    const who = person(world);
    await who.signUp();
    const cookie = await who.signedIn();
    const begin = (password = who.password) => who.post("/v1/account/passkeys/begin", { password }, cookie);
    expect(await begin()).toMatchObject({ status: 409, code: "conflict" });
    await confirmAddress(who, cookie);
    expect(await begin("not the password")).toMatchObject({ code: "reauthentication_failed" });
    const { registrationId, options } = (await begin()).body as unknown as Registration;
    const laptop = createSoftPasskey();
    const made = await who.post(
      "/v1/account/passkeys",
      { registrationId, response: laptop.register(options, at()), label: "laptop" },
      cookie,
    );
    expect(made).toMatchObject({ status: 201, body: { label: "laptop", relyingParty: "localhost" } });

    const challenge = async () =>
      (await who.post("/v1/sign-in/passkey/begin")).body as unknown as {
        signInId: string;
        options: { challenge: string; rpId: string };
      };
    const one = await challenge();
    const enter = (signInId: string, response: unknown) => who.post("/v1/sign-in/passkey", { signInId, response });
    const entered = await enter(one.signInId, respond(laptop, one.options));
    expect(entered.status).toBe(200);
    expect((await who.get("/v1/account", entered.cookie ?? "")).body).toMatchObject({ email: who.email });
    expect((await enter(one.signInId, respond(laptop, one.options))).code).toBe("unauthenticated");
    const two = await challenge();
    const elsewhere = laptop.get(two.options, "https://portcullis.evil.example");
    expect((await enter(two.signInId, elsewhere)).code).toBe("unauthenticated");
    const three = await challenge();
    expect((await enter(three.signInId, respond(createSoftPasskey(), three.options))).code).toBe("unauthenticated");

    const { passkeys } = (await who.get("/v1/account/passkeys", cookie)).body as { passkeys: { id: string }[] };
    await who.delete(`/v1/account/passkeys/${passkeys[0]?.id}`, { password: who.password }, cookie);
    expect((await who.get("/v1/account", entered.cookie ?? "")).status).toBe(401);
    const four = await challenge();
    expect((await enter(four.signInId, respond(laptop, four.options))).code).toBe("unauthenticated");
  });
});

describe.skipIf(program === null)("a passkey in a real browser", () => {
  test("is registered on one page of the owner's and lets in on it", async () => {
    if (program === null) return;
    const [served, browser] = await Promise.all([servePage(), launchBrowser(program)]);
    try {
      const at = new URL(served.url).origin;
      const socket = await makeSocket(world.owner, policyFor("localhost", [at]));
      await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob" });
      const tab = await browser.newPage();
      await tab.goto(served.url);
      const devtools = await tab.context().newCDPSession(tab);
      await devtools.send("WebAuthn.enable");
      await devtools.send("WebAuthn.addVirtualAuthenticator", {
        options: {
          protocol: "ctap2",
          transport: "internal",
          hasResidentKey: true,
          hasUserVerification: true,
          isUserVerified: true,
          automaticPresenceSimulation: true,
        },
      });
      const begun = await world.owner.post<Registration>(`${urlOf(socket)}/begin`, { relyingParty: "localhost" });
      const response = await tab.evaluate((options) => page.register(options), begun.options);
      await world.owner.post(urlOf(socket), {
        registrationId: begun.registrationId,
        response,
        label: "browser",
        origin: at,
      });
      const args = { url: `${socket.url}?id=bob`, appKey: socket.appKey };
      expect(await tab.evaluate((a) => page.enterByPasskey(a.url, a.appKey), args)).toEqual(["key", "passkey"]);
    } finally {
      await browser.close();
      served.close();
    }
  });
});
