import {
  beginPasskeyTicket,
  createMember,
  createSocket,
  deleteSocket,
  exchangePasskey,
  exchangePassphrase,
  finishMemberPasskey,
  identityOpen,
  listLiveSessions,
  removeMember,
  removeMemberPasskey,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { opening } from "./support/handshake.ts";
import { address, codeOf, firstPage, refusal, startWorld, type World } from "./support/world.ts";

const path = "a-path-of-its-own";
const label = "one";
const origin = "https://p.example";
const relyingParty = "p.example";
const passphrase = "a long passphrase";
const refused = { code: "unauthenticated", issues: [] };
const policy = { before: { ticket: "required" }, gates: [{ gate: "path" }], origins: ["https://app.example"] };

let world: World;
let mine: { readonly ownerId: string; readonly socketId: string };

beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
  mine = await socket(label);
  await enrol(mine, "bob", "bobs");
  await enrol(mine, "ann", "anns");
});
afterEach(() => world.close());

/** With bob and ann, and carol, who has no passkey. */
async function socket(named: string) {
  const { ownerId } = await world.owner();
  const { id } = await world.api.call(createSocket, { ownerId, label: named, path, idParameter: null, policy });
  const who = { ownerId, socketId: id };
  for (const name of ["bob", "ann", "carol"])
    await world.api.call(createMember, { ...who, name, contacts: { email: null, phone: null }, passphrase });
  return who;
}
const enrol = (of: typeof mine, name: string, id: string, page = origin) =>
  world.api.call(finishMemberPasskey, {
    ...of,
    name,
    registrationId: "registration",
    origin: page,
    response: { id },
    label: id,
  });

interface Claim {
  readonly label?: string;
  readonly path?: string;
  readonly name?: string;
  readonly relyingParty?: string;
  readonly from?: string;
}
const claimed = (claim: Claim) => ({
  label: claim.label ?? label,
  path: claim.path ?? path,
  name: claim.name ?? "bob",
  relyingParty: claim.relyingParty ?? relyingParty,
  address: claim.from ?? address(),
});
const begin = (claim: Claim = {}) => world.api.call(beginPasskeyTicket, claimed(claim));
const finish = (signInId: string, id = "bobs", claim: Claim = {}, returnOrigin: string | null = null) =>
  world.api.call(exchangePasskey, { ...claimed(claim), signInId, origin, response: { id }, returnOrigin });
const enter = async (id = "bobs", claim: Claim = {}) => finish((await begin(claim)).signInId, id, claim);
const open = (ticket: string, query = "id=bob") =>
  world.keysCaller.call(identityOpen, opening({ label, path, query, ticket }));
const sessions = async () => (await world.api.call(listLiveSessions, { ...mine, ...firstPage })).sessions;

describe("a member's passkey", () => {
  it("gets a ticket that lets in, on a challenge that nobody chose, judged for that member and page", async () => {
    const { signInId, challenge } = await begin();
    expect(Buffer.from(challenge, "base64url")).toHaveLength(32);
    const { ticket, expiresAtMs, idParameter } = await finish(signInId);
    expect({ expiresAtMs, idParameter }).toEqual({ expiresAtMs: world.now() + 60_000, idParameter: "id" });
    expect(world.factors.passkeys.asserted).toMatchObject([
      { relyingParty, origin, requestId: signInId, subject: { of: "member", socketId: mine.socketId } },
    ]);
    expect(Buffer.from(world.factors.passkeys.asserted[0]?.challenge ?? []).toString("base64url")).toBe(challenge);
    expect(await open(ticket)).toMatchObject({ say: "accepted", admitted: { member: "bob", memberProven: true } });
  });

  it.each<[string, string, Claim]>([
    ["a stranger's passkey", "a stranger's", {}],
    ["another member's", "anns", {}],
    ["an unknown member", "bobs", { name: "eve" }],
    ["a member without one", "bobs", { name: "carol" }],
    ["an unknown path", "bobs", { path: "another-path" }],
    ["an unknown label", "bobs", { label: "another" }],
    ["a page of another relying party", "bobs", { relyingParty: "one.p.example" }],
  ])("%s is refused like all the others, after one verification and the same look-ups", async (_, id, claim) => {
    let looked = 0;
    const stops = ["identity_sockets.findOne", "identity_members.findOne", "state.take"].map((step) =>
      world.before(step, () => {
        looked += 1;
      }),
    );
    await enter("bobs");
    const usual = looked;
    const asked = world.factors.passkeys.asserted.length;
    expect(await refusal(enter(id, claim))).toEqual(refused);
    for (const stop of stops) stop();
    expect([looked - usual, world.factors.passkeys.asserted.length - asked]).toEqual([usual, 1]);
    expect(usual).toBeGreaterThan(2);
  });

  it("is asked for alike whoever and wherever, without a look at what there is", async () => {
    const steps: string[] = [];
    const stops = ["identity_sockets.findOne", "identity_members.findOne"].map((step) =>
      world.before(step, () => void steps.push(step)),
    );
    const shapes = [];
    for (const claim of [{}, { name: "eve" }, { name: "carol" }, { path: "another-path" }, { label: "another" }]) {
      const begun = await begin(claim);
      shapes.push(JSON.stringify(Object.entries(begun).map(([name, value]) => [name, value.length])));
    }
    for (const stop of stops) stop();
    expect([new Set(shapes).size, steps, world.factors.passkeys.asserted]).toEqual([1, [], []]);
  });

  it.each<[string, Claim]>([
    ["another member", { name: "ann" }],
    ["another socket", { label: "two" }],
    ["another path", { path: `${path}/app` }],
    ["another relying party", { relyingParty: "one.p.example" }],
  ])("does not answer with a challenge that was for %s, which is used up by it", async (_, claim) => {
    await enrol(await socket("two"), "bob", "bobs");
    const { signInId } = await begin(claim);
    expect(await refusal(finish(signInId))).toEqual(refused);
    expect(await refusal(finish(signInId, claim.name === "ann" ? "anns" : "bobs", claim))).toEqual(refused);
  });

  it("answers a challenge once, and the second answer is no ticket", async () => {
    const { signInId } = await begin();
    expect(await codeOf(finish(signInId))).toBe(null);
    expect(await refusal(finish(signInId))).toEqual(refused);
    expect(await refusal(finish("never-was"))).toEqual(refused);
  });

  it("gets one ticket by twenty answers to one challenge at once, on two replicas", async () => {
    const { signInId } = await begin();
    const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(finish(signInId))));
    expect(codes.filter((code) => code === null)).toHaveLength(1);
    expect(codes.filter((code) => code === "unauthenticated")).toHaveLength(19);
  });

  it("has five minutes", async () => {
    const [early, late] = [await begin(), await begin()];
    world.advance(299_999);
    expect(await codeOf(finish(early.signInId))).toBe(null);
    world.advance(1);
    expect(await refusal(finish(late.signInId))).toEqual(refused);
  });

  it("says whether the policy names the page that is to be gone on to", async () => {
    const to = async (returnOrigin: string | null) =>
      (await finish((await begin()).signInId, "bobs", {}, returnOrigin)).mayReturn;
    expect(await to("https://app.example")).toBe(true);
    expect(await to("https://app.example.evil")).toBe(false);
    expect(await to(null)).toBe(false);
  });

  it("leaves neither path nor challenge in the log, nor the path in the state store", async () => {
    const seen: string[] = [];
    const stop = world.before("state.create", (_replica, key, value) => {
      seen.push(`${String(key)} ${Buffer.from(value as Uint8Array).toString()}`);
    });
    const { challenge } = await begin();
    stop();
    await codeOf(enter("a stranger's"));
    expect(seen.some((line) => line.includes(challenge))).toBe(true);
    expect(seen.filter((line) => line.includes(path))).toEqual([]);
    for (const secret of [path, challenge]) expect(world.logged.join("\n")).not.toContain(secret);
  });
});

describe("attempts with passkeys", () => {
  it("are five from a network and fifty in an hour, apart from those with passphrases", async () => {
    const from = address();
    for (let tries = 0; tries < 5; tries += 1) expect(await codeOf(enter("wrong", { from }))).toBe("unauthenticated");
    expect(await codeOf(enter("bobs", { from }))).toBe("too_many");
    const byPassphrase = { label, path, name: "bob", passphrase, returnOrigin: null };
    expect(await codeOf(world.api.call(exchangePassphrase, { ...byPassphrase, address: from }))).toBe(null);
    for (let tries = 0; tries < 50; tries += 1) await codeOf(enter("wrong"));
    expect(await codeOf(enter())).toBe("too_many");
    expect(await codeOf(world.api.call(exchangePassphrase, { ...byPassphrase, address: address() }))).toBe(null);
    expect(await codeOf(enter("anns", { name: "ann" }))).toBe(null);
    world.advance(3_600_001);
    expect(await codeOf(enter())).toBe(null);
  });

  it("begin sixty times in a quarter of an hour from a network", async () => {
    const from = address();
    for (let tries = 0; tries < 60; tries += 1) await begin({ from });
    expect(await codeOf(begin({ from, path: "another-path" }))).toBe("too_many");
    expect(await codeOf(begin())).toBe(null);
  });
});

describe("a ticket that was had by a passkey", () => {
  const remove = (passkeyId = "bobs") => world.api.call(removeMemberPasskey, { ...mine, name: "bob", passkeyId });

  it("ends with the passkey, and so does the session that came of it; one by a passphrase stays", async () => {
    const byPassphrase = { label, path, name: "bob", passphrase, address: address(), returnOrigin: null };
    expect((await open((await world.api.call(exchangePassphrase, byPassphrase)).ticket)).say).toBe("accepted");
    expect((await open((await enter()).ticket)).say).toBe("accepted");
    const { ticket } = await enter();
    expect(await sessions()).toHaveLength(2);
    await remove();
    expect(await sessions()).toHaveLength(1);
    expect((await open(ticket)).say).toBe("denied");
    expect(await refusal(enter())).toEqual(refused);
  });

  it("lets nobody in where the passkey goes while it is judged", async () => {
    let removing: Promise<unknown> | undefined;
    world.factors.passkeys.beforeAnswer = () => {
      removing ??= remove();
      return removing;
    };
    const { ticket } = await enter();
    expect((await open(ticket)).say).toBe("denied");
    expect(await sessions()).toEqual([]);
  });

  it("is none for who is removed, or where the socket is", async () => {
    const begun = await begin();
    await world.api.call(removeMember, { ...mine, name: "bob" });
    expect(await refusal(finish(begun.signInId))).toEqual(refused);
    const anns = await begin({ name: "ann" });
    await world.api.call(deleteSocket, mine);
    expect(await refusal(finish(anns.signInId, "anns", { name: "ann" }))).toEqual(refused);
  });
});
