import {
  authenticate,
  beginMemberPasskey,
  beginOwnerPasskey,
  beginPasskeySignIn,
  createMember,
  createSocket,
  finishMemberPasskey,
  finishOwnerPasskey,
  finishPasskeySignIn,
  forgotPassword,
  identityOpen,
  listLiveSessions,
  listMemberPasskeys,
  listMembers,
  listOwnerPasskeys,
  removeMember,
  removeMemberPasskey,
  removeOwnerPasskey,
  resetPassword,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { opening } from "./support/handshake.ts";
import { address, codeOf, startWorld, type World } from "./support/world.ts";

type Owner = Awaited<ReturnType<World["owner"]>>;

let world: World;
let ann: Owner;
beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
  ann = await world.verifiedOwner();
});
afterEach(() => world.close());

const begin = (password = ann.password) =>
  world.api.call(beginOwnerPasskey, { ownerId: ann.ownerId, password, secondFactor: null });
const finish = (id: string) =>
  world.api.call(finishOwnerPasskey, {
    ownerId: ann.ownerId,
    registrationId: "registration",
    origin: "https://p.example",
    response: { id },
    label: id,
  });
async function register(id: string) {
  await begin();
  return finish(id);
}
/** Takes the account back by the mailbox. */
async function reset() {
  world.advance(60_001);
  const before = world.mails.length;
  await world.api.call(forgotPassword, { email: ann.email, address: address() });
  const token = await world.mailed(/Reset/, ann.email, before);
  await world.api.call(resetPassword, { token, next: "quite another passphrase", secondFactor: null });
}
const challenge = (from = address()) => world.api.call(beginPasskeySignIn, { address: from });
const enter = (signInId: string, id: string) =>
  world.api.call(finishPasskeySignIn, {
    signInId,
    origin: "https://p.example",
    response: { id },
    address: address(),
    userAgent: "test",
  });
const isIn = (secret: string) => codeOf(world.api.call(authenticate, { kind: "session", secret }));

describe("an owner's passkey", () => {
  it("is for this server's own name, and takes the password, since it signs in by itself", async () => {
    expect(await begin()).toMatchObject({ options: { rp: { id: "p.example" }, user: { name: ann.email } } });
    expect(await codeOf(begin("not the password"))).toBe("reauthentication_failed");
  });

  it("signs in without password and code; each challenge is good for one answer, on whichever replica", async () => {
    await register("phone");
    const one = await challenge();
    expect(one).toMatchObject({ relyingParty: "p.example" });
    expect(Buffer.from(one.challenge, "base64url")).toHaveLength(32);
    const { secret } = await enter(one.signInId, "phone");
    expect(await isIn(secret)).toBeNull();
    expect(await codeOf(enter(one.signInId, "phone"))).toBe("unauthenticated");

    const two = await challenge();
    expect(await codeOf(enter(two.signInId, "a stranger's"))).toBe("unauthenticated");
    expect(await codeOf(enter(two.signInId, "phone"))).toBe("unauthenticated");

    const three = await challenge();
    const at = await Promise.all(Array.from({ length: 20 }, () => codeOf(enter(three.signInId, "phone"))));
    expect(at.filter((code) => code === null)).toHaveLength(1);
  });

  it("does not sign in after five minutes", async () => {
    await register("phone");
    const { signInId } = await challenge();
    world.advance(5 * 60_000 + 1);
    expect(await codeOf(enter(signInId, "phone"))).toBe("unauthenticated");
  });

  it("gets sixty challenges for one network in a quarter of an hour", async () => {
    const from = address();
    for (let count = 0; count < 60; count += 1) await challenge(from);
    expect(await codeOf(challenge(from))).toBe("too_many");
    expect(await codeOf(challenge())).toBeNull();
  });

  it("signs in no more once it is removed, and everybody else who is signed in goes", async () => {
    await register("phone");
    const before = await enter((await challenge()).signInId, "phone");
    const remove = (password: string) =>
      world.api.call(removeOwnerPasskey, {
        ownerId: ann.ownerId,
        passkeyId: "phone",
        password,
        keepSessionId: ann.sessionId,
      });
    expect(await codeOf(remove("not the password"))).toBe("reauthentication_failed");
    await remove(ann.password);
    expect(await isIn(before.secret)).toBe("unauthenticated");
    expect(await codeOf(enter((await challenge()).signInId, "phone"))).toBe("unauthenticated");
    expect(await codeOf(remove(ann.password))).toBe("not_found");
  });

  it("does not sign in where it is removed while it signs, though there is another one", async () => {
    await register("phone");
    await register("laptop");
    const { signInId } = await challenge();
    world.factors.passkeys.beforeAnswer = () =>
      world.api.call(removeOwnerPasskey, {
        ownerId: ann.ownerId,
        passkeyId: "phone",
        password: ann.password,
        keepSessionId: ann.sessionId,
      });
    expect(await codeOf(enter(signInId, "phone"))).toBe("unauthenticated");
  });

  it("does not sign in where it is removed while it signs", async () => {
    await register("phone");
    const { signInId } = await challenge();
    world.factors.passkeys.beforeAnswer = () =>
      world.api.call(removeOwnerPasskey, {
        ownerId: ann.ownerId,
        passkeyId: "phone",
        password: ann.password,
        keepSessionId: ann.sessionId,
      });
    expect(await codeOf(enter(signInId, "phone"))).toBe("unauthenticated");
  });

  it("goes when its owner takes the account back: whoever had the password may have made it", async () => {
    await register("thief");
    const { signInId } = await challenge();
    await reset();
    expect(await codeOf(enter(signInId, "thief"))).toBe("unauthenticated");
    expect((await world.api.call(listOwnerPasskeys, { ownerId: ann.ownerId })).passkeys).toEqual([]);
  });

  it("is not made by a registration that began under a password that is none any more", async () => {
    await begin();
    await reset();
    expect(await codeOf(finish("thief"))).toBe("invalid");
    expect((await world.api.call(listOwnerPasskeys, { ownerId: ann.ownerId })).passkeys).toEqual([]);
    expect(await codeOf(enter((await challenge()).signInId, "thief"))).toBe("unauthenticated");
  });

  it("takes other sessions along also where its removal stopped half-way before", async () => {
    await register("phone");
    const { secret } = await enter((await challenge()).signInId, "phone");
    world.factors.passkeys.of.clear();
    const kept = { ownerId: ann.ownerId, password: ann.password, keepSessionId: ann.sessionId };
    expect(await codeOf(world.api.call(removeOwnerPasskey, { ...kept, passkeyId: "phone" }))).toBe("not_found");
    expect(await isIn(secret)).toBe("unauthenticated");
    expect(await isIn(ann.secret)).toBeNull();
  });
});

describe("a server that is reached by an IP address", () => {
  // No browser takes one as a relying party (WebAuthn level 3, section 5.1.2): what was asked for there would only ever be answered with its error.
  it.each(["http://[::1]:8080", "http://127.0.0.1:8080", "https://203.0.113.7"])(
    "begins no passkey for its own pages and says what to do: %s",
    async (publicUrl) => {
      const at = await startWorld({ config: { publicUrl } });
      const { ownerId, password } = await at.verifiedOwner();
      const policy = { gates: [{ gate: "key" }] };
      const one = { ownerId, label: "one", path: null, idParameter: null, policy };
      const { id: socketId } = await at.api.call(createSocket, one);
      const who = { ownerId, socketId, name: "bob" };
      await at.api.call(createMember, { ...who, contacts: { email: null, phone: null }, passphrase: null });
      for (const asking of [
        at.api.call(beginPasskeySignIn, { address: address() }),
        at.api.call(beginOwnerPasskey, { ownerId, password, secondFactor: null }),
        at.api.call(beginMemberPasskey, { ...who, relyingParty: null }),
      ])
        await expect(asking).rejects.toMatchObject({
          code: "invalid",
          issues: [
            { path: "PUBLIC_URL", message: expect.stringMatching(/must have a host name.*http:\/\/localhost:8080/) },
          ],
        });
      expect(at.logged.filter((line) => line.includes('"level":"error"'))).toEqual([]);
      expect(at.logged.filter((line) => line.includes("PUBLIC_URL has no host name"))).toHaveLength(1);

      // On pages of the owner's own, members have them all the same.
      const begun = await at.api.call(beginMemberPasskey, { ...who, relyingParty: "app.example.com" });
      expect(begun.options).toMatchObject({ rp: { id: "app.example.com" } });
      await at.close();
    },
  );
});

describe("a member's passkey", () => {
  const policy = { gates: [{ gate: "passkey", relyingParty: "app.example.com" }] };
  let who: { ownerId: string; socketId: string; name: string };
  let path: string;
  beforeEach(async () => {
    const made = await world.api.call(createSocket, {
      ownerId: ann.ownerId,
      label: "one",
      path: null,
      idParameter: null,
      policy,
    });
    path = made.path ?? "";
    who = { ownerId: ann.ownerId, socketId: made.id, name: "bob" };
    await world.api.call(createMember, { ...who, contacts: { email: null, phone: null }, passphrase: null });
    world.factors.right.add("signed");
  });

  const add = (id: string) =>
    world.api.call(finishMemberPasskey, {
      ...who,
      registrationId: "registration",
      origin: "https://app.example.com",
      response: { id },
      label: id,
    });
  const remove = (passkeyId: string) => world.api.call(removeMemberPasskey, { ...who, passkeyId });
  const sessions = async () => {
    const { ownerId, socketId } = who;
    return (await world.api.call(listLiveSessions, { ownerId, socketId, after: null, limit: 50 })).sessions.length;
  };
  const come = (answers = [{ gate: "passkey", value: "signed", at: null }]) =>
    world.keysCaller.call(identityOpen, opening({ label: "one", path, query: "id=bob", answers }));

  it("is made for the owner's own pages, or for those of this server", async () => {
    const options = async (relyingParty: string | null) =>
      (await world.api.call(beginMemberPasskey, { ...who, relyingParty })).options;
    expect(await options("app.example.com")).toMatchObject({ rp: { id: "app.example.com" }, user: { name: "bob" } });
    expect(await options(null)).toMatchObject({ rp: { id: "p.example" } });
    expect(await codeOf(world.api.call(beginMemberPasskey, { ...who, name: "eve", relyingParty: null }))).toBe(
      "not_found",
    );
    const stranger = await world.owner();
    expect(
      await codeOf(world.api.call(beginMemberPasskey, { ...who, ownerId: stranger.ownerId, relyingParty: null })),
    ).toBe("not_found");
  });

  it("lets nobody in before it is there, and then whoever has it", async () => {
    expect(await come()).toMatchObject({ say: "denied" });
    await add("phone");
    expect(await world.api.call(listMemberPasskeys, who)).toMatchObject({ passkeys: [{ id: "phone" }] });
    const { ownerId, socketId } = who;
    const { members } = await world.api.call(listMembers, { ownerId, socketId, after: null, limit: 50 });
    expect(members[0]).toMatchObject({ name: "bob", passkey: true });
    expect(await come()).toMatchObject({
      say: "accepted",
      assurance: { memberBound: true, gates: ["passkey"] },
    });
  });

  it("joins another one without ending anything; with one that is removed all go who came in by any", async () => {
    await add("phone");
    await come();
    await add("laptop");
    expect(await sessions()).toBe(1);
    await remove("phone");
    expect(await sessions()).toBe(0);
    expect(await come()).toMatchObject({ say: "accepted" });
    await remove("laptop");
    expect(await come()).toMatchObject({ say: "denied" });
    expect(await codeOf(remove("laptop"))).toBe("not_found");
  });

  it("goes with its member", async () => {
    await add("phone");
    await world.api.call(removeMember, who);
    expect([...world.factors.passkeys.of.values()].flat()).toEqual([]);
  });
});
