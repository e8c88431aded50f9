import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectOptions, Session, SessionState } from "@portcullis/client";
import { recordTypes } from "@portcullis/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { at, denial, read, sessionKeeper } from "./support/sessions.ts";
import { keyOnly, makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startTcpProxy, type TcpProxy } from "./support/tcp-proxy.ts";
import { startWorld, type World } from "./support/world.ts";

const traffic: Buffer[] = [];
let world: World;
const proxies: TcpProxy[] = [];
const keeper = sessionKeeper();
beforeAll(async () => {
  world = await startWorld({
    replicas: true,
    env: { TICK_INTERVAL: "300ms" },
    onTraffic: (bytes) => void traffic.push(Buffer.from(bytes)),
  });
});
afterEach(async () => {
  await keeper.closeAll();
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
});
afterAll(() => world.close());

const plain = { ...keyOnly, resume: "30s" };
const sealed = { ...plain, encryption: { session: "required" } };
const remembering = { ...sealed, messaging: { history: { messages: 100 } } };

const join = (socket: OwnedSocket, edge: 0 | 1, options: ConnectOptions = {}) =>
  keeper.connect(at(world.edges[edge], socket.url), { appKey: socket.appKey, ...options });

/** What somebody between client and edge sees of it. */
function sniffer() {
  const frames: Buffer[] = [];
  const Sniffed = class extends WebSocket {
    constructor(...args: ConstructorParameters<typeof WebSocket>) {
      super(...args);
      this.on("message", (data: Buffer | ArrayBuffer) => void frames.push(Buffer.from(data as Buffer)));
    }
    override send(data: unknown, ...rest: never[]): void {
      frames.push(Buffer.from(data as Buffer));
      (super.send as (data: unknown, ...rest: never[]) => void)(data, ...rest);
    }
  };
  return { frames, webSocket: Sniffed as unknown as NonNullable<ConnectOptions["webSocket"]> };
}

/** A way to an edge that the test can break. */
async function wayTo(edge: string | undefined): Promise<TcpProxy> {
  const proxy = await startTcpProxy((edge ?? "").replace(/^ws/, "http"));
  proxies.push(proxy);
  return proxy;
}

async function states(options: { readonly until: SessionState["is"] }, seen: SessionState[]): Promise<void> {
  await expect.poll(() => seen.map(({ is }) => is), { timeout: 10_000 }).toContain(options.until);
}

describe("a sealed socket", () => {
  test("carries messages that neither the network nor the bus can read, and an unsealed one does not", async () => {
    for (const policy of [sealed, keyOnly]) {
      const canary = `canary-${randomBytes(12).toString("hex")}`;
      const socket = await makeSocket(world.owner, policy);
      const seen = sniffer();
      const sender = await join(socket, 0, { webSocket: seen.webSocket, echo: true });
      const receivers = await Promise.all([join(socket, 0), join(socket, 1)]);
      expect(sender.sealed).toBe(policy === sealed);
      await sender.send(canary);
      for (const each of [sender, ...receivers]) expect(await read(each, 1)).toEqual([canary]);
      expect(Buffer.concat(seen.frames).includes(canary)).toBe(policy !== sealed);
      expect(Buffer.concat(traffic).includes(canary)).toBe(false);
      if (policy !== sealed) continue;
      const types = seen.frames.map(([type]) => type);
      expect(types.filter((type) => type === recordTypes.applicationUp)).toHaveLength(1);
      expect(types).toContain(recordTypes.group);
      expect(types).not.toContain(recordTypes.messageUp);
      expect(types).not.toContain(recordTypes.messageDown);
    }
  });

  test("gives everybody the same order, whoever speaks, wherever they are", async () => {
    const socket = await makeSocket(world.owner, { ...sealed, messaging: { perSecond: 1000 } });
    const people = await Promise.all([join(socket, 0), join(socket, 1), join(socket, 0), join(socket, 1)]);
    const listeners = await Promise.all([join(socket, 0), join(socket, 1)]);
    const count = 40;
    const sending = people.map(async (person, index) => {
      for (let n = 0; n < count; n += 1) await person.send(`${index}:${n}`);
    });
    const [one, two] = await Promise.all(listeners.map((each) => read(each, count * people.length)));
    expect(one).toEqual(two);
    for (const index of people.keys()) {
      expect(one?.filter((text) => text.startsWith(`${index}:`))).toEqual(
        Array.from({ length: count }, (_, n) => `${index}:${n}`),
      );
    }
    await Promise.all(sending);
  });

  test("has another key as soon as somebody was kicked, and the others go on without noticing", async () => {
    const socket = await makeSocket(world.owner, sealed);
    const seen = sniffer();
    const [sender, kicked, witness] = [
      await join(socket, 0),
      await join(socket, 1, { webSocket: seen.webSocket }),
      await join(socket, 1, { webSocket: seen.webSocket }),
    ];
    await sender.send("before");
    expect(await read(kicked, 1)).toEqual(["before"]);
    const epochs = () =>
      seen.frames.filter(([type]) => type === recordTypes.group).map((frame) => frame.readUInt32BE(1));
    expect(new Set(epochs()).size).toBe(1);
    await world.owner.delete(`/v1/sockets/${socket.id}/sessions/${kicked.sid}`);
    expect(await kicked.closed).toMatchObject({ reason: "revoked", what: "kicked" });
    await sender.send("after");
    expect(await read(witness, 2)).toEqual(["before", "after"]);
    const [first, last] = [epochs()[0] ?? 0, epochs().at(-1) ?? 0];
    expect(last).toBe(first + 1);
  });

  test("has another key as soon as its policy was changed, though nobody has to go", async () => {
    const socket = await makeSocket(world.owner, sealed);
    const seen = sniffer();
    const [sender, witness] = [await join(socket, 0), await join(socket, 1, { webSocket: seen.webSocket })];
    const epochs = () =>
      seen.frames.filter(([type]) => type === recordTypes.group).map((frame) => frame.readUInt32BE(1));
    await sender.send("before");
    expect(await read(witness, 1)).toEqual(["before"]);
    const { version } = await world.owner.get<{ version: number }>(`/v1/sockets/${socket.id}`);
    await world.owner.patch(`/v1/sockets/${socket.id}`, { version, policy: { ...sealed, session: "2h" } });
    await sender.send("after");
    expect(await read(witness, 1)).toEqual(["after"]);
    expect(epochs().at(-1)).toBe((epochs()[0] ?? 0) + 1);
    // Under a path, or a name for the parameter, nobody speaks.
    const renamed = await world.owner.get<{ version: number }>(`/v1/sockets/${socket.id}`);
    await world.owner.patch(`/v1/sockets/${socket.id}`, { version: renamed.version, idParameter: "who" });
    await sender.send("still");
    expect(await read(witness, 1)).toEqual(["still"]);
    expect(epochs().at(-1)).toBe((epochs()[0] ?? 0) + 1);
  });

  test("refuses what is not sealed, and closes on it", async () => {
    const socket = await makeSocket(world.owner, sealed);
    let own: WebSocket | undefined;
    const Kept = class extends WebSocket {
      constructor(...args: ConstructorParameters<typeof WebSocket>) {
        super(...args);
        own = this;
      }
    };
    const session = await join(socket, 0, { webSocket: Kept as unknown as NonNullable<ConnectOptions["webSocket"]> });
    own?.send(Buffer.concat([Buffer.from([recordTypes.messageUp]), Buffer.alloc(8), Buffer.from("in the open")]));
    expect(await session.closed).toMatchObject({ name: "out-of-order", retry: false });
  });

  test("is what a client can insist on", async () => {
    const [open, closed] = [await makeSocket(world.owner, keyOnly), await makeSocket(world.owner, sealed)];
    await expect(join(open, 0, { requireSealed: true })).rejects.toMatchObject({ code: "unsupported" });
    expect((await join(closed, 0, { requireSealed: true })).sealed).toBe(true);
  });

  test("that becomes an unsealed one sends everybody through the gates again", async () => {
    const socket = await makeSocket(world.owner, sealed);
    const session = await join(socket, 1);
    const { version } = await world.owner.get<{ version: number }>(`/v1/sockets/${socket.id}`);
    await world.owner.patch(`/v1/sockets/${socket.id}`, { version, policy: keyOnly });
    expect(await session.closed).toMatchObject({ reason: "revoked", what: "policy-changed", retry: true });
    expect((await join(socket, 1)).sealed).toBe(false);
  });
});

describe("a session whose connection breaks", () => {
  test("goes on at another edge, says what it had not got rid of, once, and hears what it missed", async () => {
    const socket = await makeSocket(world.owner, remembering);
    const way = await wayTo(world.edges[0]);
    const seen: SessionState[] = [];
    const other = await join(socket, 1);
    const session = await keeper.connect(way.through(socket.url), {
      appKey: socket.appKey,
      onState: (state) => void seen.push(state),
    });
    const { sid, edge } = session;
    await session.send("one");
    expect(await read(other, 1)).toEqual(["one"]);
    way.cut();
    await states({ until: "lost" }, seen);
    const sending = session.send("two");
    await other.send("while you were away");
    await sleep(200);
    way.leadTo((world.edges[1] ?? "").replace(/^ws/, "http"));
    expect(await read(session, 1)).toEqual(["while you were away"]);
    await sending;
    await session.send("three");
    expect(await read(other, 2)).toEqual(["two", "three"]);
    expect(session.sid).toBe(sid);
    expect(session.edge).not.toBe(edge);
    expect(seen.map(({ is }) => is)).toEqual(["lost", "resumed"]);
    await other.send("and now");
    expect(await read(session, 1)).toEqual(["and now"]);
    const { sessions } = await world.owner.get<{ sessions: { sid: string; edge: string }[] }>(
      `/v1/sockets/${socket.id}/sessions`,
    );
    expect(sessions.filter((each) => each.sid === sid)).toMatchObject([{ edge: session.edge }]);
  });

  test("is told that something is lost where the socket keeps nothing", async () => {
    const socket = await makeSocket(world.owner, sealed);
    const way = await wayTo(world.edges[0]);
    const seen: SessionState[] = [];
    const other = await join(socket, 1);
    const session = await keeper.connect(way.through(socket.url), {
      appKey: socket.appKey,
      onState: (state) => void seen.push(state),
    });
    await other.send("one");
    expect(await read(session, 1)).toEqual(["one"]);
    way.cut();
    await states({ until: "lost" }, seen);
    await other.send("never heard");
    way.leadTo((world.edges[0] ?? "").replace(/^ws/, "http"));
    await states({ until: "gap" }, seen);
    await other.send("heard");
    expect(await read(session, 1)).toEqual(["heard"]);
  });

  test("goes on on an unsealed socket too", async () => {
    const socket = await makeSocket(world.owner, plain);
    const way = await wayTo(world.edges[0]);
    const seen: SessionState[] = [];
    const other = await join(socket, 1);
    const session = await keeper.connect(way.through(socket.url), {
      appKey: socket.appKey,
      onState: (state) => void seen.push(state),
    });
    for (const text of ["one", "two"]) await session.send(text);
    expect(await read(other, 2)).toEqual(["one", "two"]);
    way.cut();
    await states({ until: "lost" }, seen);
    const sending = session.send("three");
    way.leadTo((world.edges[1] ?? "").replace(/^ws/, "http"));
    await states({ until: "resumed" }, seen);
    await sending;
    await session.send("four");
    expect(await read(other, 2)).toEqual(["three", "four"]);
    await other.send("back");
    expect(await read(session, 1)).toEqual(["back"]);
  });

  test("does not go on when it was kicked meanwhile", async () => {
    const socket = await makeSocket(world.owner, sealed);
    const way = await wayTo(world.edges[0]);
    const seen: SessionState[] = [];
    const session = await keeper.connect(way.through(socket.url), {
      appKey: socket.appKey,
      onState: (state) => void seen.push(state),
    });
    way.cut();
    await states({ until: "lost" }, seen);
    await world.owner.delete(`/v1/sockets/${socket.id}/sessions/${session.sid}`);
    way.leadTo((world.edges[0] ?? "").replace(/^ws/, "http"));
    expect(await session.closed).toMatchObject({ reason: "lost" });
    expect(seen.map(({ is }) => is)).toEqual(["lost"]);
  });

  test.each(["the app key was revoked", "the policy was changed"])("does not go on when %s meanwhile", async (what) => {
    const socket = await makeSocket(world.owner, sealed);
    const way = await wayTo(world.edges[0]);
    const seen: SessionState[] = [];
    const session = await keeper.connect(way.through(socket.url), {
      appKey: socket.appKey,
      onState: (state) => void seen.push(state),
    });
    way.cut();
    await states({ until: "lost" }, seen);
    if (what === "the app key was revoked") await world.owner.delete(`/v1/sockets/${socket.id}/keys/${socket.keyId}`);
    else {
      const { version } = await world.owner.get<{ version: number }>(`/v1/sockets/${socket.id}`);
      const policy = { ...sealed, gates: [{ gate: "key" }, { gate: "otp" }], anonymous: false };
      await world.owner.patch(`/v1/sockets/${socket.id}`, { version, policy });
    }
    way.leadTo((world.edges[0] ?? "").replace(/^ws/, "http"));
    expect(await session.closed).toMatchObject({ reason: "lost" });
    expect(seen.map(({ is }) => is)).toEqual(["lost"]);
    if (what === "the app key was revoked") await expect(join(socket, 0)).rejects.toMatchObject(denial);
  });

  test("has one connection: the one before is closed", async () => {
    const socket = await makeSocket(world.owner, sealed);
    const closes: number[] = [];
    const Watched = class extends WebSocket {
      constructor(...args: ConstructorParameters<typeof WebSocket>) {
        super(...args);
        this.on("close", (code) => void closes.push(code));
      }
    };
    // The client believes that its connection is lost; the edge does not know.
    const Deaf = class extends Watched {
      override addEventListener(...args: Parameters<WebSocket["addEventListener"]>): void {
        if (args[0] === "close") loss = args[1] as unknown as (event: { code: number }) => void;
        super.addEventListener(...args);
      }
    };
    let loss: ((event: { code: number }) => void) | undefined;
    const seen: SessionState[] = [];
    const session = await join(socket, 0, {
      webSocket: Deaf as unknown as NonNullable<ConnectOptions["webSocket"]>,
      onState: (state) => void seen.push(state),
    });
    loss?.({ code: 1006 });
    await states({ until: "resumed" }, seen);
    await expect.poll(() => closes).toEqual([4506]);
    const other: Session = await join(socket, 1);
    await session.send("still here");
    expect(await read(other, 1)).toEqual(["still here"]);
  });
});
