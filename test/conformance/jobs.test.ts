import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openBullJobs } from "@portcullis/jobs/bullmq";
import { openEmbeddedJobs } from "@portcullis/jobs/embedded";
import { Redis } from "ioredis";
import { afterAll, describe, expect, test } from "vitest";
import { rejection, startFixture, startWire, temporaryFolder, unique, until } from "./harness.ts";
import { jobsSuite } from "./jobs.suite.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());
const file = join(folder.path, "private", "jobs.sqlite");
const url = process.env.REDIS_URL;
const clock = Date.now;
const leaseMs = 3_000;

jobsSuite({
  name: "embedded, in memory",
  leaseMs,
  open: async () => [openEmbeddedJobs({ file: ":memory:", clock, leaseMs })],
  target: null,
});

jobsSuite({
  name: "embedded, in a file",
  leaseMs,
  open: async () => [openEmbeddedJobs({ file, clock, leaseMs }), openEmbeddedJobs({ file, clock, leaseMs })],
  target: { adapter: "embedded", at: file },
});

jobsSuite({
  name: url ? "bullmq" : "bullmq (skipped: no REDIS_URL)",
  skip: !url,
  leaseMs,
  open: async () => {
    if (!url) throw new Error("no REDIS_URL");
    return [await openBullJobs({ url, leaseMs }), await openBullJobs({ url, leaseMs })];
  },
  target: { adapter: "engine", at: url ?? "" },
});

const secret = "bob@example.com";
const fail = async () => {
  throw Object.assign(new Error(`550 <${secret}> rejected`), { name: "SmtpError" });
};

describe("jobs: embedded only", () => {
  test("of an error only its class is kept", async () => {
    const own = join(folder.path, "failed.sqlite");
    const jobs = openEmbeddedJobs({ file: own, clock, leaseMs });
    let exhausted = false;
    await jobs.work("mail", fail, {
      onExhausted: () => {
        exhausted = true;
      },
    });
    await jobs.enqueue("mail", { id: "failing", data: {} }, { attempts: 1 });
    await until(() => exhausted);
    await jobs.close();
    const database = new DatabaseSync(own);
    const rows = database.prepare("SELECT * FROM _jobs").all();
    database.close();
    expect(rows).toMatchObject([{ id: "failing", error: "SmtpError" }]);
    expect(JSON.stringify(rows)).not.toContain(secret);
  });

  test("a process that was held up for longer than its leases does not take its own running jobs", async () => {
    let now = 1000;
    const jobs = openEmbeddedJobs({ file: ":memory:", clock: () => now, leaseMs, pollMs: 10 });
    const held = Promise.withResolvers<void>();
    let runs = 0;
    for (const _ of ["worker", "another"]) {
      await jobs.work("mail", async () => {
        runs += 1;
        await held.promise;
      });
    }
    await jobs.enqueue("mail", { id: "long", data: {} });
    await until(() => runs === 1);
    now += 10 * leaseMs;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(runs).toBe(1);
    held.resolve();
    await jobs.close();
  });

  test("the injected clock decides what is due", async () => {
    let now = 1000;
    const jobs = openEmbeddedJobs({ file: ":memory:", clock: () => now, pollMs: 10 });
    let handled = 0;
    await jobs.work("mail", async () => {
      handled += 1;
    });
    await jobs.enqueue("mail", { id: "later", data: {} }, { delayMs: 60_000 });
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(handled).toBe(0);
    now += 60_000;
    await until(() => handled === 1);
    await jobs.close();
  });
});

describe.skipIf(!url)("jobs: bullmq only", { timeout: 30_000 }, () => {
  const commandTimeoutMs = 500;
  /** Within seconds, says the port: a few commands may have to time out one after another. */
  const withinMs = 5_000;

  test("of an error only its class is kept", async () => {
    const prefix = unique("p-");
    const jobs = await openBullJobs({ url: url ?? "", prefix, leaseMs: 1000 });
    let exhausted = false;
    await jobs.work("mail", fail, {
      onExhausted: () => {
        exhausted = true;
      },
    });
    await jobs.enqueue("mail", { id: "failing", data: {} }, { attempts: 2, backoffMs: 1 });
    await until(() => exhausted);
    await jobs.close();
    const redis = new Redis(url ?? "");
    const stored = await redis.hgetall(`${prefix}:mail:job-failing`);
    const events = await redis.xrange(`${prefix}:mail:events`, "-", "+");
    await redis.quit();
    expect(stored.failedReason).toBe("SmtpError");
    expect(JSON.stringify([stored, events])).not.toContain(secret);
  });

  test("while Redis is gone enqueueing rejects within its time, closing does not hang, and no job is lost", async () => {
    const wire = await startWire(url ?? "");
    const errors: Error[] = [];
    const jobs = await openBullJobs({
      url: wire.url,
      leaseMs: 1000,
      commandTimeoutMs,
      onError: (error) => errors.push(error),
    });
    const queue = unique("q-");
    let started = 0;
    const handler = async () => {
      started += 1;
      await new Promise((resolve) => setTimeout(resolve, 300));
    };
    const worker = await jobs.work(queue, handler);
    await jobs.enqueue(queue, { id: "running", data: {} }, { attempts: 3 });
    await until(() => started === 1);
    await wire.cut();
    expect((await rejection(jobs.enqueue(queue, { id: "refused", data: {} }))).tookMs).toBeLessThan(withinMs);
    expect((await rejection(jobs.cancel(queue, "refused"))).tookMs).toBeLessThan(withinMs);
    expect((await rejection(jobs.ping())).tookMs).toBeLessThan(withinMs);
    const closingAt = performance.now();
    await worker.close();
    await jobs.close();
    expect(performance.now() - closingAt).toBeLessThan(withinMs);
    await wire.close();

    // Redis never heard that the run came to an end.
    const again = await openBullJobs({ url: url ?? "", leaseMs: 1000 });
    const handled: string[] = [];
    await again.work(queue, async (job) => void handled.push(job.id));
    await until(() => handled.length === 1);
    expect(handled).toEqual(["running"]);
    await again.close();
  });

  test("after closing while Redis is gone, nothing keeps the process", async () => {
    const closer = startFixture("jobs-closer", { url, queue: unique("q-") });
    expect(await closer.line()).toBe("closed");
    expect(await closer.end()).toEqual(["closed"]);
  });

  test("when Redis freezes, enqueueing and closing end within their time all the same", async () => {
    const wire = await startWire(url ?? "");
    const jobs = await openBullJobs({ url: wire.url, leaseMs: 1000, commandTimeoutMs });
    const queue = unique("q-");
    await jobs.work(queue, async () => undefined);
    await jobs.enqueue(queue, { id: "before", data: {} });
    wire.freeze();
    expect((await rejection(jobs.enqueue(queue, { id: "during", data: {} }))).tookMs).toBeLessThan(withinMs);
    const closingAt = performance.now();
    await jobs.close();
    expect(performance.now() - closingAt).toBeLessThan(withinMs);
    await wire.close();
  });

  test("a worker goes on when Redis is back", async () => {
    const wire = await startWire(url ?? "");
    const jobs = await openBullJobs({ url: wire.url, leaseMs: 1000, commandTimeoutMs });
    const queue = unique("q-");
    const handled: string[] = [];
    await jobs.work(queue, async (job) => void handled.push(job.id));
    await jobs.enqueue(queue, { id: "before", data: {} });
    await until(() => handled.length === 1);
    await wire.cut();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await wire.mend();
    await until(() =>
      jobs.enqueue(queue, { id: "after", data: {} }).then(
        () => true,
        () => false,
      ),
    );
    await until(() => handled.length === 2);
    expect(handled).toEqual(["before", "after"]);
    await jobs.close();
    await wire.close();
  });

  test("opening rejects within its time when nobody is there", async () => {
    const opening = openBullJobs({ url: "redis://127.0.0.1:1", commandTimeoutMs });
    expect((await rejection(opening)).tookMs).toBeLessThan(withinMs);
  });
});
