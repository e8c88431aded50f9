import { afterEach, describe, expect, it, vi } from "vitest";
import { createInbox } from "../src/inbox.ts";
import type { ConnectOptions } from "../src/mod.ts";
import { createSequencer } from "../src/sequencer.ts";
import { enter, pause, played, serve } from "./support/harness.ts";
import { bytesOf, type Peer } from "./support/server.ts";

afterEach(() => void vi.restoreAllMocks());

const isZero = (bytes: Uint8Array) => bytes.every((byte) => byte === 0);

/** Every copy that is made of these bytes from now on, by the platform's own means. */
function copiesOf(...wanted: readonly Uint8Array[]): Uint8Array[] {
  const found: Uint8Array[] = [];
  const { slice } = Uint8Array.prototype;
  vi.spyOn(Uint8Array.prototype, "slice").mockImplementation(function (this: Uint8Array, ...range) {
    const copy = slice.apply(this, range);
    if (wanted.some((bytes) => bytes.length === copy.length && bytes.every((byte, at) => byte === copy[at])))
      found.push(copy);
    return copy;
  });
  return found;
}

async function inside(script: (peer: Peer) => Promise<void>, options: ConnectOptions = {}) {
  const server = await serve(async (peer) => {
    await peer.letIn({ resumeMs: 10_000 });
    await script(peer);
  });
  return { server, session: await enter(server, options) };
}

describe("logout", () => {
  it("closes the session for good, so that the server does not wait for it to come back", async () => {
    let code = 0;
    const { server, session } = await inside(async (peer) => {
      ({ code } = await peer.closed);
    });
    await session.logout();
    await played(server);
    expect(code).toBe(1000);
    expect(await session.closed).toMatchObject({ reason: "local", retry: false });
    await pause(300);
    expect(server.peers).toHaveLength(1);
  });

  it("overwrites the keys of the session, the very arrays that held them", async () => {
    const { slice } = Uint8Array.prototype;
    const made: Uint8Array[] = [];
    vi.spyOn(Uint8Array.prototype, "slice").mockImplementation(function (this: Uint8Array, ...range) {
      const copy = slice.apply(this, range);
      if (copy.length === 32) made.push(copy);
      return copy;
    });
    let secrets: readonly Uint8Array[] = [];
    const { session } = await inside(async (peer) => {
      // The server's own, by which the client's are known: both sides are in this process.
      secrets = [slice.call(peer.resume), slice.call(peer.keys.client), slice.call(peer.keys.server)];
      await peer.closed;
    });
    await expect.poll(() => secrets.length).toBe(3);
    const held = made.filter((copy) => secrets.some((secret) => secret.every((byte, at) => byte === copy[at])));
    // Of each the server's and the client's.
    expect(held).toHaveLength(6);
    await session.logout();
    expect(held.filter(isZero)).toHaveLength(3);
  });

  it("overwrites what waits to be sent and what was not read", async () => {
    const secret = bytesOf("my own words, which nobody has heard");
    const { server, session } = await inside(async (peer) => {
      peer.message("sid-ann", 0, "read");
      peer.message("sid-ann", 1, "not read");
      await peer.readMessage();
      peer.socket.terminate();
    });
    const copies = copiesOf(secret);
    const read = await session[Symbol.asyncIterator]().next();
    expect(read.value.text()).toBe("read");
    // Sent, and perhaps not arrived.
    await session.send(secret);
    await played(server);
    await pause(20);
    const sending = Promise.allSettled([session.send(secret), session.send(secret)]);
    await pause(20);
    expect(copies).toHaveLength(3);
    await session.logout();
    expect(await sending).toMatchObject([{ reason: { code: "closed" } }, { reason: { code: "closed" } }]);
    expect(copies.every(isZero)).toBe(true);
    await expect(session[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "closed", retryable: false });
  });

  it("erases each message that nobody read or that waits for one before it, and none that was read", () => {
    const erased: number[] = [];
    const erase = (item: number) => void erased.push(item);
    const inbox = createInbox<number>(10, 100, erase);
    for (const item of [1, 2, 3]) inbox.push(item, 1);
    void inbox.iterate().next();
    inbox.wipe(new Error("gone"));
    expect(erased).toEqual([2, 3]);
    const bounds = { after: 0, heldMax: 10, heldBytesMax: 100, onMissing: () => {}, onLost: () => {} };
    const sequencer = createSequencer<number>({ ...bounds, deliver: () => {}, erase });
    for (const item of [1, 5]) sequencer.put(item, item, 1);
    sequencer.end();
    expect(erased).toEqual([2, 3, 5]);
  });

  it("ends loops that wait, has every later call rejected, and may be called again", async () => {
    const { session } = await inside(async (peer) => void (await peer.closed));
    const loop = (async () => {
      for await (const _ of session);
      return "over";
    })();
    await session.logout();
    expect(await loop).toBe("over");
    await expect(session.send("late")).rejects.toMatchObject({ code: "closed" });
    await expect(session[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "closed" });
    await session.logout();
  });

  it("has forgotten what others keep, or says that it could not; what is here is gone all the same", async () => {
    let forgotten = 0;
    const stores = {
      async onLogout() {
        forgotten += 1;
      },
    };
    const { session } = await inside(async (peer) => void (await peer.closed), stores);
    await session.close();
    expect(forgotten).toBe(0);
    await session.logout();
    expect(forgotten).toBe(1);

    const broken = await inside(async (peer) => void (await peer.closed), {
      onLogout: () => Promise.reject(new Error("the disk is full")),
    });
    await expect(broken.session.logout()).rejects.toThrow("the disk is full");
    await expect(broken.session.send("late")).rejects.toMatchObject({ code: "closed" });
  });

  it("seals nothing more: what was about to be would have gone out under keys that are zeros by then", async () => {
    const late: unknown[] = [];
    class Watched extends WebSocket {
      #isClosed = false;
      override close(...given: Parameters<WebSocket["close"]>) {
        this.#isClosed = true;
        super.close(...given);
      }
      override send(data: Parameters<WebSocket["send"]>[0]) {
        if (this.#isClosed) late.push(data);
        super.send(data);
      }
    }
    const server = await serve(async (peer) => {
      await peer.letIn({ resumeMs: 10_000, sealed: true });
      await peer.closed;
    });
    const session = await enter(server, { webSocket: Watched });
    const sending = Promise.allSettled(Array.from({ length: 20 }, (_, n) => session.send(`message ${n}`)));
    await pause(1);
    await session.logout();
    await sending;
    await pause(50);
    expect(late).toHaveLength(0);
  });
});
