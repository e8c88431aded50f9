import {
  type Contract,
  contracts,
  createAppKey,
  createMember,
  createSocket,
  getSocket,
  listPeople,
  listSockets,
  type RequestContract,
} from "@portcullis/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Right } from "../src/people/rights.ts";
import { type Account, account, join } from "./support/people.ts";
import { codeOf, firstPage, startWorld, type World } from "./support/world.ts";

type Role = "stranger" | "viewer" | "approver" | "owner";

let world: World;
/** One account for each; the owner's sockets are shared with the two in the middle. */
let accounts: Record<Role, Account>;
beforeAll(async () => {
  world = await startWorld();
  const [stranger, viewer, approver, owner] = await Promise.all(
    ["s@x.example", "v@x.example", "a@x.example", "o@x.example"].map((email) => account(world, email)),
  );
  if (stranger === undefined || viewer === undefined || approver === undefined || owner === undefined)
    throw new Error("nobody");
  accounts = { stranger, viewer, approver, owner };
});
afterAll(() => world.close());

let made = 0;
/** A socket with everything on it that a request could name. */
async function shared() {
  made += 1;
  // One mailbox is invited a few times a day.
  world.advance(6 * 3_600_000);
  const { ownerId } = accounts.owner;
  const policy = { gates: [{ gate: "key" }, { gate: "approval" }] };
  const socket = await world.api.call(createSocket, {
    ownerId,
    label: `shared-${made}`,
    path: null,
    idParameter: null,
    policy,
  });
  const mine = { ownerId, socketId: socket.id };
  const { appKey } = await world.api.call(createAppKey, { ...mine, label: "k", role: "member" });
  const contacts = { email: null, phone: null };
  const member = await world.api.call(createMember, { ...mine, name: "bob", contacts, passphrase: null });
  for (const role of ["viewer", "approver"] as const) await join(world, mine, accounts[role], role);
  const { people } = await world.api.call(listPeople, mine);
  const personId = people.find(({ role }) => role === "viewer")?.id ?? "none";
  return { ...mine, version: socket.version, keyId: appKey.keyId, memberVersion: member.version, personId };
}
type Shared = Awaited<ReturnType<typeof shared>>;
/** Each request that names a socket and who asks: which right it takes, and what it says beside the two. */
const requests: Readonly<Record<string, readonly [Right, (on: Shared) => object]>> = {
  "identity.sockets.get": ["read", () => ({})],
  "identity.sockets.sessions.list": ["read", () => firstPage],
  "identity.audit.list": ["own", () => ({ ...firstPage, order: "newest", event: null })],
  "identity.audit.export": ["own", () => ({ after: null, range: null })],
  "identity.audit.verify": ["own", () => ({ after: null })],
  "identity.audit.keep": ["own", () => ({ days: 30 })],
  "identity.sockets.approvals.list": ["approve", () => ({})],
  "identity.decoys.list": ["own", () => ({ after: null, limit: 10 })],
  "identity.decoys.script.get": ["own", () => ({})],
  "identity.decoys.script.set": ["own", () => ({ script: null })],
  "identity.sockets.holds.list": ["approve", () => firstPage],
  "identity.sockets.directory.list": ["own", () => ({})],
  "identity.sockets.directory.reset": ["own", () => ({ name: "consumer" })],
  "identity.sockets.update": ["own", ({ version }) => ({ version, path: null, idParameter: null, policy: null })],
  "identity.sockets.app-keys.create": ["own", () => ({ label: "k", role: "member" })],
  "identity.sockets.app-keys.list": ["own", () => ({})],
  "identity.sockets.app-keys.revoke": ["own", ({ keyId }) => ({ keyId })],
  "identity.sockets.members.create": [
    "own",
    () => ({ name: "ann", contacts: { email: null, phone: null }, passphrase: null }),
  ],
  "identity.sockets.members.list": ["own", () => firstPage],
  "identity.sockets.members.update": [
    "own",
    ({ memberVersion }) => ({ name: "bob", version: memberVersion, contacts: null, passphrase: null }),
  ],
  "identity.sockets.authenticators.enrol": ["own", () => ({ memberName: "bob" })],
  "identity.sockets.answer-secrets.create": ["own", () => ({ name: "bob" })],
  "identity.sockets.answer-rules.set": ["own", () => ({ name: "bob", rule: null })],
  "identity.sockets.alerts.list": ["own", () => firstPage],
  "identity.sockets.alerts.read-settings": ["own", () => ({})],
  "identity.sockets.alerts.set-settings": ["own", () => ({ settings: { mail: false, webhook: null, kinds: null } })],
  "identity.policies.validate": ["own", () => ({ policy: { gates: [{ gate: "key" }] } })],
  "identity.sockets.people.invite": ["own", () => ({ email: "new@x.example", role: "viewer" })],
  "identity.sockets.people.list": ["own", () => ({})],
  "identity.sockets.people.change": ["own", ({ personId }) => ({ personId, role: "viewer" })],
  "identity.sockets.people.remove": ["own", ({ personId }) => ({ personId })],
  "identity.sockets.members.remove": ["own", () => ({ name: "bob" })],
  "identity.sockets.delete": ["own", () => ({})],
};
/** Succeeds only with more beside it (a session, a wait, a secret); tested on its own, and here for who may not. */
const needsMore: Readonly<Record<string, readonly [Right, object]>> = {
  "identity.sockets.sessions.kick": ["own", { sid: "s1" }],
  "identity.sockets.holds.release": ["own", { holdId: "h1" }],
  "identity.sockets.sessions.stepup": ["own", { sid: "s1", rule: null }],
  "identity.decoys.read": ["own", { room: "r1", after: 0, limit: 10 }],
  "identity.decoys.end": ["own", { room: "r1" }],
  "identity.tickets.mint": ["own", { member: "bob", role: "member" }],
  "identity.sockets.authenticators.remove": ["own", { memberName: "bob" }],
  "identity.sockets.answer-secrets.remove": ["own", { name: "bob" }],
  "identity.sockets.signs.set": ["own", { name: "bob", art: null }],
  "identity.sockets.signs.read": ["own", { name: "bob" }],
  "identity.sockets.signs.remove": ["own", { name: "bob" }],
  "identity.sockets.signs.invite": ["own", { name: "bob" }],
  "identity.sockets.answer-rules.remove": ["own", { name: "bob" }],
  "identity.sockets.webhooks.create": ["own", { url: "https://hooks.example.com/a", purpose: "faces" }],
  "identity.sockets.webhooks.list": ["own", {}],
  "identity.sockets.webhooks.rotate": ["own", { webhookId: "h1" }],
  "identity.sockets.webhooks.remove": ["own", { webhookId: "h1" }],
  "identity.sockets.passkeys.begin": ["own", { name: "bob", relyingParty: "app.example.com" }],
  "identity.sockets.passkeys.finish": [
    "own",
    { name: "bob", registrationId: "r1", origin: "https://app.example.com", response: {}, label: "l" },
  ],
  "identity.sockets.passkeys.list": ["own", { name: "bob" }],
  "identity.sockets.passkeys.remove": ["own", { name: "bob", passkeyId: "p1" }],
  "identity.sockets.approvals.decide": ["approve", { waitId: "w1", decision: { say: "refuse" } }],
};
const mayBy: Readonly<Record<Right, readonly Role[]>> = {
  read: ["viewer", "approver", "owner"],
  approve: ["approver", "owner"],
  own: ["owner"],
};

function isOfSocket(contract: Contract): contract is RequestContract<object, object> {
  if (contract.kind !== "request" || contract.server !== "identity" || !contract.callers.includes("api")) return false;
  const { request } = contract;
  return request instanceof z.ZodObject && "ownerId" in request.shape && "socketId" in request.shape;
}
const named = (name: string): RequestContract<object, object> => {
  const found = contracts.filter(isOfSocket).find((contract) => contract.name === name);
  if (found === undefined) throw new Error(`no contract ${name}`);
  return found;
};

describe("who may do what on a socket", () => {
  it("is said of every request that names one", () => {
    const all = contracts.filter(isOfSocket).map(({ name }) => name);
    expect(all.length).toBeGreaterThan(18);
    expect([...Object.keys(requests), ...Object.keys(needsMore)].toSorted()).toEqual(all.toSorted());
  });

  it.each(Object.entries(requests))("%s", async (name, [right, beside]) => {
    const on = await shared();
    const outcomes: Record<string, unknown> = {};
    for (const role of ["stranger", "viewer", "approver", "owner"] as const) {
      const asked = { socketId: on.socketId, ...beside(on), ownerId: accounts[role].ownerId };
      outcomes[role] = await codeOf(world.api.call(named(name), asked));
    }
    const expected = (role: Role) => (mayBy[right].includes(role) ? null : "not_found");
    expect(outcomes).toEqual({
      stranger: expected("stranger"),
      viewer: expected("viewer"),
      approver: expected("approver"),
      owner: expected("owner"),
    });
  });

  it.each(Object.entries(needsMore))("%s is there for nobody else either", async (name, [right, beside]) => {
    const { socketId } = await shared();
    for (const role of ["stranger", "viewer", "approver"] as const) {
      if (mayBy[right].includes(role)) continue;
      const asked = { socketId, ...beside, ownerId: accounts[role].ownerId };
      expect(await codeOf(world.api.call(named(name), asked)), role).toBe("not_found");
    }
  });

  it("shows each the sockets on which they are somebody, with what they are, in pages that leave none out", async () => {
    const { ownerId } = accounts.approver;
    const own = await world.api.call(createSocket, {
      ownerId,
      label: "own-of-approver",
      path: null,
      idParameter: null,
      policy: { gates: [{ gate: "key" }] },
    });
    const on = await shared();
    expect(await world.api.call(getSocket, { ownerId, socketId: on.socketId })).toMatchObject({
      role: "approver",
      path: null,
    });
    const paged: { id: string; role: string }[] = [];
    let after: string | null = null;
    do {
      const page: { sockets: { id: string; role: string }[]; next: string | null } = await world.api.call(listSockets, {
        ownerId,
        after,
        limit: 2,
      });
      paged.push(...page.sockets);
      after = page.next;
    } while (after !== null);
    const all = await world.api.call(listSockets, { ownerId, after: null, limit: 200 });
    expect(paged.map(({ id }) => id)).toEqual(all.sockets.map(({ id }) => id));
    expect(new Set(paged.map(({ id }) => id)).size).toBe(paged.length);
    const roles = Object.fromEntries(paged.map(({ id, role }) => [id, role]));
    expect([roles[own.id], roles[on.socketId]]).toEqual(["owner", "approver"]);
    const ofStranger = await world.api.call(listSockets, { ownerId: accounts.stranger.ownerId, ...firstPage });
    expect(ofStranger.sockets).toEqual([]);
  });
});
