import { afterEach, describe, expect, it, test, vi } from "vitest";
import { pauseOf } from "../src/comeback.ts";
import { PortcullisError } from "../src/mod.ts";
import { pause } from "../src/pause.ts";
import { enter, played, serve } from "./support/harness.ts";
import { bytesOf, type Peer } from "./support/server.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** Loses its first connection at once; `again` is played on the next one, when `comeBack` lets it. */
async function lost(again: (peer: Peer) => Promise<void>, options: Parameters<typeof enter>[1] = {}) {
  const back = Promise.withResolvers<void>();
  const seen: string[] = [];
  let secret: Uint8Array = new Uint8Array();
  const server = await serve(async (peer) => {
    if (server.peers.length === 1) {
      await peer.letIn({ resumeMs: 10_000 });
      secret = peer.resume.slice();
      peer.socket.terminate();
      return;
    }
    await back.promise;
    await peer.hello();
    await peer.readOpen(secret);
    await peer.accept({ resumeMs: 10_000, next: 0 });
    await again(peer);
  });
  const session = await enter(server, { onState: ({ is }) => void seen.push(is), ...options });
  await expect.poll(() => seen).toContain("lost");
  return { server, session, comeBack: back.resolve };
}

describe("what is sent while there is no connection", () => {
  it("waits, goes over the next one in order, and arrives once", async () => {
    const heard: number[] = [];
    const { server, session, comeBack } = await lost(async (peer) => {
      for (let n = 0; n < 5; n += 1) heard.push((await peer.readMessage()).counter);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(peer.pending()).toBe(0);
    });
    const sending = Array.from({ length: 5 }, (_, n) => session.send(`${n}`));
    comeBack();
    await Promise.all(sending);
    await played(server);
    expect(heard).toEqual([0, 1, 2, 3, 4]);
    await session.close();
  });

  it("is bounded in number and in bytes: more is refused by a code of its own, and what waits is not lost by that", async () => {
    const heard: string[] = [];
    const { server, session, comeBack } = await lost(
      async (peer) => {
        for (let n = 0; n < 3; n += 1) heard.push(new TextDecoder().decode((await peer.readMessage()).body));
      },
      { queueMax: 3, queueBytesMax: 1_500 },
    );
    const sending = [session.send("a"), session.send("x".repeat(1_000))];
    await expect(session.send("y".repeat(1_000))).rejects.toMatchObject({ code: "full", retryable: true });
    sending.push(session.send("c"));
    await expect(session.send("d")).rejects.toMatchObject({ code: "full" });
    comeBack();
    await Promise.all(sending);
    await played(server);
    expect(heard).toEqual(["a", "x".repeat(1_000), "c"]);
    await session.close();
  });

  it("can be taken back, makes room by that at once, and is never sent", async () => {
    const { server, session, comeBack } = await lost(
      async (peer) => {
        expect((await peer.readMessage()).body).toEqual(bytesOf("first"));
        expect(await peer.readMessage()).toMatchObject({ counter: 1, body: bytesOf("third") });
      },
      { queueMax: 2 },
    );
    const { signal } = new AbortController();
    const taken = new AbortController();
    const first = session.send("first", { signal });
    const second = session.send("second", { signal: taken.signal });
    taken.abort();
    await expect(second).rejects.toMatchObject({ code: "cancelled" });
    const third = session.send("third");
    await expect(session.send("late", { signal: taken.signal })).rejects.toMatchObject({ code: "cancelled" });
    comeBack();
    await Promise.all([first, third]);
    await played(server);
    await session.close();
  });
});

test("a question that can be none is a wrong argument, and does not end the session with which it would have been asked again", async () => {
  const { server, session, comeBack } = await lost(async (peer) => {
    expect(await peer.readMessage()).toMatchObject({ counter: 0 });
  });
  await expect(session.directory.find("no name")).rejects.toBeInstanceOf(TypeError);
  comeBack();
  await session.send("still here");
  await played(server);
  await session.close();
});

describe("the pause before another try", () => {
  test("is anything from nothing to a bound that doubles and ends, so that clients that fell together do not come together", () => {
    const tries = (triesInVain: number) =>
      Array.from({ length: 2_000 }, () => pauseOf(null, triesInVain).backoffMs).toSorted((a, b) => a - b);
    for (const [triesInVain, most] of [
      [0, 200],
      [1, 400],
      [4, 3_200],
      [5, 5_000],
      [1_000, 5_000],
    ] as const) {
      const pauses = tries(triesInVain);
      expect(pauses[0]).toBeLessThan(most * 0.05);
      expect(pauses[1_000]).toBeGreaterThan(most * 0.4);
      expect(pauses[1_000]).toBeLessThan(most * 0.6);
      expect(pauses.at(-1)).toBeLessThanOrEqual(most);
      expect(pauses.at(-1)).toBeGreaterThan(most * 0.95);
    }
  });

  test("is never shorter than what the server asked for, and spread behind it", () => {
    const error = new PortcullisError("unavailable", { retryAfterMs: 7_000 });
    const pauses = Array.from({ length: 100 }, () => pauseOf(error, 3));
    expect(new Set(pauses.map(({ askedMs }) => askedMs))).toEqual(new Set([7_000]));
    expect(new Set(pauses.map(({ backoffMs }) => backoffMs)).size).toBeGreaterThan(90);
  });

  /** A browser, as far as it knows of the network. */
  function browser(onLine: boolean) {
    vi.useFakeTimers();
    const window = new EventTarget();
    const navigator = { onLine };
    vi.stubGlobal("navigator", navigator);
    vi.stubGlobal("addEventListener", window.addEventListener.bind(window));
    vi.stubGlobal("removeEventListener", window.removeEventListener.bind(window));
    return {
      online() {
        navigator.onLine = true;
        window.dispatchEvent(new Event("online"));
      },
    };
  }
  async function isOver(pausing: Promise<void>, afterMs: number): Promise<boolean> {
    await vi.advanceTimersByTimeAsync(afterMs);
    return Promise.race([pausing.then(() => true), Promise.resolve(false).then(async (no) => no)]);
  }
  const { signal } = new AbortController();

  test("is over at once when the browser is online again", async () => {
    const { online } = browser(true);
    const pausing = pause({ askedMs: 0, backoffMs: 5_000 }, signal);
    expect(await isOver(pausing, 100)).toBe(false);
    online();
    expect(await isOver(pausing, 1)).toBe(true);
  });

  test("does not end before the time that the server asked for, whatever the browser says", async () => {
    const { online } = browser(true);
    const pausing = pause({ askedMs: 1_000, backoffMs: 0 }, signal);
    await vi.advanceTimersByTimeAsync(100);
    online();
    expect(await isOver(pausing, 800)).toBe(false);
    expect(await isOver(pausing, 200)).toBe(true);
  });

  test("lasts while the browser has no network, at most half a minute: it may be wrong", async () => {
    const { online } = browser(false);
    const first = pause({ askedMs: 0, backoffMs: 200 }, signal);
    expect(await isOver(first, 20_000)).toBe(false);
    online();
    expect(await isOver(first, 1)).toBe(true);
    browser(false);
    const second = pause({ askedMs: 0, backoffMs: 200 }, signal);
    expect(await isOver(second, 30_300)).toBe(true);
  });

  test("leaves no timer and no listener behind when it is aborted", async () => {
    browser(false);
    const over = new AbortController();
    const pausing = pause({ askedMs: 1_000, backoffMs: 1_000 }, over.signal);
    over.abort();
    await pausing;
    expect(vi.getTimerCount()).toBe(0);
  });
});
