import {
  checkSessions,
  createMember,
  createSocket,
  displaceConnection,
  enrolAuthenticator,
  identityOpen,
  kickSession,
  listLiveSessions,
  removalsKey,
  removeAuthenticator,
  removeMember,
  sessionEnded,
  updateSocket,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freshHid, opening } from "./support/handshake.ts";
import { codeOf, firstPage, startWorld, type World } from "./support/world.ts";

let world: World;
let mine: { readonly ownerId: string; readonly socketId: string };
let version = 0;
const path = "a-path-of-its-own";
const policy = { gates: [{ gate: "path" }], session: "1h", resume: "1m", encryption: { session: "required" } };
beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
  const { ownerId } = await world.owner();
  const socket = await world.api.call(createSocket, { ownerId, label: "one", path, idParameter: null, policy });
  mine = { ownerId, socketId: socket.id };
  ({ version } = socket);
  await world.api.call(createMember, {
    ...mine,
    name: "bob",
    contacts: { email: null, phone: null },
    passphrase: null,
  });
});
afterEach(() => world.close());

const bare = { say: "denied", sealed: false };
const denied = { say: "denied", sealed: true };

async function enter(edge = "edge-1") {
  const hid = freshHid(edge);
  const outcome = await world.keysCaller.call(identityOpen, opening({ label: "one", path, hid, query: "id=bob" }));
  if (outcome.say !== "accepted") throw new Error(`not accepted: ${outcome.say}`);
  return { hid, sid: outcome.admitted.sid, outcome };
}
const resume = (sid: string, hid = freshHid("edge-2"), query = "id=bob") =>
  world.keysCaller.call(identityOpen, opening({ label: "one", path, hid, query, resumed: { sid, next: 7 } }));
const end = ({ sid, hid }: { sid: string; hid: string }, why: "left" | "lost" = "lost") =>
  world.edge.emit(sessionEnded, { sid, socketId: mine.socketId, hid, why });
const listed = async () => (await world.api.call(listLiveSessions, { ...mine, ...firstPage })).sessions;
const isLost = async (sid: string) => {
  const entry = await world.platform.state.get(`identity:session:${sid}`);
  return entry !== null && JSON.parse(Buffer.from(entry.value).toString()).lostAtMs !== null;
};

describe("a session whose connection was lost", () => {
  it("goes on over another one, as what it was, and ends when it would have ended", async () => {
    const { sid, hid, outcome } = await enter();
    const displaced: string[] = [];
    const { server } = world.embedded.platformFor("edge", "edge-1");
    await server.on(displaceConnection, (event) => void displaced.push(event.hid), { route: "edge-1" });
    world.advance(10_000);
    const again = await resume(sid);
    expect(again).toEqual({ ...outcome, admitted: { ...outcome.admitted, next: 7 } });
    expect(outcome.admitted).toMatchObject({ sealed: true, placed: true, resumeMs: 60_000 });
    await expect.poll(() => displaced).toEqual([hid]);
    expect(await listed()).toMatchObject([{ sid, edge: "edge-2", expiresAtMs: outcome.admitted.expiresAtMs }]);
    world.advance(3_600_000 - 10_000);
    expect(await listed()).toEqual([]);
  });

  it("goes on under no suite that the policy does not take: what is said from then on would be on record for later", async () => {
    const strict = { ...policy, encryption: { session: "required", suite: "post-quantum" } };
    await world.api.call(updateSocket, { ...mine, version, path: null, idParameter: null, policy: strict });
    const { sid } = await enter();
    const under = (suite: "647a" | "0020") =>
      world.keysCaller.call(
        identityOpen,
        opening({ label: "one", path, query: "id=bob", suite, resumed: { sid, next: 7 } }),
      );
    expect(await under("0020")).toMatchObject(bare);
    expect(await under("647a")).toMatchObject({ say: "accepted" });
  });

  it("is said to be elsewhere to the edge that still holds the connection before, should nobody have told it", async () => {
    const { sid, hid } = await enter();
    const check = (edge: string, on: string) =>
      world.edge.call(checkSessions, { edge, everyMs: 15_000, held: [{ sid, hid: on }] });
    expect(await check("edge-1", hid)).toEqual({ gone: [], replaced: [] });
    const next = freshHid("edge-2");
    await resume(sid, next);
    expect(await check("edge-1", hid)).toEqual({ gone: [], replaced: [hid] });
    expect(await check("edge-2", next)).toEqual({ gone: [], replaced: [] });
  });

  it("asked twice by the same connection gets the same answer, and is moved once", async () => {
    const { sid } = await enter();
    const hid = freshHid("edge-2");
    const [one, two] = await Promise.all([resume(sid, hid), resume(sid, hid)]);
    expect(one).toEqual(two);
    expect(one).toMatchObject({ say: "accepted" });
  });

  it("is there for as long as the policy says after it was lost, and then it is not", async () => {
    const here = await enter();
    end(here);
    await expect.poll(() => isLost(here.sid)).toBe(true);
    world.advance(59_999);
    expect(await listed()).toHaveLength(1);
    expect(await resume(here.sid)).toMatchObject({ say: "accepted" });
    const later = await enter();
    end(later);
    await expect.poll(() => isLost(later.sid)).toBe(true);
    world.advance(30_000);
    // Said twice, it is not lost anew.
    end(later);
    await world.edge.call(checkSessions, { edge: "edge-1", everyMs: 15_000, held: [] });
    world.advance(30_000);
    expect((await listed()).map(({ sid }) => sid)).toEqual([here.sid]);
    expect(await resume(later.sid)).toMatchObject(denied);
  });

  it("of which nobody said so, because its edge died, is there until that edge is missed for as long", async () => {
    const { sid, hid } = await enter();
    const check = () => world.edge.call(checkSessions, { edge: "edge-1", everyMs: 15_000, held: [{ sid, hid }] });
    await check();
    world.advance(600_000);
    await check();
    // It lived ten minutes, and may have died at once, or a moment before it would have asked again.
    world.advance(30_000 + 60_000);
    const another = await enter("edge-3");
    expect(await resume(sid)).toMatchObject({ say: "accepted" });
    world.advance(60_001);
    expect(await resume(another.sid)).toMatchObject(denied);
  });

  it("is not ended by what its old edge says late", async () => {
    const here = await enter();
    expect(await resume(here.sid)).toMatchObject({ say: "accepted" });
    end(here);
    end(here, "left");
    await world.edge.call(checkSessions, { edge: "edge-1", everyMs: 15_000, held: [] });
    world.advance(120_000);
    expect(await listed()).toHaveLength(1);
  });

  it("is over at once where the client has left", async () => {
    const here = await enter();
    end(here, "left");
    await expect.poll(listed).toEqual([]);
    expect(await resume(here.sid)).toMatchObject(denied);
  });

  it.each<[string, () => Promise<unknown>]>([
    ["it was kicked", async () => world.api.call(kickSession, { ...mine, sid: (await listed())[0]?.sid ?? "" })],
    ["its member was removed", () => world.api.call(removeMember, { ...mine, name: "bob" })],
    [
      "its policy was changed",
      () =>
        world.api.call(updateSocket, {
          ...mine,
          version,
          path: null,
          idParameter: null,
          policy: { ...policy, session: "2h" },
        }),
    ],
  ])("does not go on where %s", async (_what, happens) => {
    const here = await enter();
    end(here);
    await expect.poll(() => isLost(here.sid)).toBe(true);
    await happens();
    const outcome = await resume(here.sid);
    expect(outcome.say).toBe("denied");
  });

  it("does not go on where an authenticator that it stands on was removed", async () => {
    await world.api.call(enrolAuthenticator, { ...mine, memberName: "bob" });
    const otp = { ...policy, gates: [{ gate: "otp" }] };
    await world.api.call(updateSocket, { ...mine, version, path: null, idParameter: null, policy: otp });
    const hid = freshHid();
    const answers = [{ gate: "otp", value: "right", at: null }];
    const outcome = await world.keysCaller.call(
      identityOpen,
      opening({ label: "one", path, hid, query: "id=bob", answers }),
    );
    if (outcome.say !== "accepted") throw new Error(`not accepted: ${outcome.say}`);
    const { sid } = outcome.admitted;
    expect(await resume(sid)).toMatchObject({ say: "accepted" });
    // Also while it is being removed, and the session is not ended yet.
    const seen: unknown[] = [];
    const stop = world.before("state.deleteAndCount", async () => {
      stop();
      seen.push(await resume(sid));
    });
    await world.api.call(removeAuthenticator, { ...mine, memberName: "bob" });
    expect(seen).toMatchObject([denied]);
    expect(await resume(sid)).toMatchObject(denied);
  });

  it("of one member, or one socket, is nobody else's", async () => {
    const { sid } = await enter();
    expect(await resume(sid, freshHid(), "")).toMatchObject(bare);
    const { ownerId } = mine;
    const other = await world.api.call(createSocket, { ownerId, label: "two", path, idParameter: null, policy });
    expect(other.id).not.toBe(mine.socketId);
    const elsewhere = opening({ label: "two", path, resumed: { sid, next: 0 } });
    expect(await world.keysCaller.call(identityOpen, elsewhere)).toMatchObject(bare);
    expect(await resume("nobody")).toMatchObject(denied);
  });

  it("of nobody in particular is one socket's all the same", async () => {
    const anonymous = { ...policy, anonymous: true };
    const { ownerId } = mine;
    for (const label of ["three", "four"])
      await world.api.call(createSocket, { ownerId, label, path, idParameter: null, policy: anonymous });
    const outcome = await world.keysCaller.call(identityOpen, opening({ label: "three", path }));
    if (outcome.say !== "accepted") throw new Error(`not accepted: ${outcome.say}`);
    const { sid } = outcome.admitted;
    const at = (label: string) =>
      world.keysCaller.call(identityOpen, opening({ label, path, resumed: { sid, next: 0 } }));
    expect(await at("four")).toMatchObject(bare);
    expect(await at("three")).toMatchObject({ say: "accepted" });
  });

  it("does not go on where the policy does not allow it", async () => {
    const off = { ...policy, resume: "off" };
    await world.api.call(updateSocket, { ...mine, version, path: null, idParameter: null, policy: off });
    const here = await enter();
    expect(here.outcome).toMatchObject({ admitted: { resumeMs: 0 } });
    expect(await resume(here.sid)).toMatchObject(denied);
    end(here);
    await expect.poll(listed).toEqual([]);
  });
});

describe("the end of a session", () => {
  const removals = () => world.platform.state.sum(removalsKey(mine.socketId));

  it("counts as a removal in the same step where somebody was put out, and not where they left", async () => {
    const [one, two] = [await enter(), await enter()];
    end(two, "left");
    await expect.poll(async () => (await listed()).length).toBe(1);
    expect(await removals()).toBe(0);
    const seen: number[] = [];
    const stop = world.after("state.deleteAndCount", async () => {
      stop();
      seen.push(await removals());
    });
    world.keys.down = true;
    expect(await codeOf(world.api.call(kickSession, { ...mine, sid: one.sid }))).toBe(null);
    expect(seen).toEqual([1]);
  });

  it("comes to all whose messages would travel otherwise, when that is changed", async () => {
    const { sid } = await enter();
    const before = await removals();
    const plain = { ...policy, encryption: { session: "none" } };
    await world.api.call(updateSocket, { ...mine, version, path: null, idParameter: null, policy: plain });
    await expect.poll(() => world.closed).toEqual([{ sid, frame: `policy-changed ${sid}`, closeCode: 4003 }]);
    expect(await listed()).toEqual([]);
    // With it another key of the group: they had the one before. And once more with the policy.
    expect(await removals()).toBe(before + 2);
  });

  it("comes to nobody where that does not change; those who stay get another key of the group all the same", async () => {
    await enter();
    const before = await removals();
    await world.api.call(updateSocket, { ...mine, version, path: null, idParameter: null, policy });
    expect(await listed()).toHaveLength(1);
    expect(await removals()).toBe(before + 1);
    await world.api.call(updateSocket, { ...mine, version: version + 1, path: null, idParameter: "who", policy: null });
    expect(await removals()).toBe(before + 1);
  });
});
