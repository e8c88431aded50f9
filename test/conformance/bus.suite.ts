import {
  type Bus,
  type BusErrorListener,
  BusUnavailableError,
  type BusUnavailableReason,
  type Message,
} from "@portcullis/bus";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

/** One adapter on one wire. */
export interface BusUnderTest {
  connect(name: string, onError: BusErrorListener): Promise<Bus>;
  /** The wire goes away under the adapter, and comes back; absent where the test does not own the wire. */
  readonly outage?: { begin(): Promise<void>; end(): Promise<void> };
  stop(): Promise<void>;
}

const text = (value: string, headers: Record<string, string> = {}): Message => ({
  data: new TextEncoder().encode(value),
  headers,
});
const textOf = (message: { readonly data: Uint8Array }) => new TextDecoder().decode(message.data);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const patience = { timeout: 5_000, interval: 5 };

async function until(check: () => boolean): Promise<void> {
  await expect.poll(check, patience).toBe(true);
}

async function reasonOf(work: () => unknown): Promise<BusUnavailableReason | "fulfilled"> {
  try {
    await work();
    return "fulfilled";
  } catch (error) {
    expect(error).toBeInstanceOf(BusUnavailableError);
    return error instanceof BusUnavailableError ? error.reason : "fulfilled";
  }
}

const description = { name: "portcullis-conformance", version: "1.0.0", description: "the suite" };

/** Every sentence of the port's promise. */
export function busSuite(name: string, setUp: () => Promise<BusUnderTest>): void {
  describe(`bus: ${name}`, () => {
    let wire: BusUnderTest;
    let buses: Bus[] = [];
    let errors: { error: unknown; subject: string }[] = [];
    let serial = 0;

    beforeAll(async () => {
      wire = await setUp();
    });
    afterAll(() => wire.stop());
    afterEach(async () => {
      await Promise.all(buses.map((bus) => bus.close()));
      buses = [];
      errors = [];
    });

    const connect = async (as = "test"): Promise<Bus> => {
      const bus = await wire.connect(as, (error, subject) => errors.push({ error, subject }));
      buses.push(bus);
      return bus;
    };
    /** Own subjects per test: the server may be shared. */
    const fresh = () => `conformance.${process.pid}.${Date.now().toString(36)}.${serial++}`;
    /** What was published before has arrived everywhere when this resolves. */
    const settle = async () => {
      for (const bus of buses) await bus.ping();
      await pause(30);
    };

    describe("request", () => {
      it("resolves with the answer of the endpoint, bytes and headers intact", async () => {
        const [asking, serving] = [await connect(), await connect()];
        const subject = fresh();
        const every = Uint8Array.from({ length: 256 }, (_, index) => index);
        const registration = await serving.register(description);
        await registration.add({
          name: "echo",
          subject,
          queue: "q",
          handler: async ({ data, headers, subject: to }) => ({
            data: data.slice().reverse(),
            headers: { "x-seen": headers["x-sent"] ?? "", "x-subject": to },
          }),
        });
        const reply = await asking.request(
          subject,
          { data: every, headers: { "x-sent": "one two" } },
          { timeoutMs: 2_000 },
        );
        expect([...reply.data]).toEqual([...every].reverse());
        expect(reply.headers).toMatchObject({ "x-seen": "one two", "x-subject": subject });
      });

      it("carries a payload of one MiB and refuses what no server would take", async () => {
        const [asking, serving] = [await connect(), await connect()];
        const subject = fresh();
        const registration = await serving.register(description);
        await registration.add({
          name: "echo",
          subject,
          queue: "q",
          handler: async ({ data }) => ({ data, headers: {} }),
        });
        const large = new Uint8Array(1024 * 1024).fill(7);
        const reply = await asking.request(subject, { data: large, headers: {} }, { timeoutMs: 5_000 });
        expect(Buffer.compare(reply.data, large)).toBe(0);
        const tooLarge = { data: new Uint8Array(3 * 1024 * 1024), headers: {} };
        expect(await reasonOf(() => asking.request(subject, tooLarge, { timeoutMs: 1_000 }))).toBe("refused");
        expect(await reasonOf(() => asking.publish(subject, tooLarge))).toBe("refused");
      });

      it("reaches exactly one replica each time, and every replica sometimes", async () => {
        const asking = await connect();
        const subject = fresh();
        const handled = [0, 0, 0];
        for (const index of handled.keys()) {
          const registration = await (await connect()).register(description);
          await registration.add({
            name: "count",
            subject,
            queue: "replicas",
            handler: async () => {
              handled[index] = (handled[index] ?? 0) + 1;
              return text(`${index}`);
            },
          });
        }
        await Promise.all(Array.from({ length: 90 }, () => asking.request(subject, text(""), { timeoutMs: 2_000 })));
        expect(handled.reduce((sum, count) => sum + count)).toBe(90);
        expect(Math.min(...handled)).toBeGreaterThan(0);
      });

      it("rejects at once where nobody serves", async () => {
        const asking = await connect();
        const startedAt = performance.now();
        expect(await reasonOf(() => asking.request(fresh(), text(""), { timeoutMs: 5_000 }))).toBe("no-responders");
        expect(performance.now() - startedAt).toBeLessThan(1_000);
      });

      it("rejects after its time, and the late answer disturbs nobody", async () => {
        const [asking, serving] = [await connect(), await connect()];
        const subject = fresh();
        const registration = await serving.register(description);
        await registration.add({
          name: "slow",
          subject,
          queue: "q",
          handler: async ({ data }) => {
            if (data.length === 0) await pause(150);
            return text("late");
          },
        });
        const startedAt = performance.now();
        expect(await reasonOf(() => asking.request(subject, text(""), { timeoutMs: 50 }))).toBe("timeout");
        expect(performance.now() - startedAt).toBeLessThan(140);
        await pause(200);
        expect(textOf(await asking.request(subject, text("quick"), { timeoutMs: 1_000 }))).toBe("late");
        expect(errors).toEqual([]);
      });

      it("rejects at once and reports it when the handler fails; the endpoint lives on", async () => {
        const [asking, serving] = [await connect(), await connect()];
        const subject = fresh();
        const registration = await serving.register(description);
        await registration.add({
          name: "moody",
          subject,
          queue: "q",
          handler: async ({ data }) => {
            if (data.length === 0) throw new Error("planted");
            return text("fine");
          },
        });
        expect(await reasonOf(() => asking.request(subject, text(""), { timeoutMs: 5_000 }))).toBe("refused");
        expect(errors).toMatchObject([{ subject, error: { message: "planted" } }]);
        expect(textOf(await asking.request(subject, text("x"), { timeoutMs: 1_000 }))).toBe("fine");
      });

      it("handles many at once on one endpoint", async () => {
        const [asking, serving] = [await connect(), await connect()];
        const subject = fresh();
        let running = 0;
        let most = 0;
        const registration = await serving.register(description);
        await registration.add({
          name: "wide",
          subject,
          queue: "q",
          handler: async (request) => {
            most = Math.max(most, ++running);
            await pause(20);
            running -= 1;
            return request;
          },
        });
        const all = Array.from({ length: 20 }, (_, index) =>
          asking.request(subject, text(`${index}`), { timeoutMs: 2_000 }),
        );
        expect((await Promise.all(all)).map(textOf)).toEqual(Array.from({ length: 20 }, (_, index) => `${index}`));
        expect(most).toBeGreaterThan(5);
      });
    });

    describe("publish", () => {
      it("reaches every subscriber once, those of its own handle too", async () => {
        const [a, b] = [await connect(), await connect()];
        const subject = fresh();
        const got: string[] = [];
        await a.subscribe(subject, () => void got.push("a"));
        await a.subscribe(subject, () => void got.push("a2"));
        await b.subscribe(subject, () => void got.push("b"));
        a.publish(subject, text("x"));
        await until(() => got.length >= 3);
        await settle();
        expect(got.sort()).toEqual(["a", "a2", "b"]);
      });

      it("keeps the order of one publisher on one subject", async () => {
        const [a, b] = [await connect(), await connect()];
        const subject = fresh();
        const got: number[] = [];
        await b.subscribe(subject, async (message) => {
          got.push(Number(textOf(message)));
          // A handler that takes its time must not let others overtake.
          if (got.length % 3 === 0) await pause(1);
        });
        for (let index = 0; index < 500; index += 1) a.publish(subject, text(`${index}`));
        await until(() => got.length === 500);
        expect(got).toEqual(Array.from({ length: 500 }, (_, index) => index));
      });

      it("never calls a handler before it has returned", async () => {
        const bus = await connect();
        const subject = fresh();
        const order: string[] = [];
        await bus.subscribe(subject, () => void order.push("handled"));
        bus.publish(subject, text("x"));
        order.push("returned");
        await Promise.resolve();
        order.push("next microtask");
        await until(() => order.length === 3);
        expect(order).toEqual(["returned", "next microtask", "handled"]);
      });

      it("is not kept for those who subscribe later", async () => {
        const [a, b] = [await connect(), await connect()];
        const subject = fresh();
        const got: string[] = [];
        a.publish(subject, text("early"));
        await settle();
        await b.subscribe(subject, (message) => void got.push(textOf(message)));
        a.publish(subject, text("late"));
        await until(() => got.length > 0);
        await settle();
        expect(got).toEqual(["late"]);
      });

      it("gives each message to one member of each queue, and to everybody without a queue", async () => {
        const publisher = await connect();
        const subject = fresh();
        const got: Record<string, number> = { left: 0, right: 0, other: 0, plain: 0 };
        const count = (who: string) => () => {
          got[who] = (got[who] ?? 0) + 1;
        };
        const listener = await connect();
        await listener.subscribe(subject, count("left"), { queue: "shared" });
        await (await connect()).subscribe(subject, count("right"), { queue: "shared" });
        await listener.subscribe(subject, count("other"), { queue: "another" });
        await listener.subscribe(subject, count("plain"));
        for (let index = 0; index < 60; index += 1) publisher.publish(subject, text(`${index}`));
        await until(() => got.plain === 60 && got.other === 60 && (got.left ?? 0) + (got.right ?? 0) >= 60);
        await settle();
        expect((got.left ?? 0) + (got.right ?? 0)).toBe(60);
        expect(got.left).toBeGreaterThan(0);
        expect(got.right).toBeGreaterThan(0);
      });

      it("matches wildcards: one token, the rest, nothing else", async () => {
        const bus = await connect();
        const root = fresh();
        const got: string[] = [];
        const note = (pattern: string) => (message: { subject: string }) =>
          void got.push(`${pattern} ${message.subject.slice(root.length + 1)}`);
        await bus.subscribe(`${root}.*`, note("*"));
        await bus.subscribe(`${root}.*.c`, note("*.c"));
        await bus.subscribe(`${root}.>`, note(">"));
        await bus.subscribe(`${root}.a`, note("a"));
        for (const subject of ["a", "b", "b.c", "b.c.d"]) bus.publish(`${root}.${subject}`, text(""));
        bus.publish(root, text(""));
        await until(() => got.length >= 8);
        await settle();
        expect(got.sort()).toEqual(["* a", "* b", "*.c b.c", "> a", "> b", "> b.c", "> b.c.d", "a a"]);
      });

      it("lets a receiver write into its bytes, and a sender reuse them, without disturbing anybody", async () => {
        const [a, b] = [await connect(), await connect()];
        const subject = fresh();
        const got: string[] = [];
        for (const bus of [a, a, b]) {
          await bus.subscribe(subject, (message) => {
            got.push(textOf(message));
            message.data.fill(0);
          });
        }
        const data = new TextEncoder().encode("original");
        a.publish(subject, { data, headers: {} });
        data.fill(0);
        await until(() => got.length === 3);
        expect(got).toEqual(["original", "original", "original"]);
      });

      it("reports a handler that throws and delivers to the others", async () => {
        const bus = await connect();
        const subject = fresh();
        let delivered = 0;
        await bus.subscribe(subject, () => {
          throw new Error("sync");
        });
        await bus.subscribe(subject, async () => {
          throw new Error("async");
        });
        await bus.subscribe(subject, () => {
          delivered += 1;
        });
        bus.publish(subject, text("1"));
        bus.publish(subject, text("2"));
        await until(() => delivered === 2 && errors.length === 4);
        expect(errors.map(({ error }) => (error instanceof Error ? error.message : "")).sort()).toEqual([
          "async",
          "async",
          "sync",
          "sync",
        ]);
      });
    });

    describe("names", () => {
      it("refuses subjects and headers that the other adapters would not carry", async () => {
        const bus = await connect();
        for (const subject of ["", "a b", "a..b", ".a", "a.*", "a.>", "a\r\nPUB b 0"]) {
          expect(() => bus.publish(subject, text("x")), subject).toThrow(TypeError);
          await expect(bus.request(subject, text("x"), { timeoutMs: 50 }), subject).rejects.toThrow(TypeError);
        }
        for (const pattern of ["", "a.>.b", "a b", "a*"]) {
          await expect(
            bus.subscribe(pattern, () => undefined),
            pattern,
          ).rejects.toThrow(TypeError);
        }
        const unfit: Record<string, string>[] = [
          { Upper: "x" },
          { a: "" },
          { a: "x\r\ny" },
          { a: " x" },
          { a: "ü" },
          { "a b": "x" },
        ];
        for (const headers of unfit) expect(() => bus.publish(fresh(), text("x", headers))).toThrow(TypeError);
      });
    });

    describe("subscriptions and services", () => {
      it("takes no more after close, and close waits for the handlers that run", async () => {
        const bus = await connect();
        const subject = fresh();
        const log: string[] = [];
        const subscription = await bus.subscribe(subject, async () => {
          log.push("started");
          await pause(60);
          log.push("done");
        });
        bus.publish(subject, text("x"));
        await until(() => log.length === 1);
        await subscription.close();
        expect(log).toEqual(["started", "done"]);
        bus.publish(subject, text("x"));
        await settle();
        expect(log).toEqual(["started", "done"]);
      });

      it("closes one endpoint without disturbing the others of its service", async () => {
        const [asking, serving] = [await connect(), await connect()];
        const [first, second] = [fresh(), fresh()];
        const registration = await serving.register(description);
        const handler = async () => text("ok");
        const one = await registration.add({ name: "one", subject: first, queue: "q", handler });
        await registration.add({ name: "two", subject: second, queue: "q", handler });
        let failures = 0;
        let stop = false;
        const steady = (async () => {
          while (!stop) {
            await asking.request(second, text(""), { timeoutMs: 1_000 }).catch(() => failures++);
          }
        })();
        await one.close();
        stop = true;
        await steady;
        expect(failures).toBe(0);
        expect(await reasonOf(() => asking.request(first, text(""), { timeoutMs: 1_000 }))).toBe("no-responders");
        expect(textOf(await asking.request(second, text(""), { timeoutMs: 1_000 }))).toBe("ok");
        await registration.close();
        expect(await reasonOf(() => asking.request(second, text(""), { timeoutMs: 1_000 }))).toBe("no-responders");
      });
    });

    describe("the end", () => {
      it("drains on close: a request that runs gets its answer, then nothing is taken any more", async () => {
        const [asking, serving] = [await connect(), await connect()];
        const subject = fresh();
        const seen: string[] = [];
        serving.onStatus((status) => seen.push(status));
        const registration = await serving.register(description);
        let started = false;
        await registration.add({
          name: "drain",
          subject,
          queue: "q",
          handler: async () => {
            started = true;
            await pause(60);
            // Work in progress may still use the bus.
            await serving.ping();
            return text("finished");
          },
        });
        const running = asking.request(subject, text(""), { timeoutMs: 3_000 });
        await until(() => started);
        await Promise.all([serving.close(), serving.close()]);
        expect(textOf(await running)).toBe("finished");
        expect(serving.status()).toBe("closed");
        expect(seen).toEqual(["closed"]);
        expect(await reasonOf(() => serving.request(subject, text(""), { timeoutMs: 500 }))).toBe("closed");
        expect(await reasonOf(() => serving.publish(subject, text("")))).toBe("closed");
        expect(await reasonOf(() => serving.subscribe(subject, () => undefined))).toBe("closed");
        expect(await reasonOf(() => serving.register(description))).toBe("closed");
        expect(await reasonOf(() => serving.ping())).toBe("closed");
        expect(await reasonOf(() => asking.request(subject, text(""), { timeoutMs: 500 }))).toBe("no-responders");
      });

      it("rejects the requests that wait when it is closed", async () => {
        const [asking, serving] = [await connect(), await connect()];
        const subject = fresh();
        await serving.subscribe(subject, () => undefined);
        const waiting = reasonOf(() => asking.request(subject, text(""), { timeoutMs: 5_000 }));
        await pause(20);
        await asking.close();
        expect(await waiting).toBe("closed");
      });
    });

    describe("a lost connection", () => {
      it("rejects and refuses while it lasts, then goes on with the same subscriptions and endpoints", async (context) => {
        const { outage } = wire;
        if (outage === undefined) return context.skip("the wire is not ours to cut");
        const [asking, serving] = [await connect(), await connect()];
        const [subject, silent, topic] = [fresh(), fresh(), fresh()];
        const got: string[] = [];
        const seen: string[] = [];
        asking.onStatus((status) => seen.push(status));
        const registration = await serving.register(description);
        await registration.add({ name: "echo", subject, queue: "q", handler: async (request) => request });
        await serving.subscribe(topic, (message) => void got.push(textOf(message)));
        await serving.subscribe(silent, () => undefined);
        const inFlight = reasonOf(() => asking.request(silent, text(""), { timeoutMs: 20_000 }));
        await asking.ping();

        await outage.begin();
        await until(() => asking.status() === "disconnected" && serving.status() === "disconnected");
        expect(await inFlight).toBe("disconnected");
        const startedAt = performance.now();
        expect(await reasonOf(() => asking.request(subject, text(""), { timeoutMs: 500 }))).toBe("disconnected");
        expect(performance.now() - startedAt).toBeLessThan(500);
        expect(await reasonOf(() => asking.publish(topic, text("lost")))).toBe("disconnected");
        expect(await reasonOf(() => asking.ping())).toBe("disconnected");
        // Long enough that an adapter which queues would have something to send.
        await pause(400);
        expect(await reasonOf(() => asking.publish(topic, text("lost too")))).toBe("disconnected");

        await outage.end();
        await expect
          .poll(() => [asking.status(), serving.status()], { timeout: 12_000 })
          .toEqual(["connected", "connected"]);
        await settle();
        expect(textOf(await asking.request(subject, text("again"), { timeoutMs: 2_000 }))).toBe("again");
        asking.publish(topic, text("after"));
        await until(() => got.length > 0);
        await settle();
        expect(got).toEqual(["after"]);
        expect(seen).toEqual(["disconnected", "connected"]);
      }, 25_000);

      it("can be closed meanwhile", async (context) => {
        const { outage } = wire;
        if (outage === undefined) return context.skip("the wire is not ours to cut");
        const bus = await connect();
        await bus.subscribe(fresh(), () => undefined);
        const registration = await bus.register(description);
        await registration.add({ name: "x", subject: fresh(), queue: "q", handler: async (request) => request });
        await outage.begin();
        try {
          await until(() => bus.status() === "disconnected");
          await bus.close();
          expect(bus.status()).toBe("closed");
        } finally {
          await outage.end();
        }
      }, 15_000);
    });
  });
}
