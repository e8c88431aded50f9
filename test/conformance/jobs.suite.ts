import { setTimeout as sleep } from "node:timers/promises";
import { trace } from "@opentelemetry/api";
import { type Job, type Jobs, UnrecoverableJobError, type Worker } from "@portcullis/jobs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startFixture, type Target, unique, until } from "./harness.ts";
import { tracing } from "./tracing.ts";

export interface JobsSubject {
  readonly name: string;
  /** Several adapters on the same store, as replicas of a service have them. */
  open(): Promise<readonly Jobs[]>;
  /** Short enough to wait for its end, long enough to outlive a moment in which the machine is held up. */
  readonly leaseMs: number;
  /** How other processes reach it; null for one that lives in this process only. */
  readonly target: Target | null;
  /** Without an engine every test is skipped, by name. */
  readonly skip?: boolean;
}

/** Every sentence of `libs/jobs/src/port.ts`. */
export function jobsSuite(subject: JobsSubject): void {
  // Each test has a queue of its own, so they can wait side by side.
  describe.skipIf(subject.skip)(`jobs: ${subject.name}`, { concurrent: true, timeout: 30_000 }, () => {
    let replicas: readonly Jobs[] = [];
    let jobs: Jobs;
    const spans = tracing();
    const workers: Worker[] = [];
    beforeAll(async () => {
      replicas = await subject.open();
      const [first] = replicas;
      if (!first) throw new Error("no replica");
      jobs = first;
    });
    afterAll(async () => {
      await Promise.all(workers.map((worker) => worker.close()));
      for (const replica of replicas) await replica.close();
    });

    const queue = () => unique("q-");
    const workOn = async (replica: Jobs, ...[name, handler, options]: Parameters<Jobs["work"]>): Promise<Worker> => {
      const worker = await replica.work(name, handler, options);
      workers.push(worker);
      return worker;
    };
    const work = (...args: Parameters<Jobs["work"]>) => workOn(jobs, ...args);

    test("a job is handled with its id and data, and once when all goes well", async () => {
      const q = queue();
      const handled: Job[] = [];
      const data = { text: "é\u0000", number: -1.5, yes: true, nothing: null };
      await jobs.enqueue(q, { id: "before", data });
      await work(q, async (job) => void handled.push(job));
      await jobs.enqueue(q, { id: "after", data: {} });
      await until(() => handled.length === 2);
      await sleep(100);
      expect(handled).toHaveLength(2);
      expect(handled).toContainEqual({ id: "before", data });
      expect(handled).toContainEqual({ id: "after", data: {} });
    });

    test("a worker hears at once of a job that another replica enqueued", async () => {
      const q = queue();
      let handledAt = 0;
      await work(q, async () => {
        handledAt = performance.now();
      });
      await sleep(100);
      const enqueuedAt = performance.now();
      await (replicas.at(-1) ?? jobs).enqueue(q, { id: "job-1", data: {} });
      await until(() => handledAt > 0);
      expect(handledAt - enqueuedAt).toBeLessThan(3_000);
    });

    test("queues do not mix", async () => {
      const [one, other] = [queue(), queue()];
      const handled: string[] = [];
      await work(one, async (job) => void handled.push(`one ${job.id}`));
      await work(other, async (job) => void handled.push(`other ${job.id}`));
      await jobs.enqueue(one, { id: "same", data: {} });
      await jobs.enqueue(other, { id: "same", data: {} });
      await until(() => handled.length === 2);
      expect(handled.sort()).toEqual(["one same", "other same"]);
    });

    test("enqueueing an id that waits, is delayed or runs changes nothing", async () => {
      const q = queue();
      const handled: unknown[] = [];
      await jobs.enqueue(q, { id: "waiting", data: { n: 1 } });
      await jobs.enqueue(q, { id: "waiting", data: { n: 2 } });
      await jobs.enqueue(q, { id: "delayed", data: { n: 1 } }, { delayMs: 300 });
      await jobs.enqueue(q, { id: "delayed", data: { n: 2 } });
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      await work(q, async (job) => {
        handled.push([job.id, job.data.n]);
        if (job.id === "waiting") await held;
      });
      await until(() => handled.length >= 1);
      await jobs.enqueue(q, { id: "waiting", data: { n: 3 } });
      await until(() => handled.length === 2);
      release();
      await sleep(400);
      expect(handled).toEqual([
        ["waiting", 1],
        ["delayed", 1],
      ]);
    });

    test("of 50 concurrent enqueues of one id, one stands", async () => {
      const q = queue();
      const handled: string[] = [];
      const calls = Array.from({ length: 50 }, (_, n) =>
        (replicas[n % replicas.length] ?? jobs).enqueue(q, { id: "same", data: { n } }, { delayMs: 100 }),
      );
      await Promise.all(calls);
      await work(q, async (job) => void handled.push(job.id));
      await until(() => handled.length > 0);
      await sleep(300);
      expect(handled).toEqual(["same"]);
    });

    test("an id that completed is forgotten and may be enqueued anew", async () => {
      const q = queue();
      const handled: unknown[] = [];
      await work(q, async (job) => void handled.push(job.data.n));
      await jobs.enqueue(q, { id: "again", data: { n: 1 } });
      await until(() => handled.length === 1);
      // It may still be on its way to being forgotten, and be handled twice before this looks.
      await until(async () => {
        await jobs.enqueue(q, { id: "again", data: { n: 2 } });
        return handled.length >= 2;
      });
      expect(handled.slice(0, 2)).toEqual([1, 2]);
    });

    test("a job is not handled before its delay is over, and soon after", async () => {
      const q = queue();
      let handledAt = 0;
      await work(q, async () => {
        handledAt = Date.now();
      });
      const enqueuedAt = Date.now();
      await jobs.enqueue(q, { id: "later", data: {} }, { delayMs: 400 });
      await until(() => handledAt > 0);
      expect(handledAt - enqueuedAt).toBeGreaterThanOrEqual(400);
      expect(handledAt - enqueuedAt).toBeLessThan(4_000);
    });

    test("a job that failed runs again, after a backoff that doubles, up to its attempts", async () => {
      const q = queue();
      const startedAt: number[] = [];
      const exhausted: unknown[] = [];
      await work(
        q,
        async () => {
          startedAt.push(Date.now());
          throw new Error("bob@example.com does not exist");
        },
        { onExhausted: (job, error) => exhausted.push([job, error.message]) },
      );
      await jobs.enqueue(q, { id: "failing", data: { n: 1 } }, { attempts: 3, backoffMs: 200 });
      await until(() => exhausted.length === 1);
      await sleep(300);
      expect(startedAt).toHaveLength(3);
      const [a = 0, b = 0, c = 0] = startedAt;
      expect(b - a).toBeGreaterThanOrEqual(199);
      expect(c - b).toBeGreaterThanOrEqual(399);
      expect(exhausted).toEqual([[{ id: "failing", data: { n: 1 } }, "bob@example.com does not exist"]]);
    });

    test("a job that succeeds at last is not exhausted", async () => {
      const q = queue();
      let runs = 0;
      let exhausted = 0;
      const handler = async () => {
        runs += 1;
        if (runs < 3) throw new Error("not yet");
      };
      await work(q, handler, {
        onExhausted: () => {
          exhausted += 1;
        },
      });
      await jobs.enqueue(q, { id: "at-last", data: {} }, { attempts: 3, backoffMs: 1 });
      await until(() => runs === 3);
      await sleep(150);
      expect([runs, exhausted]).toEqual([3, 0]);
    });

    test("a handler can say that trying again is no use", async () => {
      const q = queue();
      let runs = 0;
      const exhausted: Error[] = [];
      const handler = async () => {
        runs += 1;
        throw new UnrecoverableJobError("never");
      };
      await work(q, handler, { onExhausted: (_, error) => exhausted.push(error) });
      await jobs.enqueue(q, { id: "hopeless", data: {} }, { attempts: 5, backoffMs: 1 });
      await until(() => exhausted.length === 1);
      await sleep(150);
      expect(runs).toBe(1);
      expect(exhausted[0]).toBeInstanceOf(UnrecoverableJobError);
    });

    test("a failed job is kept: its id changes nothing when enqueued again", async () => {
      const q = queue();
      let runs = 0;
      let exhausted = 0;
      const handler = async () => {
        runs += 1;
        throw new Error("no");
      };
      await work(q, handler, {
        onExhausted: () => {
          exhausted += 1;
        },
      });
      await jobs.enqueue(q, { id: "failed", data: {} }, { attempts: 1 });
      await until(() => exhausted === 1);
      await jobs.enqueue(q, { id: "failed", data: {} }, { attempts: 1 });
      expect(await jobs.cancel(q, "failed")).toBe(false);
      await sleep(150);
      expect([runs, exhausted]).toEqual([1, 1]);
    });

    test("a job that waits can be cancelled, one that runs cannot", async () => {
      const q = queue();
      const handled: string[] = [];
      await jobs.enqueue(q, { id: "waiting", data: {} });
      await jobs.enqueue(q, { id: "delayed", data: {} }, { delayMs: 200 });
      expect(await jobs.cancel(q, "waiting")).toBe(true);
      expect(await jobs.cancel(q, "waiting")).toBe(false);
      expect(await jobs.cancel(q, "delayed")).toBe(true);
      expect(await jobs.cancel(q, "unknown")).toBe(false);
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      await work(q, async (job) => {
        handled.push(job.id);
        await held;
      });
      await jobs.enqueue(q, { id: "running", data: {} });
      await until(() => handled.length === 1);
      expect(await jobs.cancel(q, "running")).toBe(false);
      release();
      await sleep(300);
      expect(handled).toEqual(["running"]);
    });

    test("a job that waits for its next run can be cancelled", async () => {
      const q = queue();
      let runs = 0;
      const handler = async () => {
        runs += 1;
        throw new Error("no");
      };
      await work(q, handler);
      await jobs.enqueue(q, { id: "retrying", data: {} }, { attempts: 3, backoffMs: 400 });
      await until(() => runs === 1);
      await until(() => jobs.cancel(q, "retrying"));
      await sleep(600);
      expect(runs).toBe(1);
    });

    test("at most as many jobs as the concurrency run at once", async () => {
      const q = queue();
      let running = 0;
      let most = 0;
      let done = 0;
      const handler = async () => {
        running += 1;
        most = Math.max(most, running);
        await sleep(40);
        running -= 1;
        done += 1;
      };
      for (let n = 0; n < 9; n += 1) await jobs.enqueue(q, { id: `job-${n}`, data: {} });
      await work(q, handler, { concurrency: 3 });
      await until(() => done === 9);
      expect(most).toBe(3);
    });

    test("two workers share the jobs, and no job is handled twice", async () => {
      const q = queue();
      const handled: string[] = [];
      for (const replica of [jobs, replicas.at(-1) ?? jobs]) {
        await workOn(replica, q, async (job) => void handled.push(job.id), { concurrency: 2 });
      }
      const ids = Array.from({ length: 30 }, (_, n) => `job-${n}`);
      await Promise.all(ids.map((id) => jobs.enqueue(q, { id, data: {} })));
      await until(() => handled.length >= 30);
      await sleep(100);
      expect(handled.sort()).toEqual(ids.sort());
    });

    test("a run that is longer than its lease keeps it", async () => {
      const q = queue();
      let runs = 0;
      let done = 0;
      for (const replica of [jobs, replicas.at(-1) ?? jobs]) {
        const handler = async () => {
          runs += 1;
          await sleep(2.2 * subject.leaseMs);
          done += 1;
        };
        await workOn(replica, q, handler);
      }
      await jobs.enqueue(q, { id: "long", data: {} });
      await until(() => done === 1);
      expect(runs).toBe(1);
    });

    test("closing a worker waits for what runs and takes no more", async () => {
      const q = queue();
      const events: string[] = [];
      const worker = await work(
        q,
        async (job) => {
          events.push(`start ${job.id}`);
          await sleep(200);
          events.push(`end ${job.id}`);
        },
        { concurrency: 1 },
      );
      await jobs.enqueue(q, { id: "first", data: {} });
      await jobs.enqueue(q, { id: "second", data: {} });
      await until(() => events.length === 1);
      await worker.close();
      expect(events).toEqual(["start first", "end first"]);
      await sleep(200);
      expect(events).toHaveLength(2);
      expect(await jobs.cancel(q, "second")).toBe(true);
    });

    test("ids, data, options and queue names out of bounds are refused", async () => {
      const q = queue();
      for (const id of ["", "12345", "a:b", "a b", "x".repeat(65), "é"]) {
        await expect(jobs.enqueue(q, { id, data: {} })).rejects.toThrow(TypeError);
        await expect(jobs.cancel(q, id)).rejects.toThrow(TypeError);
      }
      const nested = { list: [1] } as unknown as Job["data"];
      const infinite = { n: Number.POSITIVE_INFINITY };
      for (const data of [nested, infinite, { text: "x".repeat(4096) }]) {
        await expect(jobs.enqueue(q, { id: "bad", data })).rejects.toThrow(TypeError);
      }
      await jobs.enqueue(q, { id: "largest", data: { t: "x".repeat(4096 - 8) } });
      for (const options of [{ attempts: 0 }, { attempts: 21 }, { delayMs: -1 }, { backoffMs: 1.5 }]) {
        await expect(jobs.enqueue(q, { id: "bad", data: {} }, options)).rejects.toThrow(TypeError);
      }
      for (const name of ["", "Upper", "a:b", "1a", "x".repeat(49)]) {
        await expect(jobs.enqueue(name, { id: "bad", data: {} })).rejects.toThrow(TypeError);
      }
      expect(await jobs.cancel(q, "bad")).toBe(false);
    });

    test("the trace of whoever enqueued continues in the handler, also after a retry", async () => {
      const q = queue();
      const seen: (string | undefined)[] = [];
      const handler = async () => {
        seen.push(trace.getActiveSpan()?.spanContext().traceId);
        if (seen.length === 1) throw new Error("bob@example.com");
      };
      await work(q, handler);
      const tracer = trace.getTracer("test");
      const enqueuing = await tracer.startActiveSpan("enqueue", async (span) => {
        await jobs.enqueue(q, { id: "traced", data: {} }, { attempts: 2, backoffMs: 1 });
        span.end();
        return span.spanContext();
      });
      await until(() => spans.getFinishedSpans().filter(({ name }) => name === `job ${q}`).length === 2);
      expect(seen).toEqual([enqueuing.traceId, enqueuing.traceId]);
      const runs = spans.getFinishedSpans().filter(({ name }) => name === `job ${q}`);
      for (const run of runs) expect(run.parentSpanContext?.spanId).toBe(enqueuing.spanId);
      expect(runs.map(({ status }) => status.code)).toEqual([2, 0]);
      const recorded = JSON.stringify(runs.map(({ attributes, status, events }) => ({ attributes, status, events })));
      expect(recorded).not.toContain("bob@example.com");
    });

    test("without a trace to continue, the handler starts one", async () => {
      const q = queue();
      const seen: (string | undefined)[] = [];
      await work(q, async () => void seen.push(trace.getActiveSpan()?.spanContext().traceId));
      await jobs.enqueue(q, { id: "untraced", data: {} });
      await until(() => seen.length === 1);
      expect(seen[0]).toMatch(/^[0-9a-f]{32}$/);
    });

    if (subject.target !== null) {
      test("a job that was enqueued survives kill -9 of who enqueued it", async () => {
        const q = queue();
        const enqueuer = startFixture("jobs-enqueuer", { target: subject.target, queue: q });
        expect(await enqueuer.line()).toBe("enqueued");
        await enqueuer.kill();
        const handled: Job[] = [];
        await work(q, async (job) => void handled.push(job));
        await until(() => handled.length === 1);
        expect(handled).toEqual([{ id: "kept", data: { n: 1 } }]);
      });

      test("a job whose worker was killed with -9 is handled again", async () => {
        const q = queue();
        const killed = startFixture("jobs-worker", { target: subject.target, queue: q });
        await jobs.enqueue(q, { id: "interrupted", data: { n: 1 } }, { attempts: 2 });
        expect(await killed.line()).toBe("interrupted");
        await killed.kill();
        const handled: Job[] = [];
        await work(q, async (job) => void handled.push(job));
        await until(() => handled.length === 1);
        expect(handled).toEqual([{ id: "interrupted", data: { n: 1 } }]);
      });

      test("a job that kills its worker each time comes to an end", async () => {
        const q = queue();
        const killed = startFixture("jobs-worker", { target: subject.target, queue: q });
        await jobs.enqueue(q, { id: "deadly", data: {} }, { attempts: 1 });
        expect(await killed.line()).toBe("deadly");
        await killed.kill();
        let runs = 0;
        const exhausted: unknown[] = [];
        await work(
          q,
          async () => {
            runs += 1;
          },
          {
            onExhausted: (job, error) => exhausted.push([job.id, error.name]),
          },
        );
        await until(() => exhausted.length === 1);
        expect([runs, exhausted]).toEqual([0, [["deadly", "JobLostError"]]]);
      });
    }

    test("it answers a ping, and after close no more", async () => {
      const [replica] = await subject.open();
      await replica?.ping();
      await replica?.close();
      await replica?.close();
      await expect(replica?.ping()).rejects.toThrow();
    });
  });
}
