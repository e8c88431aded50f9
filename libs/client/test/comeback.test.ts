import { expect, test } from "vitest";
import type { ConnectOptions } from "../src/mod.ts";
import { enter, played, refusal, serve, world } from "./support/harness.ts";
import type { Peer } from "./support/server.ts";

type Script = (peer: Peer) => Promise<void>;

/**
 * Asks on one connection and loses it; what the others are for is played on the next ones.
 *
 * @param onReturn on the connection by which the handshake is to go on, after its `open`
 */
async function comingBack(onReturn: Script, anew: Script, options: ConnectOptions = {}) {
  let park: Uint8Array = new Uint8Array();
  let connections = 0;
  const server = await serve(async (peer) => {
    connections += 1;
    await peer.hello();
    if (connections === 2) {
      await peer.readOpen(park);
      return onReturn(peer);
    }
    await peer.readOpen();
    if (connections > 2) return anew(peer);
    park = await peer.park();
    peer.socket.send(await peer.challenge());
    await peer.next();
    peer.socket.terminate();
  });
  return {
    server,
    entering: enter(server, { answers: { otp: () => "123456" }, ...options }),
    count: () => connections,
  };
}
const never: Script = async () => {
  throw new Error("there was to be no such connection");
};

test("where the server says that the handshake does not go on and that nothing was decided, another one begins by itself", async () => {
  let keysRead = 0;
  const asked: string[] = [];
  const offers: number[] = [];
  const { server, entering } = await comingBack(
    (peer) => peer.deny("deadline"),
    async (peer) => {
      expect(peer.payload?.answers).toMatchObject([{ gate: "jwt", value: "token-2" }]);
      expect(await peer.ask({ cid: "anew" })).toMatchObject({ t: "answer", cid: "anew" });
      await peer.accept();
    },
    {
      appKey: () => {
        keysRead += 1;
        return world.appKeyText;
      },
      offer: () => [{ gate: "jwt", value: `token-${offers.push(1)}` }],
      answers: {
        otp: ({ retry }) => {
          asked.push(retry ? "again" : "first");
          return "123456";
        },
      },
    },
  );
  const session = await entering;
  await session.close();
  await played(server);
  expect(keysRead).toBe(2);
  expect(asked).toEqual(["first", "first"]);
});

test("who was denied meanwhile is told so, and nobody is asked anew", async () => {
  const { server, entering, count } = await comingBack((peer) => peer.deny("denied"), never);
  expect(await refusal(entering, "denied")).toMatchObject({ sealed: true, retryable: false });
  await played(server);
  expect(count()).toBe(2);
});

test("nobody between can have another handshake begun: a close without the server's sealed word is the end", async () => {
  const { server, entering, count } = await comingBack(async (peer) => peer.close("deadline"), never);
  expect(await refusal(entering, "timeout")).toMatchObject({ sealed: false });
  await played(server);
  expect(count()).toBe(2);
});

test("a connection on which nothing is said is given up for another one, like one that cannot be had", async () => {
  let park: Uint8Array = new Uint8Array();
  const server = await serve(async (peer) => {
    if (server.peers.length === 2) return void (await peer.closed);
    await peer.hello();
    if (server.peers.length === 3) {
      await peer.readOpen(park);
      return peer.accept();
    }
    await peer.readOpen();
    park = await peer.park();
    peer.socket.send(await peer.challenge());
    peer.socket.terminate();
  });
  const session = await enter(server, {
    helloTimeoutMs: 200,
    answers: { otp: () => new Promise(() => {}) },
  });
  await played(server);
  await session.close();
});

/** Denied with this hint on each connection but the last, of so many. */
async function deniedUntil(connections: number, deny: (peer: Peer) => Promise<void> | void) {
  let count = 0;
  const asked: string[] = [];
  const server = await serve(async (peer) => {
    count += 1;
    await peer.hello();
    await peer.readOpen();
    if (count === connections) return peer.accept();
    await peer.ask();
    await deny(peer);
  });
  const entering = enter(server, {
    timeoutMs: 15_000,
    answers: {
      otp: ({ retry }) => {
        asked.push(retry ? "again" : "first");
        return "123456";
      },
    },
  });
  return { server, entering, asked, count: () => count };
}

test("whose answer was not looked at because others of them came at once begins anew by itself, and is asked again", async () => {
  const { server, entering, asked } = await deniedUntil(3, (peer) => peer.deny("denied", 1));
  await (await entering).close();
  await played(server);
  expect(asked).toEqual(["first", "first"]);
});

test("nobody is kept at it: after a few times the denial is the end, with its hint", async () => {
  const { server, entering, count } = await deniedUntil(100, (peer) => peer.deny("denied", 1));
  expect(await refusal(entering, "denied")).toMatchObject({ retryAfterMs: 1, sealed: true });
  await played(server);
  expect(count()).toBe(4);
}, 20_000);

test.each<[string, (peer: Peer) => Promise<void> | void]>([
  ["a delay that a person would notice is theirs to wait for", (peer) => peer.deny("denied", 1_001)],
  ["a denial without a hint is one", (peer) => peer.deny("denied")],
  [
    "nobody between can have another one begun",
    (peer) => Promise.resolve(peer.bareDenied(1)).then(() => peer.close("denied")),
  ],
])("%s", async (_name, deny) => {
  const { server, entering, count } = await deniedUntil(2, deny);
  await refusal(entering, "denied");
  await played(server);
  expect(count()).toBe(1);
});
