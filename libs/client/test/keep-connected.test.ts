import { getEventListeners } from "node:events";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type ConnectOptions, keepConnected, PortcullisError } from "../src/mod.ts";
import { pause, refusal, serve, world } from "./support/harness.ts";
import type { Peer } from "./support/server.ts";

// Pauses are random; here they are short, and the longest is looked at where it is made (offline.test.ts).
beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0.01));
afterEach(() => void vi.restoreAllMocks());

async function kept(script: (peer: Peer, round: number) => Promise<void>, options: ConnectOptions = {}) {
  const server = await serve((peer) => script(peer, server.peers.length));
  const given = { appKey: world.appKeyText, timeoutMs: 5_000, ...options };
  return { server, sessions: keepConnected(server.url, given) };
}

test("a session that cannot go on is followed by another one, through the gates and with what was asked for anew", async () => {
  const tickets: string[] = [];
  const { server, sessions } = await kept(
    async (peer, round) => {
      await peer.letIn({ sid: `sid-${round}` });
      peer.message("sid-ann", 0, `hello ${round}`);
      if (round < 3) peer.close("restart");
    },
    { ticket: () => `pt1.${String(tickets.push("")).padStart(43, "A")}` },
  );
  const heard: string[] = [];
  for await (const session of sessions) {
    for await (const message of session) {
      heard.push(`${session.sid} ${message.text()}`);
      if (heard.length === 3) break;
    }
    if (heard.length === 3) break;
  }
  expect(heard).toEqual(["sid-1 hello 1", "sid-2 hello 2", "sid-3 hello 3"]);
  expect(server.peers.map(({ payload }) => payload?.ticket?.at(-1))).toEqual(["1", "2", "3"]);
  // Who leaves the loop leaves the session.
  expect(await server.peers[2]?.closed).toMatchObject({ code: 1000 });
});

test("a server that is not there, or has no room, is tried again", async () => {
  const { server, sessions } = await kept(async (peer, round) => {
    if (round === 1) return peer.socket.terminate();
    await peer.hello();
    await peer.readOpen();
    if (round === 2) return peer.deny("unavailable", 1);
    await peer.accept();
  });
  const { value: session } = await sessions.next();
  expect(session?.sid).toBe("sid-bob");
  expect(server.peers).toHaveLength(3);
  await sessions.return();
});

test("a denial is final: no code of a person is tried twice, and nobody is locked out by a loop", async () => {
  const asked: string[] = [];
  const { server, sessions } = await kept(
    async (peer) => {
      await peer.hello();
      await peer.readOpen();
      await peer.ask();
      await peer.deny("denied", 60_000);
    },
    { answers: { otp: () => `${asked.push("")}`.padStart(6, "0") } },
  );
  await refusal(sessions.next() as Promise<never>, "denied");
  expect([asked.length, server.peers.length]).toEqual([1, 1]);
  expect(await sessions.next()).toEqual({ done: true, value: undefined });
});

test("so is what the server says under seal, and nothing that a bare close says, which is anybody's word", async () => {
  const { server, sessions } = await kept(async (peer, round) => {
    await peer.letIn();
    if (round === 1) peer.close("revoked");
    else {
      await peer.lastWord({ t: "revoked", what: "kicked" });
      peer.close("revoked");
    }
  });
  await sessions.next();
  await sessions.next();
  await refusal(sessions.next() as Promise<never>, "closed");
  expect(server.peers).toHaveLength(2);
});

test("a server that throws everybody out at once is not stormed", async () => {
  vi.restoreAllMocks();
  const { server, sessions } = await kept(async (peer) => {
    await peer.letIn();
    peer.socket.terminate();
  });
  const startedMs = Date.now();
  while (Date.now() - startedMs < 1_000) await sessions.next();
  // Pauses up to 200, 400, 800 ms: ten in a second would be far out, and without them it is hundreds.
  expect(server.peers.length).toBeLessThan(12);
  await sessions.return();
});

test("it ends where the program closes or logs out, and rejects where it aborts while it waits", async () => {
  const script = async (peer: Peer) => {
    await peer.letIn();
    await peer.closed;
  };
  for (const leave of ["close", "logout"] as const) {
    const { server, sessions } = await kept(script);
    const { value: session } = await sessions.next();
    await session?.[leave]();
    expect(await sessions.next()).toEqual({ done: true, value: undefined });
    expect(server.peers).toHaveLength(1);
  }
  const over = new AbortController();
  const { sessions } = await kept((peer) => peer.deny("unavailable").catch(() => peer.socket.terminate()), {
    signal: over.signal,
  });
  const waiting = sessions.next();
  setTimeout(() => over.abort(), 50);
  await refusal(waiting as Promise<never>, "cancelled");
});

test("it ends as well where the program logs out of a session that has ended already, while another one is waited for or entered", async () => {
  for (const entering of [false, true]) {
    vi.spyOn(Math, "random").mockReturnValue(entering ? 0 : 0.5);
    const knocked = Promise.withResolvers<void>();
    const { server, sessions } = await kept(async (peer, round) => {
      if (round === 1) {
        await peer.letIn();
        return peer.socket.terminate();
      }
      knocked.resolve();
      await peer.closed;
    });
    const { value: session } = await sessions.next();
    await session?.closed;
    const following = sessions.next();
    if (entering) await knocked.promise;
    await session?.logout();
    expect(await following).toEqual({ done: true, value: undefined });
    await pause(150);
    expect(server.peers).toHaveLength(entering ? 2 : 1);
  }
});

test("to close what has ended already is to tidy up, and not to leave", async () => {
  const { sessions } = await kept(async (peer, round) => {
    await peer.letIn({ sid: `sid-${round}` });
    if (round === 1) peer.socket.terminate();
  });
  const { value: session } = await sessions.next();
  await session?.closed;
  await session?.close();
  expect((await sessions.next()).value).toMatchObject({ sid: "sid-2" });
  await sessions.return();
});

test("a key or a ticket that cannot be had now is asked for again, as after the network was gone, unless the program says that there will be none", async () => {
  const script = async (peer: Peer) => {
    await peer.letIn();
    await peer.closed;
  };
  for (const name of ["appKey", "ticket"] as const) {
    let tries = 0;
    const given = name === "appKey" ? world.appKeyText : `pt1.${"A".repeat(43)}`;
    const failing = (error: (tries: number) => Error | null) => async () => {
      tries += 1;
      const thrown = error(tries);
      if (thrown !== null) throw thrown;
      return given;
    };
    const passing = await kept(script, {
      [name]: failing((count) => (count < 3 ? new TypeError("fetch failed") : null)),
    });
    expect((await passing.sessions.next()).value).toMatchObject({ sid: "sid-bob" });
    expect(tries).toBe(3);
    await passing.sessions.return();
    const final = await kept(script, { [name]: failing(() => new PortcullisError("denied")) });
    await refusal(final.sessions.next() as Promise<never>, "denied");
    expect(tries).toBe(4);
  }
});

test("it is aborted where the platform cannot make one signal of two, and leaves no listener behind", async () => {
  vi.spyOn(AbortSignal, "any").mockImplementation(() => {
    throw new TypeError("AbortSignal.any is not a function");
  });
  const over = new AbortController();
  const { server, sessions } = await kept((peer) => peer.letIn(), { signal: over.signal });
  expect((await sessions.next()).value).toMatchObject({ sid: "sid-bob" });
  over.abort();
  expect((await server.peers[0]?.closed)?.code).toBe(1000);
  await refusal(sessions.next() as Promise<never>, "cancelled");
  const other = new AbortController();
  const left = await kept((peer) => peer.letIn(), { signal: other.signal });
  await left.sessions.next();
  await left.sessions.return();
  expect(getEventListeners(other.signal, "abort")).toHaveLength(0);
});
