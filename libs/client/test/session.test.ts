import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { encodeControl } from "@portcullis/protocol";
import { describe, expect, it, vi } from "vitest";
import type { ConnectOptions, Session } from "../src/mod.ts";
import { createOutbox } from "../src/outbox.ts";
import { enter, pause, played, refusal, serve, take } from "./support/harness.ts";
import { bytesOf, type Peer } from "./support/server.ts";

/** Lets somebody in, then plays `script`. */
async function inside(
  script: (peer: Peer) => Promise<void>,
  options: ConnectOptions = {},
  accepted: Parameters<Peer["letIn"]>[0] = {},
) {
  const server = await serve(async (peer) => {
    await peer.letIn(accepted);
    await script(peer);
  });
  return { server, session: await enter(server, options), played: () => played(server) };
}

const ended = async (session: Session): Promise<unknown> => {
  try {
    for await (const _ of session);
    return null;
  } catch (error) {
    return error;
  }
};

describe("messages", () => {
  it("reach the server numbered from 0, in the order of the calls, text as UTF-8", async () => {
    const { session, played } = await inside(async (peer) => {
      for (const [counter, body] of ["a", "ü", "c"].entries()) {
        expect(await peer.readMessage()).toEqual({ counter, head: {}, body: bytesOf(body) });
      }
    });
    const buffer = bytesOf("c");
    const sent = [session.send("a"), session.send("ü"), session.send(buffer)];
    buffer.fill(0);
    await Promise.all(sent);
    await played();
    await session.close();
    await expect(session.send("late")).rejects.toMatchObject({ code: "closed" });
  });

  it("are copied where they are a Buffer too, whose own slice is the same memory, and nothing of it is erased", async () => {
    const { session, played } = await inside(async (peer) =>
      expect(await peer.readMessage()).toMatchObject({ body: bytesOf("first") }),
    );
    const buffer = Buffer.from("first");
    const sent = session.send(buffer);
    buffer.write("other");
    await sent;
    await played();
    await session.close();
    expect(buffer.toString()).toBe("other");
  });

  it.each([
    ["an ArrayBuffer", new ArrayBuffer(2)],
    ["numbers that are no bytes", new Uint16Array([257])],
    ["an object", { text: "a" }],
    ["nothing", undefined],
  ])("that are %s are refused by name, and take no number", async (_what, message) => {
    const { session, played } = await inside(async (peer) =>
      expect(await peer.readMessage()).toMatchObject({ counter: 0, body: bytesOf("a") }),
    );
    await expect(session.send(message as never)).rejects.toThrow(new TypeError("A message is a text or a Uint8Array."));
    await session.send("a");
    await played();
    await session.close();
    expect(await session.closed).toMatchObject({ reason: "local" });
  });

  it("over the socket's limit are not sent, and take no number", async () => {
    const { session, played } = await inside(
      async (peer) => expect(await peer.readMessage()).toMatchObject({ counter: 0, body: bytesOf("1234") }),
      {},
      { limits: { maxBytes: 4, perSecond: 1_000 } },
    );
    await expect(session.send("12345")).rejects.toMatchObject({ code: "too-large" });
    await session.send("1234");
    await played();
    await session.close();
  });

  it("of a class that can be none are a wrong argument, and take no number", async () => {
    const { session, played } = await inside(async (peer) =>
      expect(await peer.readMessage()).toMatchObject({ counter: 0, body: bytesOf("right") }),
    );
    await expect(session.send("wrong", { class: "No Class" })).rejects.toBeInstanceOf(TypeError);
    await session.send("right");
    await played();
    await session.close();
  });

  it("are held back to the socket's rate", async () => {
    const arrived: number[] = [];
    const { session, played } = await inside(
      async (peer) => {
        for (let count = 0; count < 12; count += 1) {
          await peer.readMessage();
          arrived.push(performance.now());
        }
      },
      {},
      { limits: { maxBytes: 10, perSecond: 10 } },
    );
    for (let count = 0; count < 12; count += 1) void session.send("x");
    await played();
    // 8 at once, the other 4 at 9 a second: without the first, those 8 would take twice as long as the rest.
    const [first = 0, eighth = 0, last = 0] = [arrived[0], arrived[7], arrived[11]];
    expect(eighth - first).toBeLessThan(last - eighth);
    expect(last - first).toBeGreaterThan(380);
    await session.close();
  });

  it("wait in bounded number to be sent", async () => {
    const { session } = await inside(async () => {}, { queueMax: 2 }, { limits: { maxBytes: 10, perSecond: 1 } });
    const outcomes = await Promise.all([
      session.send("at once"),
      ...["waits", "refused"].map(() =>
        session.send("x").then(
          () => "sent",
          (error) => error.code,
        ),
      ),
      pause(50).then(() => session.close()),
    ]);
    expect(outcomes.slice(1, 3)).toEqual(["closed", "full"]);
  });

  const outboxOf = (bounds: Partial<Parameters<typeof createOutbox>[0]> = {}) =>
    createOutbox({
      ...{ maxBytes: 10, perSecond: 1_000, waitingMax: 10, waitingBytesMax: 100 },
      ...{ keeps: true, clock: Date.now, onSent: () => {}, ...bounds },
    });
  /** A connection on which each message is on its way until it is let go. */
  const slowTarget = () => {
    const sent: number[] = [];
    const held: (() => void)[] = [];
    const send = (counter: number) => {
      sent.push(counter);
      return new Promise<void>((resolve) => held.push(resolve));
    };
    return { bufferedBytes: 0, sent, send, letGo: () => held.shift()?.() };
  };

  it("that may not have arrived go first over the next connection, and over the one after it", async () => {
    const outbox = outboxOf();
    const first = slowTarget();
    outbox.attach(first, 0);
    const sending = [0, 1].map(() => outbox.send(bytesOf("x")));
    await expect.poll(() => first.sent).toEqual([0]);
    first.letGo();
    await expect.poll(() => first.sent).toEqual([0, 1]);
    first.letGo();
    await Promise.all(sending);
    const second = slowTarget();
    outbox.attach(second, 0);
    await expect.poll(() => second.sent).toEqual([0]);
    const third = slowTarget();
    outbox.attach(third, 0);
    const last = outbox.send(bytesOf("x"));
    // Late, from a connection that is none any more.
    second.letGo();
    for (const count of [1, 2, 3]) {
      await expect.poll(() => third.sent.length).toBe(count);
      third.letGo();
    }
    await last;
    expect([second.sent, third.sent]).toEqual([[0], [0, 1, 2]]);
    outbox.end();
  });

  it("that may not have arrived are kept in bounded number", async () => {
    const outbox = outboxOf({ waitingMax: 2 });
    const target = {
      bufferedBytes: 0,
      sent: [] as number[],
      send: async (counter: number) => void target.sent.push(counter),
    };
    outbox.attach(target, 0);
    for (const _ of [0, 1]) await outbox.send(bytesOf("x"));
    const third = outbox.send(bytesOf("x"));
    await pause(60);
    expect(target.sent).toEqual([0, 1]);
    outbox.arrived(0);
    await third;
    expect(target.sent).toEqual([0, 1, 2]);
    outbox.end();
  });

  it("wait while too much is still on its way", async () => {
    const wire = {
      bufferedBytes: 2_000_000,
      sent: 0,
      async send() {
        wire.sent += 1;
      },
    };
    const bounds = { maxBytes: 10, perSecond: 100, waitingMax: 10, waitingBytesMax: 100 };
    const outbox = createOutbox({ ...bounds, keeps: false, clock: Date.now, onSent: () => {} });
    outbox.attach(wire, 0);
    const sending = outbox.send(bytesOf("x"));
    await pause(60);
    expect(wire.sent).toBe(0);
    wire.bufferedBytes = 0;
    await sending;
    expect(wire.sent).toBe(1);
  });

  it("that are taken back are let go of, however many behind one that waits", async () => {
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    const outbox = outboxOf({ maxBytes: 1_000_000, waitingBytesMax: 1_000_001 });
    const waiting = outbox.send(bytesOf("x"));
    const held = () => {
      collect();
      return process.memoryUsage().arrayBuffers;
    };
    const before = held();
    for (let count = 0; count < 100; count += 1) {
      const taken = new AbortController();
      const sending = outbox.send(new Uint8Array(1_000_000), {}, taken.signal);
      taken.abort();
      expect(await sending.catch(({ code }) => code)).toBe("cancelled");
    }
    await pause(10);
    expect(held() - before).toBeLessThan(10_000_000);
    outbox.end();
    await expect(waiting).rejects.toMatchObject({ code: "closed" });
  });

  it("wait without a timer while there is no connection, and are told at once of the end", async () => {
    vi.useFakeTimers();
    try {
      const outbox = outboxOf({ perSecond: 1 });
      const target = { bufferedBytes: 0, send: async () => {} };
      outbox.attach(target, 0);
      await outbox.send(bytesOf("sent"));
      outbox.detach();
      const sending = outbox.send(bytesOf("waits"));
      await vi.advanceTimersByTimeAsync(100);
      expect(vi.getTimerCount()).toBe(0);
      // Sent again as slowly as the socket allows.
      outbox.attach(target, 0);
      await vi.advanceTimersByTimeAsync(100);
      outbox.end();
      await expect(Promise.race([sending, vi.advanceTimersByTimeAsync(1)])).rejects.toMatchObject({ code: "closed" });
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it("come with their sender; what is old or comes twice is dropped, and a gap is told", async () => {
    const { session } = await inside(async (peer) => {
      for (const seq of [3, 3, 2, 4, 7]) peer.message("sid-ann", seq, `ann ${seq}`);
      peer.message("sid-eve", 0, "eve 0");
    });
    const seen: unknown[] = [];
    for await (const { from, seq, missed, own, bytes, text } of session) {
      seen.push([from.sid, from.member, seq, missed, own, text() === new TextDecoder().decode(bytes)]);
      if (seen.length === 4) break;
    }
    expect(seen).toEqual([
      ["sid-ann", "sid-ann", 3, 0, false, true],
      ["sid-ann", "sid-ann", 4, 0, false, true],
      ["sid-ann", "sid-ann", 7, 2, false, true],
      ["sid-eve", "sid-eve", 0, 0, false, true],
    ]);
    await session.close();
  });

  it("of one's own are yielded only when asked for", async () => {
    const script = async (peer: Peer) => {
      peer.message("sid-bob", 0, "mine");
      peer.message("sid-ann", 0, "hers");
    };
    const quiet = await inside(script);
    expect(await take(quiet.session, 1)).toEqual(["hers"]);
    const echoing = await inside(script, { echo: true });
    expect(await take(echoing.session, 2)).toEqual(["mine", "hers"]);
    await Promise.all([quiet.session.close(), echoing.session.close()]);
  });

  it("are not taken by who has left while it waited for one", async () => {
    const go = Promise.withResolvers<void>();
    const { session } = await inside(async (peer) => {
      await go.promise;
      peer.message("sid-ann", 0, "for who stays");
    });
    const left = session[Symbol.asyncIterator]();
    const waited = left.next();
    await left.return?.();
    expect(await waited).toMatchObject({ done: true });
    go.resolve();
    expect(await take(session, 1)).toEqual(["for who stays"]);
    await session.close();
  });

  it("that follow accepted at once are not lost, and leaving the loop loses none", async () => {
    const { session } = await inside(async (peer) => {
      for (let seq = 0; seq < 50; seq += 1) peer.message("sid-ann", seq, `${seq}`);
    });
    expect(await take(session, 20)).toHaveLength(20);
    expect(await take(session, 30)).toEqual(Array.from({ length: 30 }, (_, index) => `${index + 20}`));
    await session.close();
  });

  it.each([
    ["in number", { queueMax: 3 }],
    ["in bytes", { queueBytesMax: 20 }],
  ])("that nobody reads end the session, bounded %s; what waited can still be read", async (_name, options) => {
    const { session, server } = await inside(async (peer) => {
      await pause(20);
      for (let seq = 0; seq < 5; seq += 1) peer.message("sid-ann", seq, "sixth-");
    }, options);
    expect(await session.closed).toMatchObject({
      reason: "overflow",
      name: "slow-consumer",
      retry: true,
      sealed: false,
    });
    expect(await take(session, 3)).toHaveLength(3);
    expect(await ended(session)).toMatchObject({
      code: "closed",
      closeCode: 4000,
      message: "Nobody read the session: more than queueMax or queueBytesMax waited.",
    });
    expect(await ended(session)).toBeNull();
    expect((await server.peers[0]?.closed)?.code).toBe(4000);
  });
});

describe("the end of a session", () => {
  it("a sealed revoked counts as revoked", async () => {
    const { session } = await inside(async (peer) => {
      peer.message("sid-ann", 0, "before");
      await peer.lastWord({ t: "revoked", what: "kicked" });
      peer.message("sid-ann", 1, "after");
      peer.close("revoked");
    });
    expect(await session.closed).toEqual({
      code: 4504,
      name: "revoked",
      retry: false,
      retryAfterMs: null,
      reason: "revoked",
      what: "kicked",
      sealed: true,
    });
    const rest: string[] = [];
    for await (const message of session) rest.push(message.text());
    expect(rest).toEqual(["before"]);
  });

  it("a sealed revoked that says expired counts as expired: come back", async () => {
    const { session } = await inside(async (peer) => {
      await peer.lastWord({ t: "revoked", what: "expired" });
      peer.close("session-expired");
    });
    expect(await session.closed).toEqual({
      code: 4003,
      name: "session-expired",
      retry: true,
      retryAfterMs: null,
      reason: "revoked",
      what: "expired",
      sealed: true,
    });
  });

  it("a raw close never does, whatever its code", async () => {
    for (const name of ["revoked", "denied", "session-expired", "unavailable", "restart"] as const) {
      const { session } = await inside(async (peer) => peer.close(name));
      expect(await session.closed).toMatchObject({ name, reason: "lost", what: null, sealed: false });
    }
    const { signal } = new AbortController();
    const cut = await inside(async (peer) => peer.socket.terminate(), { signal });
    await cut.session.closed;
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    expect(await cut.session.closed).toMatchObject({ code: 1006, name: "unknown", reason: "lost", retry: true });
  });

  it("a sealed goodbye says when to come back", async () => {
    const { session } = await inside(async (peer) => {
      await peer.lastWord({ t: "goodbye", code: "restart", retryAfterMs: 1_500 });
      peer.close("restart");
    });
    expect(await session.closed).toMatchObject({
      reason: "goodbye",
      code: 1012,
      retry: true,
      retryAfterMs: 1_500,
      sealed: true,
    });
  });

  it("a revoked that does not open, and anything else that does not belong here, is a protocol error", async () => {
    const scripts: ((peer: Peer) => Promise<void>)[] = [
      async (peer) => {
        const send = peer.socket.send.bind(peer.socket);
        peer.socket.send = ((frame: Uint8Array) => {
          frame[frame.length - 1] = (frame[frame.length - 1] ?? 0) ^ 1;
          send(frame);
        }) as typeof peer.socket.send;
        await peer.lastWord({ t: "revoked", what: "kicked" });
      },
      (peer) => peer.lastWord({ t: "denied", n: 1, code: "denied" }),
      (peer) => peer.lastWord({ t: "revoked", what: "kicked" }, 1),
      async (peer) => peer.socket.send(await peer.challenge()),
      async (peer) => peer.bareDenied(),
      async (peer) => peer.socket.send(Uint8Array.of(0x41, 1)),
      async (peer) => peer.socket.send(new Uint8Array()),
      async (peer) => peer.message("sid-ann", 0, "x".repeat(1_001)),
    ];
    for (const script of scripts) {
      const { session } = await inside(script);
      expect(await session.closed).toMatchObject({ reason: "protocol", retry: false, sealed: false });
      expect(await ended(session)).toMatchObject({ name: "PortcullisError" });
    }
  });

  it("close and abort end it, and every reader and sender with it", async () => {
    const abort = new AbortController();
    const { session, server } = await inside(async () => {}, { signal: abort.signal });
    const reading = ended(session);
    abort.abort();
    expect(await session.closed).toMatchObject({ reason: "local", retry: false });
    expect(await reading).toBeNull();
    await session.close();
    await session.close();
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
    expect((await server.peers[0]?.closed)?.code).toBe(1000);
  });

  it("close does not wait for a server that does not answer", async () => {
    const { session, server } = await inside(async (peer) => peer.socket.pause());
    await pause(20);
    const startedMs = performance.now();
    await session.close();
    expect(performance.now() - startedMs).toBeLessThan(2_600);
    server.peers[0]?.socket.terminate();
  });
});

it("a session that its program closes when it is told of a step-up asks nobody for it", async () => {
  const otp = vi.fn(() => "123456");
  const { session } = await inside(
    async (peer) => {
      await pause(20);
      const options = [{ at: "1", gate: "otp" }];
      const asked = {
        t: "challenge" as const,
        n: 1,
        cid: "c",
        options,
        attemptsLeft: 3,
        answerMs: 1_000,
        retry: false,
      };
      await peer.tell(encodeControl(asked));
      await peer.closed;
    },
    { answers: { otp }, onState: ({ is }) => void (is === "step-up" && session.close()) },
  );
  await session.closed;
  await pause(20);
  expect(otp).not.toHaveBeenCalled();
});

describe("an abort", () => {
  it.each(["connect", "hello", "open", "challenge", "accepted"] as const)(
    "at %s settles once, as cancelled",
    async (stage) => {
      const abort = new AbortController();
      const server = await serve(async (peer) => {
        if (stage !== "connect") await peer.hello();
        if (stage === "connect" || stage === "hello") return void (await peer.closed);
        await peer.readOpen();
        if (stage === "open") abort.abort();
        else if (stage === "challenge") {
          peer.socket.send(await peer.challenge());
          await peer.closed;
        } else {
          const frame = await peer.accepted();
          peer.socket.send(frame);
          abort.abort();
        }
      });
      const entering = enter(server, {
        signal: abort.signal,
        offer: () => {
          if (stage === "hello") abort.abort();
          return [];
        },
        answers: {
          otp: () => {
            abort.abort();
            return new Promise(() => {});
          },
        },
      });
      if (stage === "connect") abort.abort();
      expect(await refusal(entering, "cancelled")).toMatchObject({ retryable: false });
      expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
      // undici says 1006 for a close before the upgrade was answered.
      for (const peer of server.peers) expect([1000, 1006]).toContain((await peer.closed).code);
    },
  );

  it("that came before opens no connection, and asks the application for nothing", async () => {
    const server = await serve((peer) => peer.letIn());
    const appKey = vi.fn(() => "");
    await refusal(enter(server, { signal: AbortSignal.abort(), appKey }), "cancelled");
    expect(appKey).not.toHaveBeenCalled();
    expect(server.peers).toHaveLength(0);
  });
});
