import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { keyAndOtp, makeMember, makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { dial } from "./support/attacker.ts";
import { type Bystanders, startBystanders } from "./support/bystander.ts";
import { closeOf } from "./support/closes.ts";
import { destinationIn, knock, makeOpen } from "./support/knock.ts";
import { clientFrame, rawConnect, rawUpgrade, upgradeRequest } from "./support/raw.ts";

vi.setConfig({ testTimeout: 30_000 });

const openTimeoutMs = 1_000;
const connectionsMax = 40;

let world: World;
let bystanders: Bystanders;
let socket: OwnedSocket;
let url: string;
let port: number;
beforeAll(async () => {
  world = await startWorld({
    env: { OPEN_TIMEOUT: `${openTimeoutMs}ms`, CONNECTIONS_PER_ADDRESS_MAX: String(connectionsMax) },
  });
  bystanders = await startBystanders(world);
  const deadlines = { answer: "5s", handshake: "10s" };
  socket = await makeSocket(world.owner, { ...keyAndOtp, deadlines, onFailure: { attempts: 10 } });
  await makeMember(world.owner, socket, "bob");
  url = `${socket.url}?id=bob`;
  port = Number(new URL(world.url).port);
});
afterAll(async () => {
  await bystanders.undisturbed();
  await bystanders.leave();
  await world.close();
});

/** How long it takes until `end`, in milliseconds. */
async function timed<T>(end: Promise<T>): Promise<{ readonly value: T; readonly tookMs: number }> {
  const startedAt = performance.now();
  const value = await end;
  return { value, tookMs: performance.now() - startedAt };
}

/** Does something again and again until `end`. */
async function until(
  end: Promise<unknown>,
  everyMs: number,
  act: (turn: number) => void | Promise<void>,
): Promise<void> {
  let over = false;
  void end.finally(() => {
    over = true;
  });
  for (let turn = 0; !over; turn += 1) {
    await act(turn);
    await sleep(everyMs);
  }
}

// What waits for real time waits at the same time.
describe.concurrent("nothing that a client does pushes a deadline back", () => {
  test("that for open, where nothing comes", async () => {
    const attacker = await dial(url);
    const { value, tookMs } = await timed(attacker.closed);
    expect(value).toEqual(closeOf("deadline"));
    expect(tookMs).toBeGreaterThan(openTimeoutMs - 100);
    expect(tookMs).toBeLessThan(openTimeoutMs + 2_000);
  });

  test("that for open, where it comes a byte at a time, with pings between", async () => {
    const other = await dial(url);
    const { frame } = await makeOpen(await other.hello(), { appKey: socket.appKey, dst: destinationIn(url) });
    other.leave();
    const raw = await rawUpgrade(port, `/x/y`);
    const close = timed(raw.close());
    await until(close, 20, (turn) => {
      raw.write(clientFrame(turn === 0 ? 0x01 : 0x00, frame[turn] ?? " "));
      raw.write(clientFrame(0x89, ""));
    });
    const { value, tookMs } = await close;
    expect(value).toEqual(closeOf("deadline"));
    expect(tookMs).toBeLessThan(openTimeoutMs + 2_000);
  });

  test("that for an answer: neither pings, nor repeated records, nor answers to nothing", async () => {
    const attacker = await knock(url, { appKey: socket.appKey });
    await attacker.challenge();
    const closed = timed(attacker.closed);
    await until(closed, 400, async (turn) => {
      if (attacker.websocket.readyState !== attacker.websocket.OPEN) return;
      attacker.websocket.ping();
      // Each is a failed attempt; seven of them leave the handshake as it is.
      if (turn < 7) await attacker.say({ n: turn + 1, t: "answer", cid: "nobody-asked", gate: "otp", value: "000000" });
    });
    const { value, tookMs } = await closed;
    expect(value).toEqual(closeOf("deadline"));
    expect(tookMs).toBeGreaterThan(4_500);
    expect(tookMs).toBeLessThan(8_000);
  });

  test("that for the whole handshake: each challenge gives less time than is left", async () => {
    const attacker = await knock(url, { appKey: socket.appKey });
    const closed = timed(attacker.closed);
    let { cid, answerMs } = await attacker.challenge();
    expect(answerMs).toBeLessThanOrEqual(5_000);
    for (const n of [1, 2]) {
      await sleep(4_000);
      await attacker.say({ n, t: "answer", cid, gate: "otp", value: "000000" });
      ({ cid, answerMs } = await attacker.challenge());
    }
    expect(answerMs).toBeLessThanOrEqual(2_100);
    const { value, tookMs } = await closed;
    expect(value).toEqual(closeOf("deadline"));
    expect(tookMs).toBeGreaterThan(9_500);
    expect(tookMs).toBeLessThan(13_000);
  });

  test("that for the upgrade, where its headers come a byte at a time", async () => {
    const raw = await rawConnect(port);
    const request = upgradeRequest("/x/y", { "X-Slow": "x".repeat(10_000) });
    const gone = timed(raw.gone);
    await until(gone, 100, (turn) => raw.write(request[turn] ?? "x"));
    const { tookMs } = await gone;
    // 10 s, looked at every now and then.
    expect(tookMs).toBeLessThan(20_000);
    expect(raw.received().toString()).toMatch(/^(HTTP\/1\.1 4|$)/);
  });

  test("that for a connection on which nothing is ever said", async () => {
    const raw = await rawConnect(port);
    const { tookMs } = await timed(raw.gone);
    expect(tookMs).toBeLessThan(20_000);
  });
});

describe("whoever only holds connections open", () => {
  afterEach(() => bystanders.undisturbed());

  test("gets no more than their address may have, and gets them again when they let go", async () => {
    // All at once: the first ones must still be there when the last ones come.
    const attempts = await Promise.all(
      Array.from({ length: connectionsMax + 5 }, async () => {
        const raw = await rawConnect(port);
        raw.write(upgradeRequest("/x/y"));
        return { raw, head: await raw.head() };
      }),
    );
    const held = attempts.filter(({ head }) => head.startsWith("HTTP/1.1 101 ")).map(({ raw }) => raw);
    const refused = attempts.filter(({ head }) => head.startsWith("HTTP/1.1 429 "));
    // Two are the bystanders'.
    expect([held.length, refused.length]).toEqual([connectionsMax - 2, 7]);
    for (const { socket: each } of held) each.destroy();
    await expect
      .poll(async () => {
        const raw = await rawConnect(port);
        raw.write(upgradeRequest("/x/y"));
        const head = await raw.head();
        raw.socket.destroy();
        return head.split("\r\n", 1)[0];
      })
      .toBe("HTTP/1.1 101 Switching Protocols");
  });
});
