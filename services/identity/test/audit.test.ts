import { createHash } from "node:crypto";
import {
  type AuditEvent,
  aboutSession,
  createMember,
  createSocket,
  deleteSocket,
  enrolAuthenticator,
  exportAudit,
  identityOpen,
  identityStep,
  keepAudit,
  kickSession,
  listAudit,
  listPeople,
  type Outcome,
  removeMember,
  removePerson,
  updateSocket,
  verifyAudit,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openAuditStore } from "../src/audit/store.ts";
import { createTurnedAway } from "../src/audit/turned-away.ts";
import { freshHid, opening } from "./support/handshake.ts";
import { account, join } from "./support/people.ts";
import { codeOf, startWorld, type World } from "./support/world.ts";

let world: World;
let mine: { readonly ownerId: string; readonly socketId: string };
let email = "";
const path = "a-path-of-its-own";
beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
  const owner = await world.verifiedOwner();
  email = owner.email;
  const policy = { gates: [{ gate: "otp" }], session: "1h" };
  const { ownerId } = owner;
  const socket = await world.api.call(createSocket, { ownerId, label: "one", path, idParameter: null, policy });
  mine = { ownerId, socketId: socket.id };
});
afterEach(() => world.close());

const list = async (event: AuditEvent | null = null, order: "newest" | "oldest" = "oldest") =>
  (await world.api.call(listAudit, { ...mine, after: null, limit: 200, order, event })).entries;
const noContacts = { email: null, phone: null };
async function addBob() {
  await world.api.call(createMember, { ...mine, name: "bob", contacts: noContacts, passphrase: null });
  await world.api.call(enrolAuthenticator, { ...mine, memberName: "bob" });
}
const open = (hid = freshHid(), more: Partial<Parameters<typeof opening>[0]> = {}) =>
  world.keysCaller.call(identityOpen, opening({ label: "one", path, query: "id=bob", hid, ...more }));
const take = (hid: string, n: number, { cid, value }: { cid: string; value: string }) =>
  world.keysCaller.call(identityStep, {
    hid,
    handshake: hid,
    transcript: new Uint8Array(32),
    n,
    keyLive: true,
    action: { do: "answer", cid, answer: { gate: "otp", value, at: null } },
  });
function cidOf(outcome: Outcome): string {
  if (outcome.say !== "challenge") throw new Error(`not asked: ${outcome.say}`);
  return outcome.cid;
}
async function enter(hid = freshHid()) {
  const outcome = await take(hid, 1, { cid: cidOf(await open(hid)), value: "right" });
  if (outcome.say !== "accepted") throw new Error(`not accepted: ${outcome.say}`);
  return outcome.admitted.sid;
}

describe("the book of a socket", () => {
  it("says who changed what, who came in, and who was put out by whom", async () => {
    await addBob();
    const sid = await enter();
    await world.api.call(kickSession, { ...mine, sid });
    const entries = await list();
    expect(entries.map(({ event, about }) => [event, about?.what])).toEqual([
      ["socket-changed", "made"],
      ["member-added", undefined],
      ["member-changed", "authenticator-made"],
      ["accepted", undefined],
      ["session-ended", undefined],
    ]);
    const [made, added, , accepted, ended] = entries;
    expect(made).toMatchObject({ by: mine.ownerId, byEmail: email });
    expect(added).toMatchObject({ by: mine.ownerId, memberName: "bob" });
    expect(accepted).toMatchObject({ session: sid, memberName: "bob", member: added?.member, about: { gates: "otp" } });
    expect(ended).toMatchObject({ session: sid, cause: "kicked", by: mine.ownerId, member: added?.member });
    expect(accepted?.network).toMatch(/^[\w-]{20,}$/);
  });

  it("has the true cause of a denial, which nobody outside hears", async () => {
    await addBob();
    const hid = freshHid();
    let cid = cidOf(await open(hid));
    for (let n = 1; n <= 3; n += 1) {
      const outcome = await take(hid, n, { cid, value: "wrong" });
      if (outcome.say === "challenge") ({ cid } = outcome);
      else expect(outcome).toEqual({ say: "denied", retryAfterMs: null, sealed: true });
    }
    await expect
      .poll(() => list("denied"))
      .toMatchObject([{ cause: "too-many-failures", memberName: "bob", handshake: hid }]);
  });

  it("is read page by page, either way, and what is asked for alone", async () => {
    await addBob();
    for (let index = 0; index < 5; index += 1) await enter();
    const all = await list();
    for (const order of ["oldest", "newest"] as const) {
      const found: string[] = [];
      let after: string | null = null;
      do {
        const page: { entries: typeof all; next: string | null } = await world.api.call(listAudit, {
          ...mine,
          after,
          limit: 3,
          order,
          event: null,
        });
        found.push(...page.entries.map(({ n, index }) => `${n}.${index}`));
        after = page.next;
      } while (after !== null);
      const expected = all.map(({ n, index }) => `${n}.${index}`);
      expect(found).toEqual(order === "oldest" ? expected : expected.toReversed());
    }
    expect((await list("accepted")).length).toBe(5);
  });

  it("lets nobody in while it cannot be written, and leaves no session", async () => {
    await addBob();
    const stop = world.before("identity_audit_blocks.insert", () => {
      throw new Error("down");
    });
    const hid = freshHid();
    const cid = cidOf(await open(hid));
    expect(await codeOf(take(hid, 1, { cid, value: "right" }))).toBe("unavailable");
    stop();
    // The same step once more is taken where it stopped.
    await expect
      .poll(async () => (await take(hid, 1, { cid, value: "right" })).say, { timeout: 3_000 })
      .toBe("accepted");
    const accepted = await list("accepted");
    const ended = await list("session-ended");
    const live = await Promise.all(
      accepted.map(({ session = "" }) =>
        world.keysCaller.call(aboutSession, { socketId: mine.socketId, sid: session }),
      ),
    );
    expect(live.filter(({ about }) => about !== null)).toHaveLength(1);
    expect(ended).toEqual([]);
  });

  it("keeps nobody's name or address: who is removed is an id from then on, and the chain verifies as before", async () => {
    await addBob();
    await enter();
    const cat = await account(world, "cat@x.example");
    await join(world, mine, cat, "approver");
    expect((await list("person-changed")).at(-1)).toMatchObject({ byEmail: cat.email, about: { what: "accepted" } });
    await world.api.call(removeMember, { ...mine, name: "bob" });
    const { people } = await world.api.call(listPeople, mine);
    const personId = people.find(({ email }) => email === cat.email)?.id ?? "";
    await world.api.call(removePerson, { ...mine, personId });
    expect((await list("person-changed")).map(({ about, byEmail }) => [about?.what, byEmail])).toEqual([
      ["invited", email],
      ["accepted", null],
      ["removed", email],
    ]);
    const entries = await list();
    const ofBob = entries.filter(({ member }) => member !== undefined);
    expect(ofBob.length).toBeGreaterThanOrEqual(4);
    expect(ofBob.map(({ memberName }) => memberName)).toEqual(ofBob.map(() => null));
    expect(await world.api.call(verifyAudit, { ...mine, after: null })).toMatchObject({ problem: null, end: "known" });
    const { blocks } = await openAuditStore(world.platform.documents);
    const texts = (await blocks.find({ socketId: mine.socketId }, { limit: 1000 }))
      .map(({ body }) => body.text)
      .join("\n");
    expect(texts).toContain(mine.ownerId);
    for (const personal of ["bob", email, cat.email, path, "192.0.2.1"]) expect(texts).not.toContain(personal);
  });

  it("is the owner's alone, and goes with its socket", async () => {
    const cat = await account(world, "cat@x.example");
    await join(world, mine, cat, "approver");
    const asCat = { ownerId: cat.ownerId, socketId: mine.socketId };
    const asked = { after: null, limit: 10, order: "newest", event: null } as const;
    expect(await codeOf(world.api.call(listAudit, { ...asCat, ...asked }))).toBe("not_found");
    expect(await codeOf(world.api.call(exportAudit, { ...asCat, after: null, range: null }))).toBe("not_found");
    expect(await codeOf(world.api.call(verifyAudit, { ...asCat, after: null }))).toBe("not_found");
    expect(await codeOf(world.api.call(keepAudit, { ...asCat, days: 7 }))).toBe("not_found");
    await world.api.call(deleteSocket, mine);
    const { blocks, books } = await openAuditStore(world.platform.documents);
    expect(await blocks.find({ socketId: mine.socketId })).toEqual([]);
    expect(await books.get(mine.socketId)).toBeNull();
  });

  it("is exported in parts as in one, to an end that is settled at the start, and not signed where it is not ours", async () => {
    await addBob();
    for (let index = 0; index < 60; index += 1) await world.api.call(keepAudit, { ...mine, days: 7 + index });
    const lines: string[] = [];
    let after: number | null = null;
    let range: { first: number; last: number } | null = null;
    for (;;) {
      const page: { lines: string[]; range: { first: number; last: number }; next: number | null } =
        await world.api.call(exportAudit, { ...mine, after, range });
      lines.push(...page.lines);
      if (page.next === null) break;
      ({ next: after, range } = page);
      // Somebody writes on.
      await world.api.call(keepAudit, { ...mine, days: 7 });
    }
    const { statement } = JSON.parse(lines.at(-1) ?? "");
    expect([statement.first, statement.last]).toEqual([1, lines.length - 1]);
    expect(lines.length).toBeGreaterThan(60);

    const { blocks } = await openAuditStore(world.platform.documents);
    const [last] = await blocks.find({ socketId: mine.socketId }, { sort: { field: "n", direction: "descending" } });
    if (last === undefined) throw new Error("no block");
    const forged = last.body.text.replace("auditDays", "auditdays");
    const hash = createHash("sha256").update(forged).digest("hex");
    await blocks.replace(last.id, last.version, { ...last.body, text: forged, hash });
    const next = last.body.n - 1;
    const all = { first: 1, last: last.body.n };
    expect(await codeOf(world.api.call(exportAudit, { ...mine, after: next, range: all }))).toBe("conflict");
    await blocks.delete(last.id);
    expect(await codeOf(world.api.call(exportAudit, { ...mine, after: next, range: all }))).toBe("conflict");
  });

  it("has what broke off half-way, of which something may have been done", async () => {
    await addBob();
    const stop = world.before("identity_members.delete", () => {
      throw new Error("down");
    });
    expect(await codeOf(world.api.call(removeMember, { ...mine, name: "bob" }))).toBe("internal");
    stop();
    expect((await list("member-removed")).map(({ cause }) => cause)).toEqual(["incomplete"]);
    expect(await codeOf(world.api.call(removeMember, { ...mine, name: "nobody" }))).toBe("not_found");
    expect(await list("member-removed")).toHaveLength(1);
  });

  it("says which policy there was, as receipts do, and when it is kept for less time", async () => {
    const policy = { gates: [{ gate: "path" }], anonymous: true };
    await world.api.call(updateSocket, { ...mine, version: 1, path: null, idParameter: null, policy });
    const outcome = await open(freshHid(), { query: "" });
    if (outcome.say !== "accepted") throw new Error("not accepted");
    const hash = Buffer.from(outcome.policyHash).toString("base64url");
    expect((await list("socket-changed")).at(-1)?.about).toEqual({ what: "policy", policyHash: hash });
    expect((await list("accepted"))[0]?.about?.policyHash).toBe(hash);
    await world.api.call(keepAudit, { ...mine, days: 30 });
    const { days, entries } = await world.api.call(listAudit, {
      ...mine,
      after: null,
      limit: 1,
      order: "newest",
      event: null,
    });
    expect([days, entries[0]?.about]).toEqual([30, { auditDays: 30 }]);
  });
});

describe("what is turned away before the policy has a say", () => {
  it("is summed up, and no probe writes anything", () => {
    const noted: unknown[] = [];
    const warned: unknown[] = [];
    const audit = { note: async (socketId: string, entry: object) => void noted.push([socketId, entry]) };
    const turned = createTurnedAway(audit, { warn: (...line) => void warned.push(line) });
    for (let index = 0; index < 1_000; index += 1) turned.add("s", index % 4 === 0 ? "box" : "no-key");
    for (let index = 0; index < 1_000; index += 1) turned.add(null, "unknown-path");
    expect(noted).toEqual([]);
    turned.flush();
    expect(noted).toEqual([
      ["s", { event: "turned-away", cause: "box", count: 250 }],
      ["s", { event: "turned-away", cause: "no-key", count: 750 }],
    ]);
    turned.flush();
    expect(noted).toHaveLength(2);
    for (let index = 0; index < 20_000; index += 1) turned.add(`s${index}`, "box");
    turned.flush();
    expect([noted.length, warned.length]).toEqual([10_002, 1]);
  });

  it("is written before the process ends", async () => {
    await open(freshHid(), { opened: false });
    await open(freshHid(), { opened: false, path: "unknown-path-0" });
    const { documents } = world.platform;
    const { blocks } = await openAuditStore(documents);
    const texts = async () => (await blocks.find({ socketId: mine.socketId })).map(({ body }) => body.text).join();
    expect(await texts()).not.toContain("turned-away");
    let written = "";
    world.after("identity_audit_blocks.insert", (_, __, block) => {
      written += JSON.stringify(block);
    });
    await world.close();
    expect(written).toContain("turned-away");
    expect(written).not.toContain("unknown-path");
  });
});
