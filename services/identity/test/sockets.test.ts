import {
  createAppKey,
  createMember,
  createSocket,
  deleteSocket,
  enrolAuthenticator,
  getSocket,
  identityOpen,
  identityStep,
  kickSession,
  listAppKeys,
  listLiveSessions,
  listMembers,
  listSockets,
  removeAuthenticator,
  removeMember,
  revokeAppKey,
  updateMember,
  updateSocket,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gate } from "../../../libs/platform/test/support/hooks.ts";
import { openSocketStore } from "../src/sockets/store.ts";
import { opening } from "./support/handshake.ts";
import { codeOf, firstPage, refusal, startWorld, type World } from "./support/world.ts";

type Owner = Awaited<ReturnType<World["owner"]>>;

let world: World;
let ann: Owner;
let eve: Owner;
beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
  [ann, eve] = [await world.owner(), await world.owner()];
});
afterEach(() => world.close());

const pathOnly = { gates: [{ gate: "path" }], anonymous: true };
const path = "a-path/of-its.own~_";
let made = 0;

interface Wanted {
  readonly label?: string;
  readonly path?: string | null;
  readonly idParameter?: string | null;
  readonly policy?: Record<string, unknown>;
}
function make({ label = `label-${made++}`, idParameter = null, policy = pathOnly, ...rest }: Wanted = {}) {
  const chosen = "path" in rest ? (rest.path ?? null) : path;
  return world.api.call(createSocket, { ownerId: ann.ownerId, label, path: chosen, idParameter, policy });
}
const of = (socketId: string, ownerId = ann.ownerId) => ({ ownerId, socketId });
const contacts = { email: "bob@example.com", phone: "+491701234567" };
const addMember = (socketId: string, name = "bob", extra = {}) =>
  world.api.call(createMember, { ...of(socketId), name, contacts, passphrase: null, ...extra });
const enter = async (label: string, extra: Partial<Parameters<typeof opening>[0]> = {}) =>
  world.keysCaller.call(identityOpen, opening({ label, path, ...extra }));
const sessionsOf = async (socketId: string) =>
  (await world.api.call(listLiveSessions, { ...of(socketId), ...firstPage })).sessions.map(({ member }) => member);

describe("a socket", () => {
  it("is its owner's: for everybody else it is not there, whatever they ask", async () => {
    const { id, version } = await make();
    const key = await world.api.call(createAppKey, { ...of(id), label: "k", role: "member" });
    await addMember(id);
    const theirs = of(id, eve.ownerId);
    const nothing = of("no-such-socket");
    const ask = (who: typeof theirs) => [
      world.api.call(getSocket, who),
      world.api.call(updateSocket, { ...who, version, path: null, idParameter: null, policy: null }),
      world.api.call(deleteSocket, who),
      world.api.call(createAppKey, { ...who, label: "k", role: "member" }),
      world.api.call(listAppKeys, who),
      world.api.call(revokeAppKey, { ...who, keyId: key.appKey.keyId }),
      world.api.call(createMember, { ...who, name: "x", contacts, passphrase: null }),
      world.api.call(listMembers, { ...who, ...firstPage }),
      world.api.call(updateMember, { ...who, name: "bob", version: 1, contacts: null, passphrase: null }),
      world.api.call(removeMember, { ...who, name: "bob" }),
      world.api.call(enrolAuthenticator, { ...who, memberName: "bob" }),
      world.api.call(removeAuthenticator, { ...who, memberName: null }),
      world.api.call(listLiveSessions, { ...who, ...firstPage }),
      world.api.call(kickSession, { ...who, sid: "s" }),
    ];
    for (const who of [theirs, nothing]) {
      const refusals = await Promise.all(ask(who).map(refusal));
      expect(refusals).toEqual(refusals.map(() => ({ code: "not_found", issues: [] })));
    }
    expect((await world.api.call(listSockets, { ownerId: eve.ownerId, ...firstPage })).sockets).toEqual([]);
    expect(
      (await world.api.call(listSockets, { ownerId: ann.ownerId, ...firstPage })).sockets.map((each) => each.id),
    ).toEqual([id]);
    expect(world.keys.live.size).toBe(1);
  });

  it("says whether its own authenticator is enrolled", async () => {
    const { id } = await make();
    const isEnrolled = async () => (await world.api.call(getSocket, of(id))).authenticator;
    expect(await isEnrolled()).toBe(false);
    await world.api.call(enrolAuthenticator, { ...of(id), memberName: null });
    expect(await isEnrolled()).toBe(true);
    await world.api.call(removeAuthenticator, { ...of(id), memberName: null });
    expect(await isEnrolled()).toBe(false);
  });

  it("shows its path when it is set, and never again", async () => {
    const generated = await make({ path: null });
    expect(generated.path).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect((await world.api.call(getSocket, of(generated.id))).path).toBe(null);
    const { sockets } = await world.api.call(listSockets, { ownerId: ann.ownerId, ...firstPage });
    expect(sockets.map((each) => each.path)).toEqual([null]);
    const again = await world.api.call(updateSocket, {
      ...of(generated.id),
      version: 1,
      path: "",
      idParameter: null,
      policy: null,
    });
    expect(again.path).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(again.path).not.toBe(generated.path);
  });

  it.each([
    ["label", "", { label: "" }],
    ["label", "a capital", { label: "Label" }],
    ["label", "a dash at an end", { label: "-label" }],
    ["label", "a dash at the other end", { label: "label-" }],
    ["label", "a dot", { label: "a.b" }],
    ["label", "what a deployment needs itself", { label: "www" }],
    ["path", "too short", { path: "1234567" }],
    ["path", "a leading slash", { path: "/12345678" }],
    ["path", "a trailing slash", { path: "12345678/" }],
    ["path", "two slashes", { path: "1234//5678" }],
    ["path", "a dot as a part", { path: "1234/./5678" }],
    ["path", "two dots as a part", { path: "1234/../5678" }],
    ["path", "something that is percent-encoded", { path: "1234%205678" }],
    ["path", "a query", { path: "12345678?id=bob" }],
    ["idParameter", "empty", { idParameter: "" }],
    ["idParameter", "a digit first", { idParameter: "1d" }],
    ["idParameter", "a sign", { idParameter: "id[]" }],
  ])("refuses as its %s: %s", async (field, _, wanted) => {
    expect(await refusal(make(wanted))).toMatchObject({ code: "invalid", issues: [{ path: field }] });
    expect((await world.api.call(listSockets, { ownerId: ann.ownerId, ...firstPage })).sockets).toEqual([]);
  });

  it("has the longest label and path there may be", async () => {
    const [label, long] = ["a".repeat(63), "p".repeat(256)];
    await make({ label, path: long });
    expect((await enter(label, { path: long })).say).toBe("accepted");
  });

  it("says what is wrong with its policy, and where", async () => {
    const policy = { gates: [{ gate: "path" }, { anyOf: [{ gate: "otpp" }] }], sesion: "1h" };
    const issues = [{ path: "policy.gates.1.anyOf.0.gate" }, { path: "policy.sesion" }];
    const made = await refusal(make({ policy }));
    expect(made?.code).toBe("invalid");
    expect(made?.issues).toEqual(expect.arrayContaining(issues.map((issue) => expect.objectContaining(issue))));
    const { id } = await make();
    const changed = world.api.call(updateSocket, { ...of(id), version: 1, path: null, idParameter: null, policy });
    expect(await refusal(changed)).toEqual(made);
    const nothing = await refusal(make({ policy: {} }));
    expect(nothing?.issues).toEqual([expect.objectContaining({ path: "policy.gates" })]);
  });

  it("has a label of its own, also among other owners' and when two are made at once", async () => {
    const both = await Promise.all([refusal(make({ label: "one" })), refusal(make({ label: "one" }))]);
    expect(both.filter((each) => each === null)).toHaveLength(1);
    expect(both.find((each) => each !== null)).toMatchObject({ code: "conflict", issues: [{ path: "label" }] });
    const theirs = { ownerId: eve.ownerId, label: "one", path: null, idParameter: null, policy: pathOnly };
    expect(await codeOf(world.api.call(createSocket, theirs))).toBe("conflict");
  });

  it("is changed only by who has seen its last version", async () => {
    const { id } = await make();
    const change = (version: number, idParameter: string) =>
      world.api.call(updateSocket, { ...of(id), version, path: null, idParameter, policy: null });
    const codes = await Promise.all([codeOf(change(1, "a")), codeOf(change(1, "b"))]);
    expect(codes.filter((code) => code === null)).toHaveLength(1);
    expect(codes).toContain("conflict");
    expect(await codeOf(change(3, "c"))).toBe("conflict");
    expect((await change(2, "c")).version).toBe(3);
  });

  it("keeps what a change does not name, and its old path leads nowhere after a new one", async () => {
    const { id, label } = await make({ idParameter: "who" });
    const same = { ...of(id), idParameter: null, policy: null };
    const policy = { gates: [{ gate: "path" }], anonymous: true, session: "1h" };
    await world.api.call(updateSocket, { ...same, version: 1, path: null, policy });
    expect((await enter(label)).say).toBe("accepted");
    await world.api.call(updateSocket, { ...same, version: 2, path: "another-path" });
    expect(await enter(label)).toEqual({ say: "denied", retryAfterMs: null, sealed: false });
    expect((await enter(label, { path: "another-path" })).say).toBe("accepted");
    expect(await world.api.call(getSocket, of(id))).toMatchObject({ idParameter: "who", policy });
  });

  it("keeps its path as an HMAC that depends on the label", async () => {
    const [a, b] = [await make(), await make()];
    const { sockets } = await openSocketStore(world.platform.documents);
    const tags = await Promise.all([a, b].map(async ({ id }) => (await sockets.get(id))?.body.pathTag));
    for (const tag of tags) expect(tag).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(tags[0]).not.toBe(tags[1]);
  });
});

describe("a list", () => {
  it("comes in pages, each behind the one before, of nobody else's", async () => {
    const ids = [];
    for (let n = 0; n < 5; n += 1) ids.push((await make()).id);
    await world.api.call(createSocket, {
      ownerId: eve.ownerId,
      label: "eves",
      path: null,
      idParameter: null,
      policy: pathOnly,
    });
    const sockets: string[][] = [];
    let after: string | null = null;
    do {
      const page: { sockets: { id: string }[]; next: string | null } = await world.api.call(listSockets, {
        ownerId: ann.ownerId,
        after,
        limit: 2,
      });
      sockets.push(page.sockets.map(({ id }) => id));
      after = page.next;
    } while (after !== null);
    expect(sockets.map((page) => page.length)).toEqual([2, 2, 1]);
    expect(sockets.flat()).toEqual(ids.toSorted());
  });

  it("of members and of sessions likewise", async () => {
    const { id } = await make({ label: "paged", policy: pathOnly });
    for (const name of ["a", "b", "c"]) await addMember(id, name);
    for (let n = 0; n < 3; n += 1) await enter("paged");
    for (const all of [
      async (page: { after: string | null; limit: number }) => {
        const { members, next } = await world.api.call(listMembers, { ...of(id), ...page });
        return { items: members.map(({ name }) => name), next };
      },
      async (page: { after: string | null; limit: number }) => {
        const { sessions, next } = await world.api.call(listLiveSessions, { ...of(id), ...page });
        return { items: sessions.map(({ sid }) => sid), next };
      },
    ]) {
      const one = await all({ after: null, limit: 2 });
      const other = await all({ after: one.next, limit: 2 });
      expect([one.items.length, other.items.length, other.next]).toEqual([2, 1, null]);
      expect([...one.items, ...other.items].sort()).toEqual((await all(firstPage)).items.sort());
      expect(new Set([...one.items, ...other.items]).size).toBe(3);
    }
  });

  it("of sockets with long policies has pages that fit into one message", async () => {
    const name = "x".repeat(60);
    const origins = Array.from({ length: 64 }, (_, n) => `https://${name}.${name}.${name}.o${n}.example.com`);
    for (let n = 0; n < 160; n += 1) await make({ policy: { ...pathOnly, origins } });
    const pages: number[] = [];
    const ids = new Set<string>();
    let after: string | null = null;
    do {
      const page: { sockets: { id: string }[]; next: string | null } = await world.api.call(listSockets, {
        ownerId: ann.ownerId,
        after,
        limit: 200,
      });
      pages.push(Buffer.byteLength(JSON.stringify(page)));
      for (const { id } of page.sockets) ids.add(id);
      after = page.next;
    } while (after !== null);
    expect(ids.size).toBe(160);
    expect(pages.length).toBeGreaterThan(1);
    expect(Math.max(...pages)).toBeLessThan(1_100_000);
  });
});

type Whose = ReturnType<typeof of> & { readonly memberName: string };

describe("an authenticator", () => {
  const answerWith = async (hid: string, cid: string) =>
    world.keysCaller.call(identityStep, {
      handshake: hid,
      hid,
      transcript: new Uint8Array(32),
      n: 1,
      keyLive: true,
      action: { do: "answer", cid, answer: { gate: "otp", value: "right", at: null } },
    });
  async function comeIn(label: string, name: string): Promise<void> {
    const request = opening({ label, path, query: `id=${name}` });
    const asked = await world.keysCaller.call(identityOpen, request);
    if (asked.say !== "challenge") throw new Error(`no challenge: ${asked.say}`);
    expect(await answerWith(request.hid, asked.cid)).toMatchObject({ say: "accepted" });
  }

  it.each([
    ["removed", (who: Whose) => world.api.call(removeAuthenticator, who)],
    ["enrolled anew", (who: Whose) => world.api.call(enrolAuthenticator, who)],
  ])("that is %s ends the sessions that came in with it, and no others", async (_, change) => {
    const { id } = await make({ label: "strict", policy: { gates: [{ gate: "otp" }] } });
    for (const name of ["bob", "cleo"]) {
      await addMember(id, name);
      await world.api.call(enrolAuthenticator, { ...of(id), memberName: name });
      await comeIn("strict", name);
    }
    await change({ ...of(id), memberName: "bob" });
    expect(await sessionsOf(id)).toEqual(["cleo"]);
    expect(world.closed).toHaveLength(1);
  });

  it("whose removal stops half-way has let nobody stay, and removing again finishes it", async () => {
    const { id } = await make({ label: "strict", policy: { gates: [{ gate: "otp" }] } });
    await addMember(id, "bob");
    const bobs = { ...of(id), memberName: "bob" };
    await world.api.call(enrolAuthenticator, bobs);
    await comeIn("strict", "bob");
    world.factors.down = true;
    expect(await codeOf(world.api.call(removeAuthenticator, bobs))).toBe("unavailable");
    expect(await sessionsOf(id)).toEqual([]);
    world.factors.down = false;
    expect(await codeOf(world.api.call(removeAuthenticator, bobs))).toBe(null);
    expect(await codeOf(world.api.call(removeAuthenticator, bobs))).toBe("not_found");
  });

  it("whose removal was written and no more ends its sessions when it is removed again", async () => {
    const { id } = await make({ label: "strict", policy: { gates: [{ gate: "otp" }] } });
    await addMember(id, "bob");
    const bobs = { ...of(id), memberName: "bob" };
    await world.api.call(enrolAuthenticator, bobs);
    await comeIn("strict", "bob");
    const { members } = await openSocketStore(world.platform.documents);
    const bob = await members.findOne({ socketId: id, name: "bob" });
    if (bob === null) throw new Error("no bob");
    await members.replace(bob.id, bob.version, { ...bob.body, enrolments: {} });
    await world.api.call(removeAuthenticator, bobs);
    expect(await sessionsOf(id)).toEqual([]);
  });

  it("that is a member's first ends nothing", async () => {
    const { id } = await make({ label: "lax" });
    await addMember(id, "bob");
    await enter("lax", { query: "id=bob" });
    await world.api.call(enrolAuthenticator, { ...of(id), memberName: "bob" });
    expect(await sessionsOf(id)).toEqual(["bob"]);
  });

  it("of the socket ends, when it changes, the sessions of all who used it", async () => {
    const policy = { gates: [{ gate: "otp", of: "socket" }], anonymous: true };
    const { id } = await make({ label: "shared", policy });
    await world.api.call(enrolAuthenticator, { ...of(id), memberName: null });
    for (let n = 0; n < 2; n += 1) {
      const request = opening({ label: "shared", path });
      const asked = await world.keysCaller.call(identityOpen, request);
      if (asked.say !== "challenge") throw new Error(`no challenge: ${asked.say}`);
      await answerWith(request.hid, asked.cid);
    }
    expect(await sessionsOf(id)).toHaveLength(2);
    await world.api.call(enrolAuthenticator, { ...of(id), memberName: null });
    expect(await sessionsOf(id)).toEqual([]);
  });
});

describe("deleting a socket", () => {
  async function populated() {
    const socket = await make();
    const { appKey } = await world.api.call(createAppKey, { ...of(socket.id), label: "k", role: "member" });
    const bob = await addMember(socket.id);
    await world.api.call(enrolAuthenticator, { ...of(socket.id), memberName: null });
    const accepted = await enter(socket.label);
    return { socket, appKey, bob, accepted };
  }
  const leftOf = async (socketId: string) => {
    const store = await openSocketStore(world.platform.documents);
    return {
      sockets: (await store.sockets.get(socketId)) === null ? 0 : 1,
      members: await store.members.count({ socketId }),
      keys: [...world.keys.live.values()].filter((each) => each === socketId).length,
      secrets: [...world.factors.active].filter((name) => name.includes(socketId)).length,
    };
  };
  const nothingLeft = { sockets: 0, members: 0, keys: 0, secrets: 0 };

  it("removes its keys, authenticators and members, and ends its sessions", async () => {
    const { socket, accepted } = await populated();
    const other = await populated();
    await world.api.call(deleteSocket, of(socket.id));
    expect(await leftOf(socket.id)).toEqual(nothingLeft);
    if (accepted.say !== "accepted") throw new Error("not accepted");
    const { sid } = accepted.admitted;
    await expect.poll(() => world.closed).toEqual([{ sid, frame: `socket-deleted ${sid}`, closeCode: 4504 }]);
    expect((await enter(socket.label)).say).toBe("denied");
    expect(await codeOf(world.api.call(deleteSocket, of(socket.id)))).toBe("not_found");
    await make({ label: socket.label });
    // Nobody else's went along.
    expect(await leftOf(other.socket.id)).toEqual({ sockets: 1, members: 1, keys: 1, secrets: 1 });
  });

  it.each(["keys", "factors"] as const)(
    "without %s closes it and ends its sessions all the same, and goes on when it is asked again",
    async (missing) => {
      const { socket } = await populated();
      world[missing].down = true;
      expect(await codeOf(world.api.call(deleteSocket, of(socket.id)))).toBe("unavailable");
      await expect.poll(() => world.closed.length).toBe(1);
      // Like a socket that never was.
      expect(await enter(socket.label)).toEqual({ say: "denied", retryAfterMs: null, sealed: false });
      expect(await codeOf(world.api.call(getSocket, of(socket.id)))).toBe("not_found");
      // Still listed, so that its owner finds it.
      const { sockets } = await world.api.call(listSockets, { ownerId: ann.ownerId, ...firstPage });
      expect(sockets.map(({ id }) => id)).toContain(socket.id);
      world[missing].down = false;
      await world.api.call(deleteSocket, of(socket.id));
      expect(await leftOf(socket.id)).toEqual(nothingLeft);
    },
  );

  it.each([
    ["member", "identity_members.insert", (id: string) => addMember(id)],
    // Its owner was found right; `keys` is not asked yet.
    [
      "key",
      "identity_sockets.get",
      (id: string) => world.api.call(createAppKey, { ...of(id), label: "k", role: "member" }),
    ],
  ])("leaves no %s behind that was made meanwhile", async (_, place, add) => {
    const socket = await make();
    const { wait, reached, open } = gate();
    const stop = place.endsWith("get") ? world.after(place, wait) : world.before(place, wait);
    const adding = codeOf(add(socket.id));
    await reached;
    stop();
    await world.api.call(deleteSocket, of(socket.id));
    open();
    expect(await adding).toBe("not_found");
    expect(await leftOf(socket.id)).toEqual(nothingLeft);
  });
});

describe("a member", () => {
  it("has a name of its own on its socket, of a few letters and signs", async () => {
    const [one, two] = [await make(), await make()];
    expect(await addMember(one.id)).toEqual({
      name: "bob",
      canary: false,
      contacts,
      hasPassphrase: false,
      authenticator: false,
      answerSecret: false,
      passkey: false,
      answerRule: false,
      sign: false,
      createdAtMs: world.now(),
      version: 1,
    });
    expect(await refusal(addMember(one.id))).toMatchObject({ code: "conflict", issues: [{ path: "name" }] });
    await addMember(two.id);
    for (const name of ["", "a b", "a/b", "ö", "x".repeat(129)])
      expect(await codeOf(addMember(one.id, name)), name).toBe("invalid");
  });

  it("has a passphrase of at least eight characters, kept as a slow hash", async () => {
    const { id } = await make();
    expect(await refusal(addMember(id, "bob", { passphrase: "seven77" }))).toMatchObject({
      code: "invalid",
      issues: [{ path: "passphrase" }],
    });
    expect((await addMember(id, "bob", { passphrase: "eight888" })).hasPassphrase).toBe(true);
    const { members } = await openSocketStore(world.platform.documents);
    expect((await members.findOne({ socketId: id, name: "bob" }))?.body.passphraseHash).toMatch(/^cheap\$/);
  });

  it("is changed only by who has seen its last version, and keeps what is not named", async () => {
    const { id } = await make();
    await addMember(id, "bob", { passphrase: "eight888" });
    const change = (version: number) =>
      world.api.call(updateMember, {
        ...of(id),
        name: "bob",
        version,
        contacts: { email: null, phone: null },
        passphrase: null,
      });
    expect(await change(1)).toMatchObject({ contacts: { email: null, phone: null }, hasPassphrase: true, version: 2 });
    expect(await codeOf(change(1))).toBe("conflict");
    expect(await codeOf(change(3))).toBe("conflict");
    const without = { ...of(id), name: "bob", version: 2, contacts: null, passphrase: "" };
    expect(await world.api.call(updateMember, without)).toMatchObject({ hasPassphrase: false, version: 3 });
  });

  it("that is removed goes with its authenticator and sessions, and its name may be given anew", async () => {
    const { id, label } = await make();
    await addMember(id);
    await addMember(id, "cid");
    await world.api.call(enrolAuthenticator, { ...of(id), memberName: "cid" });
    await addMember(id, "dan");
    await enter(label, { query: "id=bob" });
    await enter(label, { query: "id=bob" });
    await enter(label, { query: "id=dan" });
    await enter(label);
    expect(await world.api.call(removeMember, { ...of(id), name: "bob" })).toEqual({ closed: 2 });
    expect(new Set(await sessionsOf(id))).toEqual(new Set(["dan", null]));
    expect(world.keys.farewells.map(({ what }) => what)).toEqual(["member-removed"]);
    expect((await enter(label, { query: "id=bob" })).say).toBe("denied");
    expect(await codeOf(world.api.call(removeMember, { ...of(id), name: "bob" }))).toBe("not_found");
    expect(world.factors.active.size).toBe(1);
    await world.api.call(removeMember, { ...of(id), name: "cid" });
    expect(world.factors.active.size).toBe(0);
    expect(await addMember(id)).toMatchObject({ authenticator: false, version: 1 });
    expect((await enter(label, { query: "id=bob" })).say).toBe("accepted");
  });

  it("whose removal stops half-way is out already, and removing again finishes it", async () => {
    const { id, label } = await make();
    await addMember(id);
    await enter(label, { query: "id=bob" });
    world.factors.down = true;
    const remove = () => world.api.call(removeMember, { ...of(id), name: "bob" });
    expect(await codeOf(remove())).toBe("unavailable");
    expect(await sessionsOf(id)).toEqual([]);
    // Like somebody who never was a member.
    expect(await enter(label, { query: "id=bob" })).toEqual({ say: "denied", retryAfterMs: null, sealed: false });
    world.factors.down = false;
    await remove();
    expect((await world.api.call(listMembers, { ...of(id), ...firstPage })).members).toEqual([]);
  });

  it("is nobody who does not name them, whatever they are called", async () => {
    const { id, label } = await make();
    await addMember(id, "none");
    expect(await enter(label)).toMatchObject({ say: "accepted", admitted: { member: null } });
    expect(await sessionsOf(id)).toEqual([null]);
  });

  it("with an authenticator has to use it; without one is not asked for it", async () => {
    const { id, label } = await make();
    await addMember(id);
    expect((await enter(label, { query: "id=bob" })).say).toBe("accepted");
    await world.api.call(enrolAuthenticator, { ...of(id), memberName: "bob" });
    expect((await enter(label, { query: "id=bob" })).say).toBe("challenge");
    await world.api.call(removeAuthenticator, { ...of(id), memberName: "bob" });
    expect((await enter(label, { query: "id=bob" })).say).toBe("accepted");
    expect(await codeOf(world.api.call(removeAuthenticator, { ...of(id), memberName: "bob" }))).toBe("not_found");
    expect(await codeOf(world.api.call(enrolAuthenticator, { ...of(id), memberName: "nobody" }))).toBe("not_found");
  });
});

describe("an app key", () => {
  it("that is revoked ends the sessions that came in with it, and only those", async () => {
    const { id, label } = await make();
    const [one, two] = await Promise.all(
      ["one", "two"].map((name) => world.api.call(createAppKey, { ...of(id), label: name, role: "member" })),
    );
    const keyOf = (made: typeof one) => ({ keyId: made?.appKey.keyId ?? "", socketId: id, role: "member" as const });
    await enter(label, { key: keyOf(one) });
    await enter(label, { key: keyOf(two) });
    await enter(label);
    const { closed } = await world.api.call(revokeAppKey, { ...of(id), keyId: keyOf(one).keyId });
    expect(closed).toBe(1);
    expect(await sessionsOf(id)).toHaveLength(2);
    expect([...world.keys.live.keys()]).toEqual([keyOf(two).keyId]);
  });

  it("is dead before the sessions are listed that came in with it, so that nobody comes in between", async () => {
    const { id } = await make();
    const { appKey } = await world.api.call(createAppKey, { ...of(id), label: "k", role: "member" });
    const liveAtListing: boolean[] = [];
    world.before("state.members", () => void liveAtListing.push(world.keys.live.has(appKey.keyId)));
    await world.api.call(revokeAppKey, { ...of(id), keyId: appKey.keyId });
    // Those of the socket, and those of its decoys.
    expect(liveAtListing).toEqual([false, false]);
  });
});
