import {
  checkSessions,
  createSocket,
  identityOpen,
  kickSession,
  listLiveSessions,
  sessionAbandoned,
  sessionEnded,
} from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freshHid, opening } from "./support/handshake.ts";
import { account, join } from "./support/people.ts";
import { codeOf, firstPage, startWorld, type World } from "./support/world.ts";

let world: World;
let mine: { readonly ownerId: string; readonly socketId: string };
const path = "a-path-of-its-own";
beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
  const { ownerId } = await world.owner();
  const policy = { gates: [{ gate: "path" }], anonymous: true, session: "1h" };
  const socket = await world.api.call(createSocket, { ownerId, label: "one", path, idParameter: null, policy });
  mine = { ownerId, socketId: socket.id };
});
afterEach(() => world.close());

async function enter(hid = freshHid()): Promise<string> {
  const outcome = await world.keysCaller.call(identityOpen, opening({ label: "one", path, hid }));
  if (outcome.say !== "accepted") throw new Error(`not accepted: ${outcome.say}`);
  return outcome.admitted.sid;
}
const live = async () =>
  (await world.api.call(listLiveSessions, { ...mine, ...firstPage })).sessions.map(({ sid }) => sid);
const check = (...held: { sid: string; hid: string }[]) =>
  world.edge.call(checkSessions, { edge: "edge-1", everyMs: 15_000, held });
const gone = async (...sids: string[]) => (await check(...sids.map((sid) => ({ sid, hid: freshHid() })))).gone;
const kick = (sid: string) => codeOf(world.api.call(kickSession, { ...mine, sid }));

describe("a session", () => {
  it("is listed with its edge and its expiry, and is live until then", async () => {
    const sid = await enter();
    expect((await world.api.call(listLiveSessions, { ...mine, ...firstPage })).sessions).toEqual([
      {
        sid,
        member: null,
        keyId: null,
        edge: "edge-1",
        role: "member",
        gates: [],
        assurance: { key: false, memberBound: false, gates: [] },
        context: { rest: "", query: "" },
        parameters: {},
        acceptedAtMs: world.now(),
        steppedUpAtMs: null,
        words: null,
        expiresAtMs: world.now() + 3_600_000,
      },
    ]);
    world.advance(3_599_999);
    expect([await live(), await gone(sid)]).toEqual([[sid], []]);
    world.advance(1);
    expect([await live(), await gone(sid)]).toEqual([[], [{ sid, why: "expired" }]]);
  });

  it("is listed with its words for the owner alone, and without them while they cannot be had", async () => {
    const sid = await enter();
    const words = "legal winner thank year wave sausage";
    world.keys.words.set(sid, words);
    const owner = await account(world, "ann@x.example");
    const policy = { gates: [{ gate: "path" }], anonymous: true };
    const theirs = { ownerId: owner.ownerId, label: "two", path, idParameter: null, policy };
    const { id: socketId } = await world.api.call(createSocket, theirs);
    const outcome = await world.keysCaller.call(identityOpen, opening({ label: "two", path }));
    if (outcome.say !== "accepted") throw new Error(outcome.say);
    world.keys.words.set(outcome.admitted.sid, words);
    const shown = async (ownerId: string) =>
      (await world.api.call(listLiveSessions, { ownerId, socketId, ...firstPage })).sessions.map((each) => each.words);
    expect(await shown(owner.ownerId)).toEqual([words]);
    for (const role of ["viewer", "approver"] as const) {
      const person = await account(world, `${role}@x.example`);
      await join(world, { ownerId: owner.ownerId, socketId }, person, role);
      expect(await shown(person.ownerId)).toEqual([null]);
    }
    world.keys.down = true;
    expect(await shown(owner.ownerId)).toEqual([null]);
    expect(world.logged.join("\n")).not.toContain("winner");
  });

  it("that is kicked is closed by its edge with sealed words, and nobody else's is", async () => {
    const [one, two] = [await enter(), await enter()];
    expect(await kick(one)).toBe(null);
    await expect.poll(() => world.closed).toEqual([{ sid: one, frame: `kicked ${one}`, closeCode: 4504 }]);
    expect(await live()).toEqual([two]);
    expect(await gone(one, two)).toEqual([{ sid: one, why: "kicked" }]);
    expect(await kick(one)).toBe("not_found");
  });

  it("is kicked by exactly one of many who try at once", async () => {
    const sid = await enter();
    const codes = await Promise.all(Array.from({ length: 8 }, () => kick(sid)));
    expect(codes.filter((code) => code === null)).toHaveLength(1);
    expect(codes.filter((code) => code === "not_found")).toHaveLength(7);
    expect(world.closed).toHaveLength(1);
  });

  it("is closed also where nobody can seal a farewell", async () => {
    const sid = await enter();
    world.keys.down = true;
    expect(await kick(sid)).toBe(null);
    await expect.poll(() => world.closed).toEqual([{ sid, frame: null, closeCode: 4504 }]);
    expect(await gone(sid)).toEqual([{ sid, why: "kicked" }]);
  });

  it("has its reason from the moment it is gone", async () => {
    const sid = await enter();
    const whys: unknown[] = [];
    // Right after the entry is deleted an edge asks.
    const stop = world.after("state.deleteAndCount", async () => {
      stop();
      whys.push(...(await gone(sid)));
    });
    await kick(sid);
    expect(whys).toEqual([{ sid, why: "kicked" }]);
  });

  it("leaves the list when its edge or `keys` says that it is over, and nobody is told to close it", async () => {
    const { socketId } = mine;
    const hids = [freshHid(), freshHid(), freshHid()] as const;
    const [one, two, three] = [await enter(hids[0]), await enter(hids[1]), await enter(hids[2])];
    // Whoever names another socket, or another connection, has not been told about this session.
    world.edge.emit(sessionEnded, { sid: three, socketId: "another", hid: hids[2], why: "left" });
    world.edge.emit(sessionEnded, { sid: three, socketId, hid: hids[0], why: "left" });
    world.edge.emit(sessionEnded, { sid: one, socketId, hid: hids[0], why: "left" });
    world.keysCaller.emit(sessionAbandoned, { sid: two, socketId });
    await expect.poll(live).toEqual([three]);
    expect(world.closed).toEqual([]);
  });
});
