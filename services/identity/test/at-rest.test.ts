import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  authenticate,
  createApiToken,
  createMember,
  createSocket,
  enrolAuthenticator,
  forgotPassword,
  identityOpen,
  listMembers,
  listWebSessions,
  resetPassword,
  signIn,
  signUp,
  updateSocket,
} from "@portcullis/contracts";
import { systemRandom } from "@portcullis/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openAccountStore } from "../src/accounts/store.ts";
import { openSocketStore } from "../src/sockets/store.ts";
import { opening } from "./support/handshake.ts";
import { address, codeOf, firstPage, goodPassword, startWorld, temporaryFolder, type World } from "./support/world.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let world: World;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  await world.close();
  await folder.remove();
});

const start = async () => {
  world = await startWorld({ dataDir: folder.path });
};
const enter = (email: string, password = goodPassword) =>
  world.api.call(signIn, {
    email,
    password,
    secondFactor: null,
    address: "192.0.2.77",
    userAgent: "Planted/1.0 browser",
  });

/** A new master key; the one before it still opens what it wrapped. */
async function rotate(keep = true) {
  await world.close();
  const file = join(folder.path, "master.key");
  const fresh = Buffer.from(systemRandom(32)).toString("base64url");
  await writeFile(file, `${fresh}\n${keep ? await readFile(file, "utf8") : ""}`);
  await start();
}

describe("what is stored", () => {
  it("holds no address, number, path, password, token, name of a browser or answer in the clear", async () => {
    await start();
    const email = "planted.owner@example.com";
    const { ownerId } = await world.verifiedOwner(email);
    const session = await enter(email);
    const token = await world.api.call(createApiToken, {
      ownerId,
      password: goodPassword,
      secondFactor: null,
      label: "deploy",
      expiresAtMs: null,
    });
    const path = "planted-path/0123456789";
    const socket = await world.api.call(createSocket, {
      ownerId,
      label: "planted",
      path,
      idParameter: null,
      policy: { gates: [{ gate: "otp", of: "socket" }], anonymous: true },
    });
    await world.api.call(createMember, {
      ownerId,
      socketId: socket.id,
      name: "bob",
      contacts: { email: "planted.member@example.com", phone: "+491729999999" },
      passphrase: "planted passphrase",
    });
    await world.api.call(enrolAuthenticator, { ownerId, socketId: socket.id, memberName: null });
    // Waits for `factors`, which is away: the answer passed through and must not be kept meanwhile.
    world.factors.before = () => Promise.reject(new Error("away"));
    const open = opening({ label: "planted", path, answers: [{ gate: "otp", value: "planted-answer", at: null }] });
    await expect(world.keysCaller.call(identityOpen, open)).rejects.toThrow();
    const mailToken = await world.mailed(/Confirm/, email);

    const bytes = await folder.bytes();
    expect(bytes.length).toBeGreaterThan(10_000);
    // The search itself works: a label is no secret.
    expect(bytes.includes(Buffer.from('"planted"'))).toBe(true);
    const secrets = [
      email,
      "planted.owner",
      "planted.member",
      "+491729999999",
      "planted-path",
      "planted passphrase",
      goodPassword,
      "planted-answer",
      "192.0.2.77",
      "Planted/1.0",
      session.secret.slice(4),
      token.secret.slice(4),
      mailToken.split(".")[1] ?? "?",
    ];
    for (const secret of secrets) {
      for (const form of [secret, Buffer.from(secret).toString("base64url"), Buffer.from(secret).toString("hex")])
        expect(bytes.includes(Buffer.from(form)), secret).toBe(false);
    }
    for (const line of world.logged) for (const secret of secrets) expect(line).not.toContain(secret);
  });

  it("cannot be moved to another row", async () => {
    await start();
    const [ann, eve] = [await world.owner(), await world.owner()];
    const { owners } = await openAccountStore(world.platform.documents);
    const [stolen, own] = [await owners.get(ann.ownerId), await owners.get(eve.ownerId)];
    if (stolen === null || own === null) throw new Error("not there");
    await owners.replace(eve.ownerId, own.version, { ...own.body, emailSealed: stolen.body.emailSealed });
    expect(await codeOf(world.api.call(authenticate, { kind: "session", secret: eve.secret }))).toBe("internal");
  });
});

describe("a new master key", () => {
  it("loses no account: sign-in, sessions, mailed tokens, and an address still has one account", async () => {
    await start();
    const email = "ann@example.com";
    const { ownerId, secret } = await world.owner(email);
    world.advance(60_001);
    await world.api.call(forgotPassword, { email, address: address() });
    const token = await world.mailed(/Reset/, email);
    const store = async () => (await openAccountStore(world.platform.documents)).owners;
    const before = await (await store()).get(ownerId);

    await rotate();
    expect((await world.api.call(authenticate, { kind: "session", secret })).email).toBe(email);
    expect((await world.api.call(listWebSessions, { ownerId })).sessions).toHaveLength(1);
    await world.api.call(signUp, {
      email,
      password: goodPassword,
      bootstrapToken: null,
      invitationToken: null,
      address: address(),
    });
    expect(await (await store()).count({})).toBe(1);
    await enter(email);
    // Written anew, so that the old key can be given up.
    const after = await (await store()).get(ownerId);
    expect(after?.body.emailTag).not.toBe(before?.body.emailTag);
    await world.api.call(resetPassword, { token, next: "quite another passphrase", secondFactor: null });
    await enter(email, "quite another passphrase");

    await rotate(false);
    expect(await codeOf(enter(email, "quite another passphrase"))).toBe("unauthenticated");
  });

  it("loses no path: a socket is found under the old one until somebody comes by, then under the new one", async () => {
    await start();
    const { ownerId } = await world.owner();
    const make = (label: string) =>
      world.api.call(createSocket, {
        ownerId,
        label,
        path: "a-path-of-its-own",
        idParameter: null,
        policy: { gates: [{ gate: "path" }], anonymous: true },
      });
    const visited = await make("visited");
    const forgotten = await make("forgotten");
    const visit = async (label: string, path = "a-path-of-its-own") =>
      (await world.keysCaller.call(identityOpen, opening({ label, path }))).say;
    expect(await visit("visited")).toBe("accepted");
    await rotate();
    expect(await visit("visited")).toBe("accepted");
    expect(await visit("visited", "another-path-here")).toBe("denied");
    await expect
      .poll(async () => (await (await openSocketStore(world.platform.documents)).sockets.get(visited.id))?.version)
      .toBe(2);
    // The old key goes: who was visited meanwhile does not need it.
    const file = join(folder.path, "master.key");
    const [current] = (await readFile(file, "utf8")).split("\n");
    await world.close();
    await writeFile(file, `${current}\n`);
    await start();
    expect(await visit("visited")).toBe("accepted");
    expect(await visit("forgotten")).toBe("denied");
    // Its owner gives it a path again.
    const found = { ownerId, socketId: forgotten.id, version: 1, idParameter: null, policy: null };
    await world.api.call(updateSocket, { ...found, path: "a-path-of-its-own" });
    expect(await visit("forgotten")).toBe("accepted");
  });

  it("opens what was sealed for members before", async () => {
    await start();
    const { ownerId } = await world.owner();
    const policy = { gates: [{ gate: "path" }] };
    const socket = await world.api.call(createSocket, { ownerId, label: "s", path: null, idParameter: null, policy });
    const contacts = { email: "bob@example.com", phone: null };
    await world.api.call(createMember, { ownerId, socketId: socket.id, name: "bob", contacts, passphrase: null });
    await rotate();
    const { members } = await world.api.call(listMembers, { ownerId, socketId: socket.id, ...firstPage });
    expect(members[0]?.contacts).toEqual(contacts);
  });
});
