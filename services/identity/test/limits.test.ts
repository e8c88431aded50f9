import {
  acceptInvitation,
  createApiToken,
  createMember,
  createSocket,
  invitePerson,
  listPeople,
  peopleMax,
  signIn,
} from "@portcullis/contracts";
import type { Collection } from "@portcullis/documents";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AccountStore, openAccountStore } from "../src/accounts/store.ts";
import { openSocketStore, type SocketStore } from "../src/sockets/store.ts";
import { type Account, account, invite } from "./support/people.ts";
import { address, codeOf, goodPassword, startWorld, type World } from "./support/world.ts";

const email = "ann@x.example";
let world: World;
let store: SocketStore & AccountStore;
let ann: Account;
let mine: { readonly ownerId: string; readonly socketId: string };

beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
  const { documents } = world.platform;
  store = { ...(await openSocketStore(documents)), ...(await openAccountStore(documents)) };
  ann = await account(world, email);
  mine = { ownerId: ann.ownerId, socketId: await makeSocket("first") };
});
afterEach(() => world.close());

async function makeSocket(label: string): Promise<string> {
  const policy = { gates: [{ gate: "key" }] };
  const asked = { ownerId: ann.ownerId, label, path: null, idParameter: null, policy };
  return (await world.api.call(createSocket, asked)).id;
}
const addMember = (name: string) =>
  world.api.call(createMember, { ...mine, name, contacts: { email: null, phone: null }, passphrase: null });
const makeToken = (label: string) => {
  const { ownerId } = ann;
  return world.api.call(createApiToken, {
    ownerId,
    password: goodPassword,
    secondFactor: null,
    label,
    expiresAtMs: null,
  });
};
const enter = () =>
  world.api.call(signIn, { email, password: goodPassword, secondFactor: null, address: address(), userAgent: "" });

/** Copies of one that is there, until there are so many. */
async function fill<T extends object>(
  collection: Collection<T>,
  of: Readonly<Record<string, string>>,
  count: number,
  change: (body: T, n: number) => T,
): Promise<void> {
  const there = await collection.find(of, { limit: 1000 });
  const [one] = there;
  if (one === undefined) throw new Error("nothing to copy");
  for (let n = there.length; n < count; n += 1) await collection.insert(`copy-${n}`, change(one.body, n));
}
/** @returns how many were made, of those that were refused how. */
async function atOnce(count: number, make: (n: number) => Promise<unknown>): Promise<(string | null)[]> {
  return Promise.all(Array.from({ length: count }, (_, n) => codeOf(make(n))));
}

describe("however many come at once", () => {
  it("a socket has a thousand members at most", async () => {
    await addMember("one");
    await fill(store.members, { socketId: mine.socketId }, 997, (body, n) => ({ ...body, name: `copy-${n}` }));
    await atOnce(50, (n) => addMember(`m${n}`));
    expect(await store.members.count({ socketId: mine.socketId })).toBeLessThanOrEqual(1000);
  });

  it("an owner has a thousand sockets at most", async () => {
    await fill(store.sockets, { ownerId: ann.ownerId }, 997, (body, n) => ({
      ...body,
      label: `copy-${n}`,
      pathTag: `copy-${n}`,
    }));
    await atOnce(50, (n) => makeSocket(`socket-${n}`));
    expect(await store.sockets.count({ ownerId: ann.ownerId })).toBeLessThanOrEqual(1000);
  });

  it("an owner has a hundred tokens at most", async () => {
    await makeToken("one");
    await fill(store.apiTokens, { ownerId: ann.ownerId }, 98, (body, n) => ({ ...body, secretHash: `copy-${n}` }));
    // More would be too many tries of the password.
    await atOnce(5, (n) => makeToken(`t${n}`));
    expect(await store.apiTokens.count({ ownerId: ann.ownerId })).toBeLessThanOrEqual(100);
  });

  it("an owner is signed in a hundred times at most, and nobody who comes is kept out", async () => {
    await fill(store.webSessions, { ownerId: ann.ownerId }, 98, (body, n) => ({ ...body, secretHash: `copy-${n}` }));
    expect(await atOnce(50, enter)).toEqual(Array.from({ length: 50 }, () => null));
    expect(await store.webSessions.count({ ownerId: ann.ownerId })).toBeLessThanOrEqual(100);
  });

  it("a socket has fifty people at most, those who are invited among them", async () => {
    await invite(world, mine, "bob@x.example");
    for (let n = 0; n < peopleMax - 4; n += 1) await addPerson(mine.socketId, `a${n}`);
    await atOnce(25, (n) => world.api.call(invitePerson, { ...mine, email: `i${n}@x.example`, role: "viewer" }));
    expect((await world.api.call(listPeople, mine)).people.length).toBeLessThanOrEqual(peopleMax + 1);
  });

  it("and accept, a socket has fifty people at most", async () => {
    const invited: { one: Account; token: string }[] = [];
    for (let n = 0; n < 8; n += 1) {
      const one = await account(world, `i${n}@x.example`);
      invited.push({ one, token: await invite(world, mine, one.email) });
    }
    for (let n = 0; n < peopleMax - 3; n += 1) await addPerson(mine.socketId, `a${n}`);
    await atOnce(8, (n) => {
      const { one, token } = invited[n] ?? { one: ann, token: "" };
      return world.api.call(acceptInvitation, { ownerId: one.ownerId, token });
    });
    expect(await store.people.count({ socketId: mine.socketId })).toBeLessThanOrEqual(peopleMax);
  });

  it("an account is of two hundred sockets of others at most", async () => {
    const bob = await account(world, "bob@x.example");
    const tokens: string[] = [];
    for (let n = 0; n < 15; n += 1)
      tokens.push(await invite(world, { ...mine, socketId: await makeSocket(`socket-${n}`) }, bob.email));
    for (let n = 0; n < 197; n += 1) await addPerson(`s${n}`, bob.ownerId);
    await atOnce(tokens.length, (n) =>
      world.api.call(acceptInvitation, { ownerId: bob.ownerId, token: tokens[n] ?? "" }),
    );
    expect(await store.people.count({ accountId: bob.ownerId })).toBeLessThanOrEqual(200);
  });
});

function addPerson(socketId: string, accountId: string) {
  const id = `${socketId}-${accountId}`;
  return store.people.insert(id, { socketId, accountId, role: "viewer", grant: id, goneAtMs: null, createdAtMs: 0 });
}
