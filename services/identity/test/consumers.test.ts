import {
  aboutSession,
  createSocket,
  identityOpen,
  kickMember,
  listAudit,
  listLiveSessions,
  type Outcome,
  recordIdentity,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { consumersMax } from "../src/sessions/consumers.ts";
import { type OpeningOptions, opening } from "./support/handshake.ts";
import { codeOf, startWorld, type World } from "./support/world.ts";

let world: World;
let ownerId: string;
beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
  ({ ownerId } = await world.owner());
});
afterEach(() => world.close());

const path = "a-secret-path";
const policy = { gates: [{ gate: "key" }], anonymous: true, messaging: { mode: "consumer" } };
async function make(label: string, written: Record<string, unknown> = policy) {
  return world.api.call(createSocket, { ownerId, label, path, idParameter: null, policy: written });
}
const keyOf = (socketId: string, role: "member" | "consumer") => ({ keyId: `key-${role}`, socketId, role });
const open = (options: Partial<OpeningOptions> & { label: string }): Promise<Outcome> =>
  world.keysCaller.call(identityOpen, opening({ path, ...options }));
async function enter(label: string, socketId: string, role: "member" | "consumer", more: Partial<OpeningOptions> = {}) {
  const outcome = await open({ label, key: keyOf(socketId, role), ...more });
  if (outcome.say !== "accepted") throw new Error(outcome.say);
  return outcome.admitted;
}

describe("the key of the owner's program", () => {
  it("lets it in as that, past every gate of the policy, with an allowance of its own", async () => {
    const { id } = await make("one", {
      gates: [{ gate: "key" }, { gate: "otp" }],
      before: { ticket: "required" },
      mode: "offered",
      messaging: { mode: "consumer", perSecond: 5, consumerPerSecond: 700 },
    });
    const outcome = await open({ label: "one", key: keyOf(id, "consumer") });
    expect(outcome).toMatchObject({
      say: "accepted",
      gates: ["key"],
      admitted: { role: "consumer", mode: "consumer", member: null, placed: true, relayed: true, perSecond: 700 },
    });
    expect((await open({ label: "one", key: keyOf(id, "member") })).say).not.toBe("accepted");
  });

  it("is nobody's who names a member, and no other socket's", async () => {
    const { id } = await make("one");
    await make("two");
    const bare = { say: "denied", retryAfterMs: null, sealed: false };
    expect(await open({ label: "one", key: keyOf(id, "consumer"), query: "id=bob" })).toEqual(bare);
    expect(await open({ label: "two", key: keyOf(id, "consumer") })).toEqual(bare);
    const { role } = await enter("one", id, "member");
    expect(role).toBe("member");
  });

  it("goes on as what it was, and as nothing else", async () => {
    const { id } = await make("one");
    const { sid } = await enter("one", id, "consumer");
    const outcome = await open({ label: "one", resumed: { sid, next: 7 } });
    expect(outcome).toMatchObject({ say: "accepted", admitted: { sid, role: "consumer", relayed: true } });
  });

  it("lets in a hundred at once, and those that are gone make room", async () => {
    const { id } = await make("one");
    for (let n = 0; n < consumersMax; n += 1) await enter("one", id, "consumer");
    expect((await open({ label: "one", key: keyOf(id, "consumer") })).say).toBe("denied");
    expect((await open({ label: "one", key: keyOf(id, "member") })).say).toBe("accepted");
    // Longer than a session lives.
    world.advance(13 * 3_600_000);
    expect((await open({ label: "one", key: keyOf(id, "consumer") })).say).toBe("accepted");
  });

  it("lets in no more than that of any number that come at one moment, over two replicas", async () => {
    const { id } = await make("one");
    for (let n = 0; n < consumersMax - 5; n += 1) await enter("one", id, "consumer");
    await Promise.all(Array.from({ length: 30 }, () => open({ label: "one", key: keyOf(id, "consumer") })));
    const { sessions } = await world.api.call(listLiveSessions, { ownerId, socketId: id, after: null, limit: 200 });
    expect(sessions.length).toBeLessThanOrEqual(consumersMax);
    expect(sessions.length).toBeGreaterThanOrEqual(consumersMax - 5);
  });
});

describe("what the owner's program may know and do", () => {
  it("is who is behind a session of its socket, and of no other", async () => {
    const [one, two] = [await make("one"), await make("two")];
    const parameters = { room: "2" };
    const { sid } = await enter("one", one.id, "member", { parameters, path: `${path}/chat/7`, query: "lang=de" });
    const ask = (socketId: string, of: string) => world.keysCaller.call(aboutSession, { socketId, sid: of });
    expect((await ask(one.id, sid)).about).toMatchObject({
      member: null,
      memberProven: false,
      role: "member",
      gates: ["key"],
      assurance: { key: true, memberBound: false, gates: [] },
      context: { rest: "chat/7", query: "lang=de" },
      parameters,
      acceptedAtMs: world.now(),
    });
    expect(await ask(two.id, sid)).toEqual({ about: null });
    expect(await ask(one.id, "nobody")).toEqual({ about: null });
  });

  it("is to put out a member of its socket, twice as once, and nobody else", async () => {
    const [one, two] = [await make("one"), await make("two")];
    const program = await enter("one", one.id, "consumer");
    const colleague = await enter("one", one.id, "consumer");
    const [bob, eve] = [await enter("one", one.id, "member"), await enter("one", one.id, "member")];
    const stranger = await enter("two", two.id, "member");
    const kick = (by: string, sid: string, socketId = one.id) =>
      world.keysCaller.call(kickMember, { socketId, by, sid });
    const isThere = async (socketId: string, sid: string) =>
      (await world.keysCaller.call(aboutSession, { socketId, sid })).about !== null;
    await Promise.all([kick(program.sid, bob.sid), kick(colleague.sid, bob.sid)]);
    await kick(program.sid, bob.sid);
    await kick(program.sid, colleague.sid);
    await kick(program.sid, stranger.sid);
    expect(await isThere(one.id, bob.sid)).toBe(false);
    expect(await isThere(one.id, colleague.sid)).toBe(true);
    expect(await isThere(two.id, stranger.sid)).toBe(true);
    expect(world.closed.map(({ sid }) => sid)).toEqual([bob.sid]);
    // Whoever claims to be one and is none.
    expect(await codeOf(kick(eve.sid, program.sid))).toBe("forbidden");
    expect(await codeOf(kick("nobody", eve.sid))).toBe("forbidden");
    expect(await codeOf(kick(program.sid, stranger.sid, two.id))).toBe("forbidden");
    expect(await isThere(one.id, eve.sid)).toBe(true);
  });

  it("is to have in the book of its socket whose key has put which identity into the directory", async () => {
    const [one, two] = [await make("one"), await make("two")];
    const program = await enter("one", one.id, "consumer");
    const bob = await enter("one", one.id, "member");
    const [first, next] = ["a".repeat(22), "b".repeat(22)];
    const say = (by: string, socketId: string, fingerprint: string, before: string | null) =>
      world.keysCaller.call(recordIdentity, { socketId, by, name: "consumer", fingerprint, before });
    await say(program.sid, one.id, first, null);
    await say(program.sid, one.id, next, first);
    for (const [by, socketId] of [
      [bob.sid, one.id],
      ["nobody", one.id],
      [program.sid, two.id],
    ] as const)
      expect(await codeOf(say(by, socketId, next, first))).toBe("forbidden");
    const book = async (socketId: string) => {
      const page = { after: null, limit: 100, order: "oldest", event: "socket-changed" } as const;
      const { entries } = await world.api.call(listAudit, { ownerId, socketId, ...page });
      return entries.filter(({ about }) => about?.what !== "made");
    };
    const whose = { session: program.sid, key: "key-consumer" };
    expect(await book(one.id)).toMatchObject([
      { ...whose, about: { what: "directory-published", name: "consumer", fingerprint: first } },
      { ...whose, about: { what: "directory-replaced", name: "consumer", fingerprint: next, before: first } },
    ]);
    expect(await book(two.id)).toEqual([]);
  });
});
