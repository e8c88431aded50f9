import { getEventListeners } from "node:events";
import { describe, expect, it, vi } from "vitest";
import { type Offered, type Offering, PortcullisError } from "../src/mod.ts";
import { enter, pause, played, refusal, serve, world } from "./support/harness.ts";
import type { Peer } from "./support/server.ts";

const otp = (value: string): Offered => [{ gate: "otp", value }];

/** Offers `values` one after the other, then whatever `last` does; tells what became of it. */
function offering(values: readonly string[], last: (signal: AbortSignal) => Promise<void> = async () => undefined) {
  const told = { offering: [] as Offering[], yielded: 0, left: false };
  async function* offer(given: Offering): AsyncGenerator<Offered> {
    told.offering.push(given);
    try {
      for (const value of values) {
        told.yielded += 1;
        yield otp(value);
      }
      await last(given.signal);
    } finally {
      told.left = true;
    }
  }
  return { offer, told };
}

/** Until nothing is wanted any more. */
const untilOver = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

/** Through hello and open; the server asks nothing. */
async function opened(peer: Peer): Promise<Offered | undefined> {
  await peer.hello();
  return (await peer.readOpen()).answers;
}

describe("successive offers", () => {
  it("go out one by one, the first with open, until one is enough; they are a second apart", async () => {
    const heardAtMs: number[] = [];
    const server = await serve(async (peer) => {
      expect(await opened(peer)).toEqual(otp("1"));
      heardAtMs.push(performance.now());
      for (const [index, value] of ["2", "3"].entries()) {
        expect(await peer.readPlaintext()).toEqual({ n: index + 1, t: "offer", answers: otp(value) });
        heardAtMs.push(performance.now());
      }
      await peer.accept();
    });
    const { offer, told } = offering(["1", "2", "3", "4"], untilOver);
    const frames: string[] = [];
    const session = await enter(server, { offer, onFrame: (_direction, kind) => frames.push(kind) });
    await played(server);
    expect(frames).toEqual(["hello", "open", "offer", "offer", "accepted"]);
    const [first = 0, , third = 0] = heardAtMs;
    // Timers may run a moment early, and on a busy machine a frame is read late: hence both pauses together.
    expect(third - first).toBeGreaterThan(1_500);
    expect(told.offering).toMatchObject([{ server: { pinned: true, edge: "edge-a" } }]);
    expect(told.offering[0]?.server.fingerprint).toBe(world.identity.fingerprint);
    expect(told.offering[0]?.signal.aborted).toBe(true);
    await expect.poll(() => told.left).toBe(true);
    await session.close();
  });

  it("of an iterator that throws when it is told that it is over let in all the same", async () => {
    const server = await serve(async (peer) => {
      await opened(peer);
      await peer.accept();
    });
    const iterator: AsyncIterator<Offered> = {
      next: async () => ({ done: false, value: otp("1") }),
      return: () => {
        throw new Error("the iterator's own problem");
      },
    };
    const session = await enter(server, { offer: () => ({ [Symbol.asyncIterator]: () => iterator }) });
    expect(session.sid).toBe("sid-bob");
    await session.close();
  });

  it("give up by what they throw, and an error of ours stays what it is", async () => {
    const server = await serve(async (peer) => {
      await peer.hello();
      await peer.closed;
    });
    const mistake = new Error("the application's");
    const thrown = await refusal(enter(server, { offer: () => Promise.reject(mistake) }), "cancelled");
    expect(thrown).toMatchObject({ cause: mistake, retryable: false });
    await refusal(enter(server, { offer: () => Promise.reject(new PortcullisError("denied")) }), "denied");
  });

  it("end with a challenge: none is sent to a socket that asks, the answers are asked instead", async () => {
    const server = await serve(async (peer) => {
      await opened(peer);
      // Not at once: the second offer is made by then, and held back.
      await pause(300);
      expect(await peer.ask()).toMatchObject({ t: "answer", n: 1, value: "999999" });
      await pause(1_200);
      expect(peer.pending()).toBe(0);
      await peer.accept();
    });
    const { offer, told } = offering(["1", "2", "3"]);
    const session = await enter(server, { offer, answers: { otp: () => "999999" } });
    await played(server);
    expect(told).toMatchObject({ yielded: 2, left: true });
    await session.close();
  });

  it("that were under way when one was enough do not change what was agreed", async () => {
    const server = await serve(async (peer) => {
      await opened(peer);
      await peer.readPlaintext();
      const accepted = await peer.accepted();
      await peer.next();
      peer.socket.send(accepted);
    });
    const { offer } = offering(["1", "2", "3"], untilOver);
    const session = await enter(server, { offer });
    expect(session.sid).toBe("sid-bob");
    await session.close();
  });

  it("may be none at first, and the last is waited for", async () => {
    const server = await serve(async (peer) => {
      expect(await opened(peer)).toBeUndefined();
      expect(await peer.readPlaintext()).toMatchObject({ t: "offer", answers: otp("1") });
      await pause(1_100);
      await peer.deny("denied");
    });
    const { offer } = offering(["1"]);
    const late = async function* (given: Offering): AsyncGenerator<Offered> {
      yield [];
      yield* offer(given);
    };
    expect(await refusal(enter(server, { offer: late }), "denied")).toMatchObject({ sealed: true });
  });

  it("that can never be sent are the application's mistake, and only that", async () => {
    const server = await serve(async (peer) => {
      await opened(peer);
      expect((await peer.closed).code).toBe(1000);
    });
    const wrong: Offered[] = [[], [{ gate: "OTP", value: "1" }], [{ gate: "otp", value: "\ud800" }]];
    for (const second of wrong) {
      const entering = enter(server, {
        async *offer() {
          yield otp("1");
          yield second;
        },
      });
      await expect(entering).rejects.toThrow(TypeError);
    }
    await played(server);
  });

  it("are given up under seal when the application throws", async () => {
    const said: string[] = [];
    const server = await serve(async (peer) => {
      await opened(peer);
      said.push((await peer.readPlaintext()).t, String((await peer.closed).code));
    });
    const mistake = new Error("the application's");
    const { offer } = offering(["1"], () => Promise.reject(mistake));
    expect((await refusal(enter(server, { offer }), "cancelled")).cause).toBe(mistake);
    await played(server);
    expect(said).toEqual(["cancel", "1000"]);
  });

  it.each(["the first is made", "the second is made", "the second is held back"])(
    "end with the caller's signal while %s, and leave nothing behind",
    async (when) => {
      const set = vi.spyOn(globalThis, "setTimeout");
      const clear = vi.spyOn(globalThis, "clearTimeout");
      const server = await serve(async (peer) => {
        await peer.hello();
        await peer.closed;
        expect(peer.pending()).toBeLessThan(2);
      });
      const abort = new AbortController();
      const values = { "the first is made": [], "the second is made": ["1"] }[when] ?? ["1", "2"];
      const { offer, told } = offering(values, untilOver);
      const entering = enter(server, { offer, signal: abort.signal });
      await expect.poll(() => told.offering.length).toBe(1);
      await pause(100);
      abort.abort();
      await refusal(entering, "cancelled");
      await played(server);
      expect(told.offering[0]?.signal.aborted).toBe(true);
      await expect.poll(() => told.left).toBe(true);
      expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
      const ours = set.mock.results.filter((_, index) => set.mock.calls[index]?.[1] === 1_000);
      expect(ours).toHaveLength(values.length === 0 ? 0 : 1);
      for (const { value } of ours) expect(clear.mock.calls.map(([timer]) => timer)).toContain(value);
      vi.restoreAllMocks();
    },
  );

  it("are not even made for a server that nobody vouches for", async () => {
    const server = await serve((peer) => opened(peer).then(() => undefined));
    const { offer, told } = offering(["1", "2"]);
    await refusal(enter(server, { appKey: undefined, offer }), "untrusted-server");
    await refusal(enter(server, { appKey: undefined, pin: "A".repeat(22), offer }), "untrusted-server");
    expect(told.offering).toEqual([]);
  });
});
