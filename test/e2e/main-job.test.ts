import { PortcullisError } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { rawClient } from "./support/raw-client.ts";
import { denial, read, sessionKeeper } from "./support/sessions.ts";
import { keyAndOtp, keyOnly, makeKey, makeMember, makeSocket, makeSocketAuthenticator } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

const wrongCode = "not a code";
const otp = (value: string, at?: string) => ({ gate: "otp", value, ...(at === undefined ? {} : { at }) });

let world: World;
const keeper = sessionKeeper();
beforeAll(async () => {
  world = await startWorld();
});
afterEach(() => keeper.closeAll());
afterAll(() => world.close());

describe("a socket behind path, app key and one-time code", () => {
  test("lets in who has the key and the authenticator, and messages flow both ways", async () => {
    const socket = await makeSocket(world.owner);
    const join = async (name: string) => {
      const app = await makeMember(world.owner, socket, name);
      const otp = () => app.code(world.now());
      return keeper.connect(`${socket.url}?id=${name}`, { appKey: socket.appKey, answers: { otp } });
    };
    const [bob, ann] = [await join("bob"), await join("ann")];
    expect(bob).toMatchObject({ member: "bob", gates: ["key", "otp"] });
    expect(bob.assurance).toEqual({ key: true, memberBound: true, gates: ["otp"] });
    await bob.send("hello ann");
    expect(await read(ann, 1)).toEqual(["hello ann"]);
    await ann.send("hello bob");
    expect(await read(bob, 1)).toEqual(["hello bob"]);
  });

  test("a wrong key, wrong codes and an unknown path are denied alike", async () => {
    const socket = await makeSocket(world.owner);
    const bob = await makeMember(world.owner, socket, "bob");
    const other = await makeSocket(world.owner);
    const right = { appKey: socket.appKey, answers: { otp: () => bob.code(world.now()) } };
    const url = `${socket.url}?id=bob`;
    await expect(keeper.connect(url, { ...right, appKey: other.appKey })).rejects.toMatchObject(denial);
    await expect(keeper.connect(url, { ...right, answers: { otp: () => wrongCode } })).rejects.toMatchObject(denial);
    await expect(keeper.connect(`${socket.url}x?id=bob`, right)).rejects.toMatchObject(denial);
    await expect(keeper.connect(`${socket.url}?id=eve`, right)).rejects.toMatchObject(denial);
    await expect(keeper.connect(socket.url, right)).rejects.toMatchObject(denial);
    // The same with everything right, so that none of the above failed for another reason.
    await keeper.connect(url, right);
  });

  test("one wrong code may be followed by the right one, three may not", async () => {
    const socket = await makeSocket(world.owner);
    const app = await makeMember(world.owner, socket, "bob");
    const asked: { retry: boolean; attemptsLeft: number }[] = [];
    const answering = (codes: string[]) => ({
      appKey: socket.appKey,
      answers: {
        otp: ({ retry, attemptsLeft }: { retry: boolean; attemptsLeft: number }) => {
          asked.push({ retry, attemptsLeft });
          return codes.shift() ?? null;
        },
      },
    });
    const url = `${socket.url}?id=bob`;
    const code = app.code(world.now());
    await expect(keeper.connect(url, answering([wrongCode, wrongCode, wrongCode, code]))).rejects.toMatchObject(denial);
    expect(asked).toEqual([
      { retry: false, attemptsLeft: 3 },
      { retry: true, attemptsLeft: 2 },
      { retry: true, attemptsLeft: 1 },
    ]);
    await keeper.connect(url, answering([wrongCode, code]));
  });

  test("a code opens one connection, presented at once or later", async () => {
    const socket = await makeSocket(world.owner);
    const bob = await makeMember(world.owner, socket, "bob");
    const code = bob.code(world.now());
    const present = () =>
      keeper.connect(`${socket.url}?id=bob`, {
        appKey: socket.appKey,
        offer: [otp(code)],
        answers: { otp: () => null },
      });
    const tries = await Promise.allSettled(Array.from({ length: 5 }, present));
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await expect(present()).rejects.toBeInstanceOf(PortcullisError);
    world.advance(30_000);
    await world.fresh();
    // Still inside the window of drift.
    await expect(present()).rejects.toBeInstanceOf(PortcullisError);
    await keeper.connect(`${socket.url}?id=bob`, {
      appKey: socket.appKey,
      offer: [otp(bob.code(world.now()))],
    });
  });

  test("both suites lead in, and a floor is kept", async () => {
    const socket = await makeSocket(world.owner, keyOnly);
    const session = await keeper.connect(socket.url, { appKey: socket.appKey, minSuite: "647a" });
    expect(session.suite).toBe("647a");
    const client = await rawClient(socket.url, { appKey: socket.appKey, suite: "0020" });
    await client.open();
    expect(await client.next()).toMatchObject({ is: "sealed", plaintext: { t: "accepted" } });
    client.close();
  });

  test("several app keys live at once, each on its own socket only", async () => {
    const [socket, other] = [await makeSocket(world.owner, keyOnly), await makeSocket(world.owner, keyOnly)];
    const second = await makeKey(world.owner, socket.id);
    const third = await makeKey(world.owner, socket.id);
    for (const { appKey } of [socket, second, third]) await keeper.connect(socket.url, { appKey });
    for (const { appKey } of [socket, second, third])
      await expect(keeper.connect(other.url, { appKey })).rejects.toMatchObject(denial);
    const { sessions } = await world.owner.get<{ sessions: { keyId: string }[] }>(`/v1/sockets/${socket.id}/sessions`);
    expect(sessions.map(({ keyId }) => keyId).sort()).toEqual([socket.keyId, second.keyId, third.keyId].sort());
  });
});

describe("offered mode", () => {
  const policy = { ...keyAndOtp, mode: "offered", deadlines: { handshake: "10s" } };

  test("the right offer is accepted at once", async () => {
    const socket = await makeSocket(world.owner, policy);
    const app = await makeMember(world.owner, socket, "bob");
    const session = await keeper.connect(`${socket.url}?id=bob`, {
      appKey: socket.appKey,
      offer: () => [otp(app.code(world.now()))],
    });
    expect(session.gates).toEqual(["key", "otp"]);
  });

  test("the SDK offers once more where one offer was not enough, up to the one that is", async () => {
    const socket = await makeSocket(world.owner, policy);
    const app = await makeMember(world.owner, socket, "bob");
    const frames: string[] = [];
    const session = await keeper.connect(`${socket.url}?id=bob`, {
      appKey: socket.appKey,
      async *offer({ server }) {
        expect(server.pinned).toBe(true);
        yield [otp(wrongCode)];
        yield [otp(wrongCode)];
        yield [otp(app.code(world.now()))];
      },
      onFrame: (_direction, kind) => frames.push(kind),
    });
    expect(frames).toEqual(["hello", "open", "offer", "offer", "accepted"]);
    expect(session.gates).toEqual(["key", "otp"]);
    await session.send("in");
  });

  test("the SDK's offers are counted like any, and end when the caller wants no more", async () => {
    const socket = await makeSocket(world.owner, policy);
    await makeMember(world.owner, socket, "bob");
    const abort = new AbortController();
    let sent = 0;
    const enter = (signal?: AbortSignal) =>
      keeper.connect(`${socket.url}?id=bob`, {
        appKey: socket.appKey,
        signal,
        async *offer() {
          for (;;) yield [otp(wrongCode)];
        },
        onFrame(_direction, kind) {
          if (signal === undefined) sent += kind === "open" || kind === "offer" ? 1 : 0;
          else if (kind === "offer") abort.abort();
        },
      });
    const [counted, aborted] = await Promise.allSettled([enter(), enter(abort.signal)]);
    expect(counted).toMatchObject({ reason: { ...denial, sealed: true } });
    expect(sent).toBe(3);
    expect(aborted).toMatchObject({ reason: { code: "cancelled" } });
  });

  test("says nothing to an offer that is not enough, and takes the right one among several", async () => {
    const socket = await makeSocket(world.owner, policy);
    const app = await makeMember(world.owner, socket, "bob");
    const client = await rawClient(`${socket.url}?id=bob`, { appKey: socket.appKey });
    await client.open();
    expect(await client.silent(150)).toBe(true);
    await client.say({ t: "offer", answers: [otp(wrongCode)] });
    expect(await client.silent(150)).toBe(true);
    await client.say({ t: "offer", answers: [otp(app.code(world.now()))] });
    expect(await client.next()).toMatchObject({ is: "sealed", plaintext: { t: "accepted", n: 1, nC: 2 } });
    client.close();
  });

  test("offers are counted: the third wrong one is the last", async () => {
    const socket = await makeSocket(world.owner, policy);
    const app = await makeMember(world.owner, socket, "bob");
    const client = await rawClient(`${socket.url}?id=bob`, { appKey: socket.appKey });
    await client.open({ answers: [otp(wrongCode)] });
    await client.say({ t: "offer", answers: [otp(wrongCode)] });
    expect(await client.silent(150)).toBe(true);
    await client.say({ t: "offer", answers: [otp(wrongCode), otp(app.code(world.now()))] });
    expect(await client.next()).toMatchObject({ is: "sealed", plaintext: { t: "denied", code: "denied" } });
    expect(await client.next()).toEqual({ is: "closed", code: 4503 });
  });

  test("the right offer after the deadline is too late", async () => {
    const socket = await makeSocket(world.owner, policy);
    const app = await makeMember(world.owner, socket, "bob");
    const client = await rawClient(`${socket.url}?id=bob`, { appKey: socket.appKey });
    await client.open();
    expect(await client.silent(100)).toBe(true);
    world.advance(10_000);
    await client.say({ t: "offer", answers: [otp(app.code(world.now()))] });
    expect(await client.next()).toMatchObject({ is: "sealed", plaintext: { t: "denied" } });
    expect(await client.next()).toEqual({ is: "closed", code: 4503 });
  });
});

describe("composed policies", () => {
  const shared = { gate: "otp", of: "socket" };
  const own = { gate: "otp", of: "member" };

  test("anyOf: either way is enough, and both are told", async () => {
    const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }, { anyOf: [shared, own] }] });
    const ofSocket = await makeSocketAuthenticator(world.owner, socket);
    await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "carl" });
    const seen: string[][] = [];
    const session = await keeper.connect(`${socket.url}?id=carl`, {
      appKey: socket.appKey,
      onChallenge: ({ options }) => {
        seen.push(options.map(({ at }) => at));
        return { value: ofSocket.code(world.now()), at: "1.0" };
      },
    });
    // Carl has no authenticator of his own: that way is not offered to him, and he stays merely claimed.
    expect(seen).toEqual([["1.0"]]);
    expect(session.assurance).toEqual({ key: true, memberBound: false, gates: [] });

    const bob = await makeMember(world.owner, socket, "bob");
    const bobs = await keeper.connect(`${socket.url}?id=bob`, {
      appKey: socket.appKey,
      onChallenge: ({ options }) => {
        seen.push(options.map(({ at }) => at));
        return { value: bob.code(world.now()), at: "1.1" };
      },
    });
    expect(seen.at(-1)).toEqual(["1.0", "1.1"]);
    expect(bobs.assurance).toEqual({ key: true, memberBound: true, gates: ["otp"] });
  });

  test("allOf: every gate in it, in either order, and one of them is not enough", async () => {
    const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }, { allOf: [shared, own] }] });
    const ofSocket = await makeSocketAuthenticator(world.owner, socket);
    const codes = {
      ann: await makeMember(world.owner, socket, "ann"),
      bob: await makeMember(world.owner, socket, "bob"),
    };
    const enter = (name: "ann" | "bob", first: "1.0" | "1.1", shared: string | null) =>
      keeper.connect(`${socket.url}?id=${name}`, {
        appKey: socket.appKey,
        onChallenge({ options }) {
          const { at } = options.find((option) => option.at === first) ?? options[0] ?? {};
          const value = at === "1.0" ? shared : codes[name].code(world.now());
          return value === null || at === undefined ? null : { value, at };
        },
      });
    await expect(enter("ann", "1.1", null)).rejects.toMatchObject({ code: "cancelled" });
    const session = await enter("bob", "1.0", ofSocket.code(world.now()));
    expect(session.gates).toEqual(["key", "otp"]);
    world.advance(30_000);
    await world.fresh();
    await enter("ann", "1.1", ofSocket.code(world.now()));
  });

  test("one authenticator does not satisfy two gates with one code", async () => {
    const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }, own, own] });
    const app = await makeMember(world.owner, socket, "bob");
    const options = { appKey: socket.appKey, answers: { otp: () => app.code(world.now()) } };
    await expect(keeper.connect(`${socket.url}?id=bob`, options)).rejects.toMatchObject(denial);
  });

  test("the socket's own authenticator lets in who names nobody", async () => {
    const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }, shared], anonymous: true });
    const app = await makeSocketAuthenticator(world.owner, socket);
    const options = { appKey: socket.appKey, answers: { otp: () => app.code(world.now()) } };
    const session = await keeper.connect(socket.url, options);
    expect(session).toMatchObject({ member: null, assurance: { key: true, memberBound: false, gates: [] } });
    // The same code, and a name that is nobody's.
    await expect(keeper.connect(socket.url, options)).rejects.toMatchObject(denial);
    world.advance(30_000);
    await world.fresh();
    await expect(keeper.connect(`${socket.url}?id=nobody`, options)).rejects.toMatchObject(denial);
  });

  test("an enrolled authenticator is asked for although the policy does not", async () => {
    const socket = await makeSocket(world.owner, keyOnly);
    await world.owner.post(`/v1/sockets/${socket.id}/members`, { name: "carl" });
    const app = await makeMember(world.owner, socket, "bob");
    const { appKey } = socket;
    const carl = await keeper.connect(`${socket.url}?id=carl`, { appKey });
    expect(carl).toMatchObject({ member: "carl", gates: ["key"], assurance: { memberBound: false } });
    await expect(
      keeper.connect(`${socket.url}?id=bob`, { appKey, answers: { otp: () => wrongCode } }),
    ).rejects.toMatchObject(denial);
    const bob = await keeper.connect(`${socket.url}?id=bob`, { appKey, answers: { otp: () => app.code(world.now()) } });
    expect(bob).toMatchObject({ member: "bob", gates: ["key", "otp"], assurance: { memberBound: true } });
    // Only the owner takes it away.
    await world.owner.delete(`/v1/sockets/${socket.id}/members/bob/authenticator`);
    const again = await keeper.connect(`${socket.url}?id=bob`, { appKey });
    expect(again.gates).toEqual(["key"]);
  });
});

describe("a socket without an app key", () => {
  const shared = { gate: "otp", of: "socket" };

  test("is entered in Base mode by its one-time code, and the server is pinned apart", async () => {
    const socket = await makeSocket(world.owner, { gates: [shared], anonymous: true });
    const app = await makeSocketAuthenticator(world.owner, socket);
    const { fingerprint } = await world.owner.get<{ fingerprint: string }>("/v1/server");
    const otp = () => app.code(world.now());
    await expect(keeper.connect(socket.url, { answers: { otp } })).rejects.toMatchObject({ code: "untrusted-server" });
    await expect(
      keeper.connect(socket.url, { pin: fingerprint, answers: { otp: () => wrongCode } }),
    ).rejects.toMatchObject(denial);
    const session = await keeper.connect(socket.url, { pin: fingerprint, answers: { otp } });
    expect(session).toMatchObject({ gates: ["otp"], assurance: { key: false }, server: { pinned: true } });
  });

  test("where a key is asked for, Base mode is denied", async () => {
    const socket = await makeSocket(world.owner, keyOnly);
    await expect(keeper.connect(socket.url, { unpinned: "allow" })).rejects.toMatchObject(denial);
  });
});

describe("prompted mode", () => {
  test("the SDK's offers end with the first challenge: what was offered first counts, and nothing behind it", async () => {
    const socket = await makeSocket(world.owner);
    const app = await makeMember(world.owner, socket, "bob");
    const asked: unknown[] = [];
    const frames: string[] = [];
    let over: AbortSignal | null = null;
    const session = await keeper.connect(`${socket.url}?id=bob`, {
      appKey: socket.appKey,
      async *offer({ signal }) {
        over = signal;
        yield [otp(wrongCode)];
        yield [otp(wrongCode)];
      },
      answers: {
        async otp({ retry, attemptsLeft }) {
          // Long enough for an offer to have gone out that must not.
          await new Promise((resolve) => setTimeout(resolve, 1_200));
          asked.push({ retry, attemptsLeft, over: over?.aborted });
          return app.code(world.now());
        },
      },
      onFrame: (_direction, kind) => frames.push(kind),
    });
    expect(asked).toEqual([{ retry: true, attemptsLeft: 2, over: true }]);
    expect(frames).toEqual(["hello", "open", "challenge", "answer", "accepted"]);
    expect(session.gates).toEqual(["key", "otp"]);
  });

  test("the right answer after the deadline is too late", async () => {
    const socket = await makeSocket(world.owner, { ...keyAndOtp, deadlines: { answer: "5s" } });
    const app = await makeMember(world.owner, socket, "bob");
    const otp = () => {
      world.advance(5_000);
      return app.code(world.now());
    };
    await expect(
      keeper.connect(`${socket.url}?id=bob`, { appKey: socket.appKey, answers: { otp } }),
    ).rejects.toMatchObject(denial);
  });
});

describe("the upgrade's own facts", () => {
  test("the query parameter that names the member is the socket's choice", async () => {
    const socket = await makeSocket(world.owner);
    const { version } = await world.owner.get<{ version: number }>(`/v1/sockets/${socket.id}`);
    const app = await makeMember(world.owner, socket, "bob");
    await world.owner.patch(`/v1/sockets/${socket.id}`, { version, idParameter: "myid" });
    const options = { appKey: socket.appKey, answers: { otp: () => app.code(world.now()) } };
    await expect(keeper.connect(`${socket.url}?id=bob`, options)).rejects.toMatchObject(denial);
    const session = await keeper.connect(`${socket.url}?myid=bob&room=2`, { ...options, idParameter: "myid" });
    expect(session.member).toBe("bob");
  });
});
