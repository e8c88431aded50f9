import type { Session } from "@portcullis/client";
import { encodeMessageUp, parseMessageDown, utf8 } from "@portcullis/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import { rawClient } from "./support/raw-client.ts";
import { at, denial, read, sessionKeeper } from "./support/sessions.ts";
import {
  keyAndOtp,
  keyOnly,
  makeKey,
  makeMember,
  makeSocket,
  makeSocketAuthenticator,
  type OwnedSocket,
} from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

let world: World;
const asked: string[] = [];
const keeper = sessionKeeper();
beforeAll(async () => {
  world = await startWorld({ replicas: true, onRoundTrip: (contract) => asked.push(contract) });
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
    const { client, sid } = await rawSession(at(world.edges[1], socket.url), socket);
    await world.owner.delete(`/v1/sockets/${socket.id}/sessions/${sid}`);
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
});

/** Let in, and after that whatever the test does. */
async function rawSession(url: string, { appKey }: OwnedSocket) {
  const client = await rawClient(url, { appKey });
  await client.open();
  const accepted = await client.next();
  if (accepted.is !== "sealed" || accepted.plaintext.t !== "accepted") throw new Error("not accepted");
  return { client, sid: accepted.plaintext.sid, expiresAt: accepted.plaintext.expiresAt };
}

async function changePolicy({ id }: OwnedSocket, policy: object): Promise<void> {
  const { version } = await world.owner.get<{ version: number }>(`/v1/sockets/${id}`);
  await world.owner.patch(`/v1/sockets/${id}`, { version, policy });
}

describe("a session that has run out", () => {
  const expired = {
    reason: "revoked",
    sealed: true,
    what: "expired",
    name: "session-expired",
    code: 4003,
    retry: true,
  };

  test("learns it under seal at both edges, and comes back through the gates", async () => {
    const socket = await makeSocket(world.owner, { ...keyOnly, session: "1s" });
    const sessions = await atBothEdges(socket.url, socket);
    for (const session of sessions) {
      expect(await session.closed).toMatchObject(expired);
      expect(world.now()).toBeGreaterThanOrEqual(session.expiresAt);
      await expect(session.send("late")).rejects.toMatchObject({ code: "closed" });
    }
    expect(await liveSessions(socket)).toEqual([]);
    await keeper.connect(socket.url, socket);
  });

  test("hears nothing and says nothing from that moment on, whatever is sent", async () => {
    const policy = { ...keyOnly, messaging: { perSecond: 1_000 } };
    const socket = await makeSocket(world.owner, { ...policy, session: "2s" });
    const leaving = await Promise.all(world.edges.map((edge) => rawSession(at(edge, socket.url), socket)));
    await changePolicy(socket, policy);
    const [talks, listens] = await atBothEdges(socket.url, socket);
    const heard: string[] = [];
    const listening = (async () => {
      for await (const message of listens) if (message.from.sid !== talks.sid) heard.push(message.text());
    })();
    const talking = setInterval(() => void talks.send(`stays ${world.now()}`), 5);

    await Promise.all(
      leaving.map(async ({ client, expiresAt }, index) => {
        let counter = 0;
        const shouting = setInterval(() => {
          client.send(encodeMessageUp({ counter, body: utf8(`${index} ${world.now()}`) }));
          counter += 1;
        }, 2);
        const types: number[] = [];
        const told: number[] = [];
        for (;;) {
          const frame = await client.nextFrame().catch(() => null);
          if (frame === null) break;
          types.push(frame.type);
          if (frame.type !== 0x41) continue;
          const [who, saidAtMs] = new TextDecoder().decode(parseMessageDown(frame.bytes).body).split(" ");
          if (who === "stays") told.push(Number(saidAtMs));
        }
        clearInterval(shouting);
        expect(await client.closed).toBe(4003);
        expect(types.slice(-2)).toEqual([0x41, 0x21]);
        expect(told.length).toBeGreaterThan(20);
        expect(told.filter((saidAtMs) => saidAtMs > expiresAt)).toEqual([]);
        const said = () =>
          heard.filter((text) => text.startsWith(`${index} `)).map((text) => Number(text.split(" ")[1]));
        expect(said().length).toBeGreaterThan(20);
        expect(said().filter((saidAtMs) => saidAtMs > expiresAt)).toEqual([]);
      }),
    );
    clearInterval(talking);
    await listens.close();
    await listening;
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

  const authenticator = () => `/v1/sockets/${socket.id}/members/bob/authenticator`;
  const ways: readonly [string, () => Promise<unknown>][] = [
    ["its key is revoked", () => world.owner.delete(`/v1/sockets/${socket.id}/keys/${socket.keyId}`)],
    ["its member is removed", () => world.owner.delete(`/v1/sockets/${socket.id}/members/bob`)],
    ["its authenticator is removed", () => world.owner.delete(authenticator())],
    ["its socket is deleted", () => world.owner.delete(`/v1/sockets/${socket.id}`)],
  ];

  test.each(ways)(
    "with its very next step when %s: nobody is asked on until the attempts are used up",
    async (_, remove) => {
      socket = await makeSocket(world.owner, { ...keyAndOtp, onFailure: { attempts: 10 } });
      bob = await makeMember(world.owner, socket, "bob");
      const questions: number[] = [];
      let trips = 0;
      const entering = keeper.connect(at(world.edges[1], `${socket.url}?id=bob`), {
        appKey: socket.appKey,
        answers: {
          async otp({ attemptsLeft }) {
            questions.push(attemptsLeft);
            if (questions.length === 2) await remove();
            trips = asked.length;
            return "wrong";
          },
        },
      });
      await expect(entering).rejects.toMatchObject({ ...denial, sealed: true, closeCode: 4503 });
      expect(questions).toEqual([10, 9]);
      const step = asked.slice(trips).filter((contract) => contract.includes(".handshake."));
      expect(step).toEqual(["keys.handshake.record", "identity.handshake.step"]);
      expect(asked.slice(trips)).not.toContain("factors.verify");
    },
  );

  test.each(ways)("in offered mode likewise when %s, and it looks like any denial", async (_, remove) => {
    socket = await makeSocket(world.owner, { ...keyAndOtp, mode: "offered", onFailure: { attempts: 2 } });
    bob = await makeMember(world.owner, socket, "bob");
    const endOf = async (between: () => Promise<unknown>, offers: number) => {
      const client = await rawClient(`${socket.url}?id=bob`, socket);
      await client.open();
      // It says nothing, but it has looked.
      expect(await client.silent(150)).toBe(true);
      await between();
      for (let index = 0; index < offers; index += 1)
        await client.say({ t: "offer", answers: [{ gate: "otp", value: "wrong" }] });
      return [await client.next(), await client.next()];
    };
    const usual = await endOf(async () => undefined, 2);
    expect(usual).toEqual([
      { is: "sealed", plaintext: { t: "denied", n: 1, code: "denied" } },
      { is: "closed", code: 4503 },
    ]);
    expect(await endOf(remove, 1)).toEqual(usual);
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
