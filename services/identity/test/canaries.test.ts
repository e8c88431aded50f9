import {
  beginPasskeyTicket,
  createAppKey,
  createMember,
  createSocket,
  exchangePasskey,
  exchangePassphrase,
  finishMemberPasskey,
  identityOpen,
  listAlerts,
  listLiveSessions,
  listMembers,
  mintTicket,
  type Outcome,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type OpeningOptions, opening } from "./support/handshake.ts";
import { address, firstPage, refusal, startWorld, type World } from "./support/world.ts";

let world: World;
let mine: { readonly ownerId: string; readonly socketId: string };
const path = "a-path-of-its-own";
const label = "one";
const passphrase = "a long passphrase";
const bare: Outcome = { say: "denied", retryAfterMs: null, sealed: false };

beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
});
afterEach(() => world.close());

/** A socket with bob, and mallory, who is nobody. */
async function socket(policy: Record<string, unknown> = { gates: [{ gate: "key" }] }, named = label) {
  const { ownerId } = await world.verifiedOwner();
  const { id } = await world.api.call(createSocket, { ownerId, label: named, path, idParameter: null, policy });
  mine = { ownerId, socketId: id };
  const contacts = { email: null, phone: null };
  await world.api.call(createMember, { ...mine, name: "bob", contacts, passphrase });
  await world.api.call(createMember, { ...mine, name: "mallory", canary: true, contacts, passphrase });
  return mine;
}
/** Two openings that come to nothing, and whoever comes with that key, from there, under that name, is to wait. */
const steep = { gates: [{ gate: "key" }], onFailure: { free: 2, work: 0 } };
/** Failures are written behind their answers. */
const counted = () => new Promise((resolve) => setTimeout(resolve, 250));
const real = () => ({ keyId: "k1", socketId: mine.socketId, role: "member" as const });
const planted = () => ({ ...real(), keyId: "planted", canary: true as const });
const open = (options: Partial<OpeningOptions> = {}) =>
  world.keysCaller.call(identityOpen, opening({ label, path, query: "id=bob", ...options }));
const alerts = async () => (await world.api.call(listAlerts, { ...mine, ...firstPage })).alerts;
const live = async () => (await world.api.call(listLiveSessions, { ...mine, ...firstPage })).sessions.length;
/** What would have been raised is there by then. */
const quiet = async () => {
  await new Promise((resolve) => setTimeout(resolve, 250));
  return alerts();
};

describe("a key that was planted", () => {
  it("lets nobody in where the real one alone would, and is an alert with who was claimed, by ids", async () => {
    await socket();
    expect(await open({ key: real() })).toMatchObject({ say: "accepted" });
    expect(await open({ key: planted() })).toEqual(bare);
    expect(await live()).toBe(1);
    await expect.poll(alerts).toMatchObject([{ kind: "canary-key", about: { key: "planted" }, member: "bob" }]);
    const [{ about } = { about: {} }] = await alerts();
    expect(JSON.stringify(about)).not.toMatch(/bob|192\.0\.2/);
  });

  it.each([
    ["without a name", { gates: [{ gate: "key" }], anonymous: true }, { query: "" }],
    [
      "with everything answered",
      { gates: [{ gate: "key" }, { gate: "otp" }], mode: "offered" },
      {
        answers: [{ gate: "otp", value: "right", at: null }],
      },
    ],
    ["in prompted mode, before anything is asked", { gates: [{ gate: "key" }, { gate: "otp" }] }, {}],
    ["where no key is asked for", { gates: [{ gate: "path" }] }, {}],
    ["where failing leads to silence", { gates: [{ gate: "key" }], onFailure: { then: "silence" } }, {}],
    ["as somebody who is not there", { gates: [{ gate: "key" }] }, { query: "id=eve" }],
  ])("gets what a wrong key gets: %s", async (_, policy, options) => {
    await socket(policy);
    expect(await open({ ...options, key: planted() })).toEqual(bare);
    expect(await live()).toBe(0);
    await expect.poll(async () => (await alerts()).map(({ kind }) => kind)).toEqual(["canary-key"]);
  });

  it("gets it however often they come: no delay of its own, the hint of which a wrong key never gets", async () => {
    await socket(steep);
    for (let n = 0; n < 4; n += 1) {
      expect(await open({ key: planted() })).toEqual(bare);
      await counted();
    }
  });

  it("spoils the owner's own ticket", async () => {
    await socket();
    const { ticket } = await world.api.call(mintTicket, { ...mine, member: null, role: "owner" });
    expect(await open({ query: "", ticket, key: planted() })).toEqual(bare);
    expect(await live()).toBe(0);
  });

  it("tells its owner of whoever comes with it to another socket, or to none", async () => {
    const planter = await socket();
    await socket({ gates: [{ gate: "path" }] }, "another");
    const key = { keyId: "planted", socketId: planter.socketId, role: "member" as const, canary: true as const };
    expect(await open({ label: "another", key })).toEqual(bare);
    expect(await open({ label: "nobody", key })).toEqual(bare);
    expect(await quiet()).toEqual([]);
    mine = planter;
    await expect.poll(alerts).toMatchObject([{ kind: "canary-key", count: 2, member: null }]);
  });

  it("is no alert where the box did not open: only who has the key can have used it", async () => {
    await socket();
    expect(await open({ opened: false, key: planted() })).toEqual(bare);
    expect(await quiet()).toEqual([]);
  });

  it("costs in the stores what a wrong key costs, until the answer is given", async () => {
    await socket();
    const calls: string[] = [];
    const operations = [
      ...["get", "find", "findOne", "insert", "replace", "count"].flatMap((verb) =>
        ["identity_sockets", "identity_members", "identity_alerts"].map((name) => `${name}.${verb}`),
      ),
      ...["get", "create", "replace", "add", "sum", "join", "members"].map((verb) => `state.${verb}`),
    ];
    for (const operation of operations) world.before(operation, () => void calls.push(operation));
    await open({ opened: false });
    const wrong = calls.splice(0);
    await open({ key: planted() });
    expect(calls).toEqual(wrong);
  });

  it.each(["identity_alerts.insert", "identity_sockets.get", "state.create"])(
    "is refused all the same where its alarm cannot be written: %s",
    async (operation) => {
      await socket();
      const mend = world.before(operation, () => {
        throw new Error("down");
      });
      expect(await open({ key: planted() })).toEqual(bare);
      await expect.poll(() => world.logged.join("")).toContain("an owner could not be alerted");
      mend();
      expect(await live()).toBe(0);
    },
  );

  it("cannot be one for a program", async () => {
    await socket();
    expect(
      await refusal(world.api.call(createAppKey, { ...mine, label: "k", role: "consumer", canary: true })),
    ).toEqual({ code: "invalid", issues: [{ path: "canary", message: "only with the role member" }] });
    // And where a store says so all the same, it is nobody's program.
    expect(await open({ query: "", key: { ...planted(), role: "consumer" } })).toEqual(bare);
    expect(await live()).toBe(0);
  });
});

describe("a member who was planted", () => {
  const asMallory = { query: "id=mallory" };

  it("is shown as such, and lets nobody in: whoever comes as them gets what a name that is not there gets", async () => {
    await socket();
    const { members } = await world.api.call(listMembers, { ...mine, ...firstPage });
    expect(members.map(({ name, canary }) => [name, canary])).toEqual(
      expect.arrayContaining([
        ["bob", false],
        ["mallory", true],
      ]),
    );
    expect(await open({ ...asMallory, key: real() })).toEqual(bare);
    expect(await open({ query: "id=eve", key: real() })).toEqual(bare);
    expect(await live()).toBe(0);
    await expect
      .poll(alerts)
      .toMatchObject([{ kind: "canary-member", about: { key: "k1" }, member: "mallory", count: 1 }]);
  });

  it("is held up like a name that is not there, by whoever tried such names before", async () => {
    await socket(steep);
    for (const name of ["eve", "trent", "mallory"]) {
      expect(await open({ query: `id=${name}`, key: real() })).toEqual(bare);
      await counted();
    }
    const held = await open({ query: "id=eve", key: real() });
    expect(held).toMatchObject({ sealed: true, retryAfterMs: expect.any(Number) });
    expect(await open({ ...asMallory, key: real() })).toEqual(held);
  });

  it("is no alert for whoever merely guesses the name: without the key, the ticket or the origin that is asked for", async () => {
    await socket({ gates: [{ gate: "key" }], origins: ["https://app.example"] });
    await open({ ...asMallory });
    await open({ ...asMallory, opened: false, key: real() });
    await open({ ...asMallory, key: { ...real(), socketId: "another" } });
    await open({ ...asMallory, key: real(), origin: "https://evil.example" });
    expect(await quiet()).toEqual([]);
  });

  const exchange = (name: string, given: string) =>
    world.api.call(exchangePassphrase, {
      label,
      path,
      name,
      passphrase: given,
      address: address(),
      returnOrigin: null,
    });

  it("has a passphrase that is always wrong, and the right one is an alert", async () => {
    await socket({ before: { ticket: "required" }, gates: [{ gate: "path" }] });
    const wrong = await refusal(exchange("mallory", "another passphrase"));
    expect(await quiet()).toEqual([]);
    expect(await refusal(exchange("mallory", passphrase))).toEqual(wrong);
    expect(wrong).toEqual({ code: "unauthenticated", issues: [] });
    await expect.poll(alerts).toMatchObject([{ kind: "canary-member", member: "mallory" }]);
    expect(await exchange("bob", passphrase)).toHaveProperty("ticket");
  });

  it("has a passkey that is always wrong, and the right one is an alert", async () => {
    await socket({ before: { ticket: "required" }, gates: [{ gate: "path" }] });
    const origin = "https://p.example";
    for (const name of ["bob", "mallory"])
      await world.api.call(finishMemberPasskey, {
        ...mine,
        name,
        registrationId: "registration",
        origin,
        response: { id: name },
        label: name,
      });
    const show = async (name: string, id: string) => {
      const claim = { label, path, name, relyingParty: "p.example", address: address() };
      const { signInId } = await world.api.call(beginPasskeyTicket, claim);
      return world.api.call(exchangePasskey, { ...claim, signInId, origin, response: { id }, returnOrigin: null });
    };
    const wrong = await refusal(show("mallory", "no such"));
    expect(await quiet()).toEqual([]);
    expect(await refusal(show("mallory", "mallory"))).toEqual(wrong);
    await expect.poll(alerts).toMatchObject([{ kind: "canary-member", member: "mallory" }]);
    expect(await show("bob", "bob")).toHaveProperty("ticket");
  });

  it("gets no ticket of the owner's own, who is told why", async () => {
    await socket();
    expect(await refusal(world.api.call(mintTicket, { ...mine, member: "mallory", role: "member" }))).toEqual({
      code: "invalid",
      issues: [{ path: "member", message: "is a canary: it is there to be found, and nobody is let in as it" }],
    });
  });
});
