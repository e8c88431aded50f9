import type { Session } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Authenticator } from "./support/authenticator.ts";
import { rawClient } from "./support/raw-client.ts";
import { at, denial, read, sessionKeeper } from "./support/sessions.ts";
import {
  keyOnly,
  makeKey,
  makeMember,
  makeSocket,
  makeSocketAuthenticator,
  type OwnedSocket,
} from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

let world: World;
const keeper = sessionKeeper();
beforeAll(async () => {
  world = await startWorld({ replicas: true });
});
afterEach(() => keeper.closeAll());
afterAll(() => world.close());

/** One session at each edge. */
async function atBothEdges(url: string, options: { appKey: string }): Promise<[Session, Session]> {
  const first = await keeper.connect(at(world.edges[0], url), options);
  const second = await keeper.connect(at(world.edges[1], url), options);
  expect([first.edge, second.edge]).toEqual(["edge-1", "edge-2"]);
  return [first, second];
}

const sealedEnd = (what: string) => ({ reason: "revoked", sealed: true, what, code: 4504, retry: false });
const liveSessions = async ({ id }: OwnedSocket) =>
  (await world.owner.get<{ sessions: { sid: string; edge: string }[] }>(`/v1/sockets/${id}/sessions`)).sessions;

describe("whoever is thrown out learns it under seal, at every edge, and stays out", () => {
  test("a kicked session closes, and nobody else's does", async () => {
    const socket = await makeSocket(world.owner, keyOnly);
    const [first, second] = await atBothEdges(socket.url, socket);
    expect((await liveSessions(socket)).map(({ edge }) => edge).sort()).toEqual(["edge-1", "edge-2"]);
    await world.owner.delete(`/v1/sockets/${socket.id}/sessions/${second.sid}`);
    expect(await second.closed).toMatchObject(sealedEnd("kicked"));
    expect((await liveSessions(socket)).map(({ sid }) => sid)).toEqual([first.sid]);
    await expect(world.owner.delete(`/v1/sockets/${socket.id}/sessions/${second.sid}`)).rejects.toMatchObject({
      status: 404,
    });
    const third = await keeper.connect(at(world.edges[1], socket.url), socket);
    await third.send("still here");
    expect(await read(first, 1)).toEqual(["still here"]);
  });

  test("what the wire carries is one sealed record and then the close code", async () => {
    const socket = await makeSocket(world.owner, keyOnly);
    const client = await rawClient(at(world.edges[1], socket.url), socket);
    await client.open();
    const accepted = await client.next();
    const { plaintext } = accepted.is === "sealed" ? accepted : { plaintext: null };
    if (plaintext?.t !== "accepted") throw new Error("not accepted");
    await world.owner.delete(`/v1/sockets/${socket.id}/sessions/${plaintext.sid}`);
    expect(await client.nextFrame()).toMatchObject({ binary: true, type: 0x21 });
    expect(await client.next()).toEqual({ is: "closed", code: 4504 });
  });

  test("a revoked key ends all that came in with it, and lets nobody in again", async () => {
    const socket = await makeSocket(world.owner, keyOnly);
    const kept = await makeKey(world.owner, socket.id);
    const [first, second] = await atBothEdges(socket.url, socket);
    const stays = await keeper.connect(at(world.edges[1], socket.url), kept);
    const { closed } = await world.owner.delete<{ closed: number }>(`/v1/sockets/${socket.id}/keys/${socket.keyId}`);
    expect(closed).toBe(2);
    expect(await first.closed).toMatchObject(sealedEnd("key-revoked"));
    expect(await second.closed).toMatchObject(sealedEnd("key-revoked"));
    for (const edge of world.edges)
      await expect(keeper.connect(at(edge, socket.url), socket)).rejects.toMatchObject(denial);
    expect((await liveSessions(socket)).map(({ sid }) => sid)).toEqual([stays.sid]);
  });

  test("a removed member is out at both edges, and the name opens nothing", async () => {
    const socket = await makeSocket(world.owner, keyOnly);
    await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob" });
    await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "ann" });
    const [first, second] = await atBothEdges(`${socket.url}?id=bob`, socket);
    const ann = await keeper.connect(at(world.edges[0], `${socket.url}?id=ann`), socket);
    const { closed } = await world.owner.delete<{ closed: number }>(`/v1/sockets/${socket.id}/members/bob`);
    expect(closed).toBe(2);
    expect(await first.closed).toMatchObject(sealedEnd("member-removed"));
    expect(await second.closed).toMatchObject(sealedEnd("member-removed"));
    for (const edge of world.edges)
      await expect(keeper.connect(at(edge, `${socket.url}?id=bob`), socket)).rejects.toMatchObject(denial);
    expect((await liveSessions(socket)).map(({ sid }) => sid)).toEqual([ann.sid]);
  });

  test("a deleted socket takes everybody along, keys and members too", async () => {
    const socket = await makeSocket(world.owner, keyOnly);
    await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob" });
    const [first] = await atBothEdges(socket.url, socket);
    const bob = await keeper.connect(at(world.edges[1], `${socket.url}?id=bob`), socket);
    await world.owner.delete(`/v1/sockets/${socket.id}`);
    for (const session of [first, bob]) expect(await session.closed).toMatchObject(sealedEnd("socket-deleted"));
    for (const url of [socket.url, `${socket.url}?id=bob`])
      await expect(keeper.connect(url, socket)).rejects.toMatchObject(denial);
    await expect(world.owner.get(`/v1/sockets/${socket.id}`)).rejects.toMatchObject({ status: 404 });
    // The label is free again, and the old key belongs to nobody.
    const { pathname } = new URL(socket.url);
    const [, label = "", path = ""] = pathname.split("/");
    await world.owner.post("/v1/sockets", { label, path, policy: keyOnly });
    await expect(keeper.connect(socket.url, socket)).rejects.toMatchObject(denial);
  });

  test("a session that has run out is closed as such", async () => {
    const socket = await makeSocket(world.owner, { ...keyOnly, session: "1s" });
    const sessions = await atBothEdges(socket.url, socket);
    for (const session of sessions)
      expect(await session.closed).toMatchObject({ code: 4003, retry: true, reason: "lost" });
    expect(await liveSessions(socket)).toEqual([]);
  });
});

describe("a handshake that was under way is refused", () => {
  let socket: OwnedSocket;
  let bob: Authenticator;

  /** Everything right, but `meanwhile` happens between the first question and its answer. */
  function enter(meanwhile: () => Promise<unknown>) {
    let happened: Promise<unknown> | null = null;
    return keeper.connect(`${socket.url}?id=bob`, {
      appKey: socket.appKey,
      answers: {
        async otp() {
          happened ??= meanwhile();
          await happened;
          return bob.code(world.now());
        },
      },
    });
  }

  test("when its key is revoked", async () => {
    socket = await makeSocket(world.owner);
    bob = await makeMember(world.owner, socket, "bob");
    await expect(
      enter(() => world.owner.delete(`/v1/sockets/${socket.id}/keys/${socket.keyId}`)),
    ).rejects.toMatchObject(denial);
    await expect.poll(() => liveSessions(socket), { timeout: 10_000 }).toEqual([]);
  });

  test("when its member is removed", async () => {
    socket = await makeSocket(world.owner);
    bob = await makeMember(world.owner, socket, "bob");
    await expect(enter(() => world.owner.delete(`/v1/sockets/${socket.id}/members/bob`))).rejects.toMatchObject(denial);
    expect(await liveSessions(socket)).toEqual([]);
  });

  test("when its member is removed, although the code is the socket's and right", async () => {
    socket = await makeSocket(world.owner, { gates: [{ gate: "key" }, { gate: "otp", of: "socket" }] });
    bob = await makeSocketAuthenticator(world.owner, socket);
    await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "bob" });
    await expect(enter(() => world.owner.delete(`/v1/sockets/${socket.id}/members/bob`))).rejects.toMatchObject(denial);
    expect(await liveSessions(socket)).toEqual([]);
  });

  test("when its member is removed and made again under the same name", async () => {
    socket = await makeSocket(world.owner);
    const old = await makeMember(world.owner, socket, "bob");
    bob = old;
    const replace = async () => {
      await world.owner.delete(`/v1/sockets/${socket.id}/members/bob`);
      bob = await makeMember(world.owner, socket, "bob");
    };
    await expect(enter(replace)).rejects.toMatchObject(denial);
    await enter(async () => undefined);
  });

  test("when its socket is deleted", async () => {
    socket = await makeSocket(world.owner);
    bob = await makeMember(world.owner, socket, "bob");
    await expect(enter(() => world.owner.delete(`/v1/sockets/${socket.id}`))).rejects.toMatchObject(denial);
  });

  test("when its authenticator is removed", async () => {
    socket = await makeSocket(world.owner);
    bob = await makeMember(world.owner, socket, "bob");
    await expect(
      enter(() => world.owner.delete(`/v1/sockets/${socket.id}/members/bob/authenticator`)),
    ).rejects.toMatchObject(denial);
  });

  test("whichever wins when revoking and accepting race: nobody is left inside", async () => {
    for (let round = 0; round < 6; round += 1) {
      const raced = await makeSocket(world.owner, keyOnly);
      const revoke = () => world.owner.delete(`/v1/sockets/${raced.id}/keys/${raced.keyId}`);
      const entries = world.edges.flatMap((edge) => [1, 2, 3].map(() => keeper.connect(at(edge, raced.url), raced)));
      const [, ...outcomes] = await Promise.allSettled([
        new Promise((resolve) => setTimeout(resolve, round * 3)).then(revoke),
        ...entries,
      ]);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "denied" });
        else expect(await outcome.value.closed).toMatchObject({ code: 4504 });
      }
      await expect.poll(() => liveSessions(raced), { timeout: 10_000 }).toEqual([]);
    }
  });
});
