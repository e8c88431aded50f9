import {
  acceptInvitation,
  authenticate,
  changePerson,
  createMember,
  createSocket,
  decideApproval,
  deleteSocket,
  forgotPassword,
  getSocket,
  handshakeLeft,
  identityOpen,
  identityStep,
  invitePerson,
  listApprovals,
  listPeople,
  removePerson,
  resetPassword,
  signIn,
  signUp,
  updateMember,
  verifyEmail,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { opening } from "./support/handshake.ts";
import { type Account, account, invite, join, tokenTo } from "./support/people.ts";
import { address, codeOf, goodPassword, refusal, startWorld, temporaryFolder, type World } from "./support/world.ts";

const dayMs = 24 * 3_600_000;
let world: World;
let ann: Account;
let mine: { readonly ownerId: string; readonly socketId: string };
const path = "a-path-of-its-own";

async function begin(options: Parameters<typeof startWorld>[0] = {}) {
  world = await startWorld({ replicas: 2, ...options });
  ann = await account(world, "ann@x.example");
  const policy = { gates: [{ gate: "path" }, { gate: "approval", quorum: 2 }] };
  const { id } = await world.api.call(createSocket, {
    ownerId: ann.ownerId,
    label: "one",
    path,
    idParameter: null,
    policy,
  });
  mine = { ownerId: ann.ownerId, socketId: id };
}
beforeEach(() => begin());
afterEach(() => world.close());

const accept = (ownerId: string, token: string) => world.api.call(acceptInvitation, { ownerId, token });
const enter = (email: string, password: string) =>
  world.api.call(signIn, { email, password, secondFactor: null, address: address(), userAgent: "" });
const people = async () => (await world.api.call(listPeople, mine)).people;
const isOn = async ({ ownerId }: Account) => (await codeOf(world.api.call(getSocket, { ...mine, ownerId }))) === null;
const personId = async ({ email }: Account) => (await people()).find((one) => one.email === email)?.id ?? "none";

describe("an invitation", () => {
  it("is accepted once, by the account of the address that it was sent to", async () => {
    const bob = await account(world, "bob@x.example");
    const token = await invite(world, mine, bob.email);
    expect(await isOn(bob)).toBe(false);
    expect(await people()).toMatchObject([{ role: "owner" }, { email: bob.email, state: "invited", role: "approver" }]);
    expect(await accept(bob.ownerId, token)).toEqual({ socketId: mine.socketId, label: "one", role: "approver" });
    expect(await isOn(bob)).toBe(true);
    expect(await people()).toMatchObject([{ role: "owner" }, { email: bob.email, state: "active", expiresAtMs: null }]);
    expect(await codeOf(accept(bob.ownerId, token))).toBe("invalid");
    expect(await codeOf(world.api.call(invitePerson, { ...mine, email: "BOB@x.example", role: "viewer" }))).toBe(
      "conflict",
    );
  });

  it("gives nothing to who was forwarded it, nor to an address that nobody has confirmed", async () => {
    const token = await invite(world, mine, "bob@x.example");
    const eve = await account(world, "eve@x.example");
    expect(await refusal(accept(eve.ownerId, token))).toMatchObject({ code: "conflict", issues: [{ path: "token" }] });
    const unconfirmed = await world.owner("bob@x.example");
    expect(await refusal(accept(unconfirmed.ownerId, token))).toMatchObject({
      code: "conflict",
      issues: [{ path: "email" }],
    });
    expect(await people()).toHaveLength(2);
    for (const wrong of ["", "pci_", "pci_x", `${token}x`, token.slice(0, -1), token.replace("pci_", "")])
      expect(await codeOf(accept(eve.ownerId, wrong))).toBe("invalid");
  });

  it("is answered and written alike whether or not the address has an account", async () => {
    const bob = await account(world, "bob@x.example");
    const answers = [];
    const mails = [];
    for (const email of [bob.email, "nobody@x.example"]) {
      const after = world.mails.length;
      const { id: _, ...answer } = await world.api.call(invitePerson, { ...mine, email, role: "viewer" });
      const token = await tokenTo(world, /invited/, email, after);
      answers.push({ ...answer, email: "" });
      mails.push(world.mails.at(-1)?.text.replace(token, "token"));
    }
    expect(answers[0]).toEqual(answers[1]);
    expect(mails[0]).toEqual(mails[1]);
  });

  it("ends after seven days, by another one, when it is taken back, and with its socket", async () => {
    const bob = await account(world, "bob@x.example");
    const first = await invite(world, mine, bob.email);
    const second = await invite(world, mine, bob.email, "viewer");
    expect(await codeOf(accept(bob.ownerId, first))).toBe("invalid");
    world.advance(7 * dayMs);
    expect(await codeOf(accept(bob.ownerId, second))).toBe("invalid");
    const third = await invite(world, mine, bob.email);
    await world.api.call(removePerson, { ...mine, personId: await personId(bob) });
    expect(await codeOf(accept(bob.ownerId, third))).toBe("invalid");
    const fourth = await invite(world, mine, bob.email);
    await world.api.call(deleteSocket, mine);
    expect(await codeOf(accept(bob.ownerId, fourth))).toBe("invalid");
  });

  it("gives one right to who accepts it many times at once, and none where it is taken back in the same moment", async () => {
    const bob = await account(world, "bob@x.example");
    const token = await invite(world, mine, bob.email);
    const codes = await Promise.all(Array.from({ length: 12 }, () => codeOf(accept(bob.ownerId, token))));
    expect(codes.filter((code) => code === null)).toHaveLength(1);
    expect(await people()).toHaveLength(2);
    const cat = await account(world, "cat@x.example");
    const another = await invite(world, mine, cat.email);
    const invitationId = await personId(cat);
    const [taken, accepted] = await Promise.all([
      codeOf(world.api.call(removePerson, { ...mine, personId: invitationId })),
      codeOf(accept(cat.ownerId, another)),
    ]);
    expect(await isOn(cat)).toBe(accepted === null);
    expect([taken, accepted].filter((code) => code === null)).toHaveLength(1);
  });

  it("takes an owner whose address is confirmed, and only so many go to one mailbox and from one owner in a day", async () => {
    const eve = await world.owner("eve@x.example");
    const policy = { gates: [{ gate: "key" }] };
    const asked = { ownerId: eve.ownerId, label: "two", path: null, idParameter: null, policy };
    const theirs = { ownerId: eve.ownerId, socketId: (await world.api.call(createSocket, asked)).id };
    const ask = (email: string, who = mine) => codeOf(world.api.call(invitePerson, { ...who, email, role: "viewer" }));
    expect(await ask("bob@x.example", theirs)).toBe("conflict");
    for (let n = 0; n < 20; n += 1) expect(await ask("bob@x.example")).toBe(null);
    expect(await ask("bob@x.example")).toBe("too_many");
    const all = [];
    for (let n = 0; n < 30; n += 1) all.push(await ask(`new${n}@x.example`));
    expect(all).toContain("too_many");
    expect(await ask("not an address")).toBe("invalid");
    expect(await ask("ANN@x.example")).toBe("conflict");
  });

  it("has a token that is stored as a hash only, and is in no log", async () => {
    await world.close();
    const folder = await temporaryFolder();
    try {
      await begin({ dataDir: folder.path });
      const token = await invite(world, mine, "planted@x.example");
      const bytes = (await folder.bytes()).toString("latin1");
      expect(bytes).toContain("identity_invitations");
      for (const secret of [token, token.split(".")[1] ?? "none", "planted@x.example"]) {
        expect(bytes).not.toContain(secret);
        expect(world.logged.join("\n")).not.toContain(secret);
      }
    } finally {
      await folder.remove();
    }
  });
});

describe("where sign-up is closed", () => {
  const open = (email: string, invitationToken: string | null) =>
    codeOf(
      world.api.call(signUp, {
        email,
        password: goodPassword,
        bootstrapToken: null,
        invitationToken,
        address: address(),
      }),
    );

  it("an invited address may open an account, and that address alone; it is confirmed as any other before it is worth a right", async () => {
    const folder = await temporaryFolder();
    await world.close();
    await begin({ dataDir: folder.path });
    const token = await invite(world, mine, "bob@x.example");
    await world.close();
    world = await startWorld({ dataDir: folder.path, config: { signUp: "closed" } });
    expect(await open("bob@x.example", null)).toBe("forbidden");
    expect(await open("eve@x.example", token)).toBe("forbidden");
    expect(await open("bob@x.example", `${token}x`)).toBe("forbidden");
    expect(await open("Bob@X.example", token)).toBe(null);
    const session = await enter("bob@x.example", goodPassword);
    // Signing up does not use it up; accepting does.
    const bob = (await people()).find(({ email }) => email.toLowerCase() === "bob@x.example");
    expect(bob?.state).toBe("invited");
    const { ownerId } = await world.api.call(authenticate, { kind: "session", secret: session.secret });
    // Whoever the mail was forwarded to has come as far as this.
    expect(await codeOf(accept(ownerId, token))).toBe("conflict");
    await world.api.call(verifyEmail, { ownerId, token: await tokenTo(world, /Confirm/, "Bob@X.example") });
    expect(await accept(ownerId, token)).toMatchObject({ role: "approver" });
    expect(await open("bob@x.example", token)).toBe("forbidden");
    await folder.remove();
  });
});

describe("who was forwarded an invitation before its account was there", () => {
  it("opens it and gets no further: who is invited cannot confirm it for them, and takes it by a reset", async () => {
    const token = await invite(world, mine, "bob@x.example");
    const eves = await world.owner("bob@x.example", "a passphrase of eve's own");
    const confirming = await tokenTo(world, /Confirm/, "bob@x.example");
    const elsewhere = await account(world, "bob@y.example");
    const verify = (ownerId: string) => world.api.call(verifyEmail, { ownerId, token: confirming });
    expect(await refusal(verify(elsewhere.ownerId))).toMatchObject({ code: "invalid", issues: [{ path: "token" }] });
    expect(await codeOf(accept(eves.ownerId, token))).toBe("conflict");
    const asked = world.mails.length;
    world.advance(61_000);
    await world.api.call(forgotPassword, { email: "bob@x.example", address: address() });
    const resetting = await tokenTo(world, /Reset/, "bob@x.example", asked);
    await world.api.call(resetPassword, { token: resetting, next: goodPassword, secondFactor: null });
    expect(await codeOf(world.api.call(authenticate, { kind: "session", secret: eves.secret }))).toBe(
      "unauthenticated",
    );
    expect(await codeOf(enter("bob@x.example", "a passphrase of eve's own"))).toBe("unauthenticated");
    const { secret } = await enter("bob@x.example", goodPassword);
    const { ownerId } = await world.api.call(authenticate, { kind: "session", secret });
    expect(await accept(ownerId, token)).toMatchObject({ role: "approver" });
  });
});

describe("people of a socket", () => {
  it("are out at once when they are removed, and may leave by themselves; the owner stays", async () => {
    const [bob, cat] = [await account(world, "bob@x.example"), await account(world, "cat@x.example")];
    for (const one of [bob, cat]) await join(world, mine, one);
    await world.api.call(removePerson, { ...mine, personId: await personId(bob) });
    expect([await isOn(bob), await isOn(cat)]).toEqual([false, true]);
    expect(world.factors.withdrawn).toHaveLength(1);
    await world.api.call(removePerson, { socketId: mine.socketId, ownerId: cat.ownerId, personId: null });
    expect(await isOn(cat)).toBe(false);
    const leave = (ownerId: string) =>
      world.api.call(removePerson, { socketId: mine.socketId, ownerId, personId: null });
    expect(await codeOf(leave(cat.ownerId))).toBe("not_found");
    expect(await codeOf(leave(ann.ownerId))).toBe("not_found");
    expect(await codeOf(world.api.call(removePerson, { ...mine, personId: ann.ownerId }))).toBe("not_found");
  });

  it("may nothing any more from the moment on in which their removal began, and removing again finishes it", async () => {
    const bob = await account(world, "bob@x.example");
    await join(world, mine, bob);
    const id = await personId(bob);
    world.factors.down = true;
    expect(await codeOf(world.api.call(removePerson, { ...mine, personId: id }))).toBe("unavailable");
    expect(await isOn(bob)).toBe(false);
    world.factors.down = false;
    await world.api.call(removePerson, { ...mine, personId: id });
    expect(world.factors.withdrawn).toHaveLength(1);
    await join(world, mine, bob);
    expect(await isOn(bob)).toBe(true);
  });

  it("have another right after each change of role, so that what they did under the one before is told apart", async () => {
    const bob = await account(world, "bob@x.example");
    await join(world, mine, bob);
    const id = await personId(bob);
    const change = (role: "viewer" | "approver") => world.api.call(changePerson, { ...mine, personId: id, role });
    await change("approver");
    expect(world.factors.withdrawn).toEqual([]);
    for (const role of ["viewer", "approver", "viewer"] as const) expect(await change(role)).toMatchObject({ role });
    expect(new Set(world.factors.withdrawn).size).toBe(2);
  });
});

describe("an approval", () => {
  async function waits(query = "id=bob") {
    const request = opening({ label: "one", path, query });
    const { hid } = request;
    const challenge = await world.keysCaller.call(identityOpen, request);
    if (challenge.say !== "challenge") throw new Error(challenge.say);
    const outcome = await world.keysCaller.call(identityStep, {
      handshake: hid,
      hid,
      transcript: new Uint8Array(32),
      n: 1,
      keyLive: true,
      action: { do: "start", cid: challenge.cid, gate: "approval", at: null },
    });
    const [waitId = "none"] = [...world.factors.waits].find(([, { handshake }]) => handshake === hid) ?? [];
    return { hid, outcome, waitId };
  }
  const addBob = (email: string | null = null) =>
    world.api.call(createMember, { ...mine, name: "bob", contacts: { email, phone: null }, passphrase: null });
  const approvals = async (ownerId = ann.ownerId) =>
    (await world.api.call(listApprovals, { ...mine, ownerId })).approvals;
  const approve = (waitId: string, ownerId = ann.ownerId) =>
    world.api.call(decideApproval, { ...mine, ownerId, waitId, decision: { say: "approve", number: "417" } });
  const refuse = (waitId: string, ownerId = ann.ownerId) =>
    world.api.call(decideApproval, { ...mine, ownerId, waitId, decision: { say: "refuse" } });

  it("is waited for with a number, and listed with who they say they are, what they passed, and no number", async () => {
    await addBob();
    const { waitId, outcome } = await waits();
    expect(outcome).toMatchObject({
      say: "wait",
      prompt: { by: "approval", number: "417", given: 0, needed: 2 },
      status: "sent",
    });
    const [listed] = await approvals();
    expect(listed).toMatchObject({ id: waitId, member: "bob", memberProven: false, gates: [], given: 0, needed: 2 });
    expect(JSON.stringify(listed)).not.toContain("417");
  });

  it("goes on by whoever decides it, with everybody who may at that moment", async () => {
    await addBob();
    const [cat, dan] = [await account(world, "cat@x.example"), await account(world, "dan@x.example")];
    await join(world, mine, cat);
    await join(world, mine, dan, "viewer");
    const { waitId } = await waits();
    expect(await approve(waitId)).toEqual({ state: "waiting", given: 1, needed: 2 });
    await approve(waitId, cat.ownerId);
    expect(await codeOf(approve(waitId, dan.ownerId))).toBe("not_found");
    const [first, second] = world.factors.decided;
    expect(first).toMatchObject({ grant: ann.ownerId, say: "approve" });
    expect(first?.entitled).toHaveLength(2);
    expect(first?.entitled).toContain(second?.grant);
    world.factors.becomes = "wrong";
    expect(await refusal(approve(waitId))).toMatchObject({ code: "invalid", issues: [{ path: "number" }] });
    world.factors.becomes = "gone";
    expect(await codeOf(approve(waitId))).toBe("not_found");
  });

  it("is not decided for who is not there any more, or whose member was removed", async () => {
    await addBob();
    const one = await waits();
    world.edge.emit(handshakeLeft, { hid: one.hid, why: "closed" });
    await expect.poll(() => approvals()).toEqual([]);
    expect(await codeOf(approve(one.waitId))).toBe("not_found");
    expect(await codeOf(refuse(one.waitId))).toBe("not_found");
    expect(await codeOf(approve("no-such-wait"))).toBe("not_found");
    const two = await waits();
    world.advance(10 * 60_000);
    expect(await codeOf(approve(two.waitId))).toBe("not_found");
    expect(world.factors.decided).toEqual([]);
  });

  it("of one's own connection is for somebody else; refusing it is not", async () => {
    const { version } = await addBob("ANN@x.example");
    const { waitId } = await waits();
    expect(await refusal(approve(waitId))).toMatchObject({ code: "forbidden", issues: [{ path: "id" }] });
    expect(world.factors.decided).toEqual([]);
    world.factors.becomes = "refused";
    expect(await refuse(waitId)).toMatchObject({ state: "refused" });
    const contacts = { email: "bob@x.example", phone: null };
    await world.api.call(updateMember, { ...mine, name: "bob", version, contacts, passphrase: null });
    world.factors.becomes = "waiting";
    const again = await waits();
    expect(await approve(again.waitId)).toMatchObject({ state: "waiting" });
  });

  it("is told to approvers by mail once, without the number, and not again within ten minutes", async () => {
    await addBob();
    const [cat, dan] = [await account(world, "cat@x.example"), await account(world, "dan@x.example")];
    await join(world, mine, cat);
    await join(world, mine, dan, "viewer");
    const told = () => world.mails.filter(({ subject }) => /waits/.test(subject));
    await waits();
    await expect
      .poll(() =>
        told()
          .map(({ to }) => to)
          .toSorted(),
      )
      .toEqual([ann.email, cat.email]);
    await waits();
    world.advance(10 * 60_000);
    await waits();
    await expect.poll(() => told().length).toBe(4);
    expect(told().every(({ text }) => !text.includes("417"))).toBe(true);
  });
});
