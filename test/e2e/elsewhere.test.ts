import type { ConnectOptions, SessionState } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import WebSocket from "ws";
import { sessionKeeper } from "./support/sessions.ts";
import { makeMember, makeSocket } from "./support/socket.ts";
import { startTcpProxy, type TcpProxy } from "./support/tcp-proxy.ts";
import { startWorld, type World } from "./support/world.ts";

const office = "198.51.100.7";
const street = "203.0.113.9";
/** In the office the code is enough; everywhere else there is one gate more. */
const policy = {
  gates: [
    { gate: "key" },
    { when: { network: ["198.51.100.0/24"] }, then: [], else: [{ gate: "captcha", cost: "low" }] },
    { gate: "otp" },
  ],
  resume: "30s",
};

const keeper = sessionKeeper();
let world: World;
let proxy: TcpProxy;
beforeAll(async () => {
  world = await startWorld({ replicas: true, env: { TRUSTED_PROXIES: "127.0.0.1,::1" } });
});
beforeEach(async () => {
  proxy = await startTcpProxy(world.edges[0] ?? "");
});
afterEach(async () => {
  await keeper.closeAll();
  await proxy.close();
});
afterAll(() => world.close());

/** A device that can be carried to another network. */
function device() {
  let address = office;
  const Carried = class extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, { headers: { "x-forwarded-for": address } });
    }
  };
  return {
    webSocket: Carried as unknown as NonNullable<ConnectOptions["webSocket"]>,
    /** Its connection breaks, and the next one is to the other edge. */
    carryTo(there: string): void {
      proxy.cut();
      address = there;
      proxy.leadTo(world.edges[1] ?? "");
    },
  };
}

async function bob() {
  const socket = await makeSocket(world.owner, policy);
  const authenticator = await makeMember(world.owner, socket, "bob");
  return { appKey: socket.appKey, url: `${socket.url}?id=bob`, code: () => authenticator.code(world.now()) };
}

test("who opens in the office and goes on in the street passes the street's gates, by themselves", async () => {
  const { appKey, url, code } = await bob();
  const { webSocket, carryTo } = device();
  let asked = 0;
  const session = await keeper.connect(proxy.through(url), {
    appKey,
    webSocket,
    answers: {
      otp() {
        asked += 1;
        if (asked > 1) return code();
        carryTo(street);
        return new Promise<string>(() => undefined);
      },
    },
  });
  expect(session.gates).toEqual(["key", "captcha", "otp"]);
  expect(session.edge).toBe("edge-2");
  expect(asked).toBe(2);
});

test("who opens in the office and stays there goes on at the same gate, over another edge", async () => {
  const { appKey, url, code } = await bob();
  const { webSocket, carryTo } = device();
  let asked = 0;
  const typed = Promise.withResolvers<string>();
  const session = await keeper.connect(proxy.through(url), {
    appKey,
    webSocket,
    answers: {
      otp() {
        asked += 1;
        carryTo("198.51.100.200");
        typed.resolve(code());
        return typed.promise;
      },
    },
  });
  expect(session.gates).toEqual(["key", "otp"]);
  expect(session.edge).toBe("edge-2");
  expect(asked).toBe(1);
});

test("a session that was let in in the office does not go on in the street, and does over another edge in the office", async () => {
  const { appKey, url, code } = await bob();
  const { webSocket, carryTo } = device();
  const seen: SessionState[] = [];
  const session = await keeper.connect(proxy.through(url), {
    appKey,
    webSocket,
    answers: { otp: code },
    onState: (state) => void seen.push(state),
  });
  expect(session.gates).toEqual(["key", "otp"]);
  carryTo("198.51.100.200");
  await expect.poll(() => seen.map(({ is }) => is), { timeout: 10_000 }).toEqual(["lost", "resumed"]);
  carryTo(street);
  expect(await session.closed).toMatchObject({ reason: "lost", retry: true });
  expect(seen.map(({ is }) => is)).toEqual(["lost", "resumed", "lost"]);
});
