import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { type Envelope, readEnvelope } from "../envelope.ts";
import { failedKeptMax, failedKeptMs } from "../limits.ts";
import type { EnqueueOptions, Job } from "../port.ts";
import type { TraceCarrier } from "../trace.ts";

/** A job that this process may run until the lease ends. */
export interface Claimed {
  readonly queue: string;
  readonly job: Job;
  readonly trace: TraceCarrier;
  /** 1 for the first run. More than `attempts` when the process of the last run died. */
  readonly run: number;
  readonly attempts: number;
  readonly backoffMs: number;
  readonly lease: string;
}

/** The queue on disk. Every method is one atomic step; those that name a lease do nothing when it has gone to another. */
export interface Store {
  add(queue: string, id: string, envelope: Envelope, options: Required<EnqueueOptions>): void;
  remove(queue: string, id: string): boolean;
  claim(queue: string): Claimed | null;
  /** Keeps every lease that this process holds and has not lost. */
  renewHeld(): void;
  /** The run is over, whatever became of it. */
  letGo(claimed: Claimed): void;
  complete(claimed: Claimed): void;
  retry(claimed: Claimed, delayMs: number): void;
  /** @returns whether it was still ours to fail. */
  fail(claimed: Claimed, error: string): boolean;
  /** Epoch milliseconds at which the next job of the queue may start; null when none waits. */
  nextAtMs(queue: string): number | null;
}

const schema = `
  CREATE TABLE IF NOT EXISTS _jobs (
    queue TEXT NOT NULL, id TEXT NOT NULL, envelope TEXT NOT NULL,
    run_at_ms INTEGER NOT NULL, runs INTEGER NOT NULL, attempts INTEGER NOT NULL, backoff_ms INTEGER NOT NULL,
    lease TEXT, lease_until_ms INTEGER NOT NULL DEFAULT 0,
    failed_at_ms INTEGER, error TEXT,
    PRIMARY KEY (queue, id)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS _jobs_due ON _jobs (queue, run_at_ms) WHERE failed_at_ms IS NULL;
  CREATE INDEX IF NOT EXISTS _jobs_failed ON _jobs (failed_at_ms) WHERE failed_at_ms IS NOT NULL;
`;

export function openStore(database: DatabaseSync, clock: () => number, leaseMs: number): Store {
  database.exec(schema);
  const add = database.prepare(`
    INSERT INTO _jobs (queue, id, envelope, run_at_ms, runs, attempts, backoff_ms) VALUES (?, ?, ?, ?, 0, ?, ?)
    ON CONFLICT (queue, id) DO NOTHING`);
  const remove = database.prepare(`
    DELETE FROM _jobs WHERE queue = ? AND id = ? AND failed_at_ms IS NULL AND lease_until_ms <= ?`);
  const claim = database.prepare(`
    UPDATE _jobs SET lease = $lease, lease_until_ms = $now + $leaseMs, runs = runs + 1
    WHERE queue = $queue AND id = (
      SELECT id FROM _jobs
      WHERE queue = $queue AND failed_at_ms IS NULL AND run_at_ms <= $now AND lease_until_ms <= $now
      ORDER BY run_at_ms LIMIT 1)
    RETURNING id, envelope, runs, attempts, backoff_ms`);
  const renew = database.prepare("UPDATE _jobs SET lease_until_ms = ? WHERE queue = ? AND id = ? AND lease = ?");
  const complete = database.prepare("DELETE FROM _jobs WHERE queue = ? AND id = ? AND lease = ?");
  const retry = database.prepare(`
    UPDATE _jobs SET lease = NULL, lease_until_ms = 0, run_at_ms = ? WHERE queue = ? AND id = ? AND lease = ?`);
  const fail = database.prepare(`
    UPDATE _jobs SET lease = NULL, lease_until_ms = 0, failed_at_ms = ?, error = ? WHERE queue = ? AND id = ? AND lease = ?`);
  const prune = database.prepare(`
    DELETE FROM _jobs WHERE failed_at_ms <= max($before, coalesce(
      (SELECT failed_at_ms FROM _jobs WHERE failed_at_ms IS NOT NULL ORDER BY failed_at_ms DESC LIMIT 1 OFFSET $kept), 0))`);
  const next = database.prepare(`
    SELECT min(max(run_at_ms, lease_until_ms)) AS at FROM _jobs WHERE queue = ? AND failed_at_ms IS NULL`);

  const held = new Set<Claimed>();
  let renewedAtMs = clock();
  const renewHeld = () => {
    renewedAtMs = clock();
    for (const { queue, job, lease } of held) renew.run(renewedAtMs + leaseMs, queue, job.id, lease);
  };

  return {
    add(queue, id, envelope, { delayMs, attempts, backoffMs }) {
      add.run(queue, id, JSON.stringify(envelope), clock() + delayMs, attempts, backoffMs);
    },
    remove: (queue, id) => remove.run(queue, id, clock()).changes !== 0,
    claim(queue) {
      // A process that was held up for longer than its leases must not take its own running jobs for those of a dead one.
      if (clock() - renewedAtMs >= leaseMs / 3) renewHeld();
      const lease = randomUUID();
      // `all` and not `get`: the statement must run to its end to be committed.
      const row = claim.all({ $queue: queue, $now: clock(), $leaseMs: leaseMs, $lease: lease })[0];
      if (!row) return null;
      const envelope = readEnvelope(JSON.parse(String(row.envelope)));
      const claimed: Claimed = {
        queue,
        job: { id: String(row.id), data: envelope.d },
        trace: envelope.t,
        run: Number(row.runs),
        attempts: Number(row.attempts),
        backoffMs: Number(row.backoff_ms),
        lease,
      };
      held.add(claimed);
      return claimed;
    },
    renewHeld,
    letGo: (claimed) => void held.delete(claimed),
    complete: ({ queue, job, lease }) => void complete.run(queue, job.id, lease),
    retry: ({ queue, job, lease }, delayMs) => void retry.run(clock() + delayMs, queue, job.id, lease),
    fail({ queue, job, lease }, error) {
      if (fail.run(clock(), error, queue, job.id, lease).changes === 0) return false;
      prune.run({ $before: clock() - failedKeptMs, $kept: failedKeptMax });
      return true;
    },
    nextAtMs(queue) {
      const at = next.get(queue)?.at;
      return typeof at === "number" ? at : null;
    },
  };
}
