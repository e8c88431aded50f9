import { type AlertAbout, type AlertKind, alertQueue, ServiceError } from "@portcullis/contracts";
import { DuplicateError, type Stored } from "@portcullis/documents";
import type { Jobs } from "@portcullis/jobs";
import type { Clock, Ids, Logger } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import type { Mails } from "../accounts/mail.ts";
import type { AccountStore } from "../accounts/store.ts";
import type { Audit } from "../audit/audit.ts";
import type { Socket, SocketStore } from "../sockets/store.ts";
import { alertId, type StoredAlert } from "./store.ts";
import { summed } from "./summed.ts";

export type { AlertKind } from "@portcullis/contracts";

export interface Alert {
  readonly kind: AlertKind;
  readonly socketId: string;
  /** Ids and counts by name, for the owner. No secret, no address. */
  readonly about: Readonly<AlertAbout>;
}

export interface Alerts {
  /** Never rejects: it is for the owner, and nobody waits for it. */
  raise(alert: Alert): Promise<void>;
}

/** Anybody who gets as far as a handshake can bring one about: a mailbox is not for them to fill. What repeats within it is added up. */
const everyMs = 3_600_000;
/** Of each kind. Where somebody found many canaries at once, the first few say it; and whoever has members locked out keeps none of the others back by that. */
const toldPerHourMax = 20;
const keptMs = 90 * 24 * everyMs;
/** Of one socket. With canaries of its own each hour it takes whoever has them a day and more to push out what was before. */
const perSocketMax = 500;
/** Ten hours and more: a receiver may be down for a night. */
const attempts = 12;
const backoffMs = 20_000;
const triesMax = 20;

export interface AlertsContext {
  readonly store: Pick<SocketStore, "sockets" | "alerts">;
  readonly owners: AccountStore["owners"];
  readonly mails: Pick<Mails, "send">;
  readonly audit: Audit;
  readonly state: State;
  readonly jobs: Pick<Jobs, "enqueue">;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Pick<Logger, "warn">;
}

export function createAlerts(context: AlertsContext): Alerts {
  const { store, owners, mails, audit, state, jobs, clock, ids, log } = context;

  /** Adds to the alert that stands for this hour, or makes it and tells the owner. */
  async function record(alert: Alert, count: number): Promise<void> {
    const { kind, socketId, about } = alert;
    const socket = await store.sockets.get(socketId);
    if (socket === null || socket.body.goneAtMs !== null) return;
    const now = clock();
    const id = await standing(`identity:alert:${nameOf(alert)}`, alertId(now, ids.id()));
    if (await addTo(id, now, count)) return;
    const body: StoredAlert = { socketId, kind, about, atMs: now, lastAtMs: now, count, expiresAtMs: now + keptMs };
    try {
      await store.alerts.insert(id, body);
    } catch (error) {
      if (!(error instanceof DuplicateError)) throw error;
      // Another replica was as fast, and tells the owner.
      await addTo(id, now, count);
      return;
    }
    void audit.note(socketId, { event: "alerted", cause: kind, about });
    await makeRoom(socketId);
    await tell(id, kind, socket);
  }

  /** @returns the id of the alert that counts for the hour which began with it. Should `state` forget it, another one begins. */
  async function standing(key: string, fresh: string): Promise<string> {
    if ((await state.create(key, Buffer.from(fresh), everyMs)) !== null) return fresh;
    const found = await state.get(key);
    return found === null ? fresh : Buffer.from(found.value).toString();
  }

  /** @returns whether it is there */
  async function addTo(id: string, now: number, count: number): Promise<boolean> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const found = await store.alerts.get(id);
      if (found === null) return false;
      const { version, body } = found;
      const sum = { ...body, count: body.count + count, lastAtMs: Math.max(body.lastAtMs, now) };
      // Of each replica there is one writer at a time.
      if ((await store.alerts.replace(id, version, sum)) !== null) return true;
    }
    throw new ServiceError("conflict");
  }

  async function makeRoom(socketId: string): Promise<void> {
    const excess = (await store.alerts.count({ socketId })) - perSocketMax;
    if (excess <= 0) return;
    const sort = { field: "atMs", direction: "ascending" } as const;
    for (const { id } of await store.alerts.find({ socketId }, { sort, limit: Math.min(excess, perSocketMax) }))
      await store.alerts.delete(id);
  }

  async function tell(id: string, kind: AlertKind, socket: Stored<Socket>): Promise<void> {
    const { mail, webhook, kinds } = socket.body.alerts;
    if (kinds !== null && !kinds.includes(kind)) return;
    if ((await state.add(`identity:alerts-told:${socket.id}:${kind}`, 1, everyMs)) > toldPerHourMax) return;
    if (webhook !== null)
      await jobs.enqueue(alertQueue.name, { id: `alert_${id}`, data: { alertId: id } }, { attempts, backoffMs });
    const owner = mail ? await owners.get(socket.body.ownerId) : null;
    // An address that nobody has confirmed may be somebody else's.
    if (owner !== null && owner.body.emailVerifiedAtMs !== null) await mails.send(owner, kind, socket.body.label);
  }

  const add = summed(nameOf, record);
  return {
    async raise(alert) {
      const { kind, socketId, about } = alert;
      log.warn("alert", { kind, socket: socketId, ...about });
      try {
        await add(alert);
      } catch (error) {
        log.warn("an owner could not be alerted", { kind, socket: socketId }, error);
      }
    },
  };
}

/**
 * What is one and the same when it comes again. Each canary is an alert of its own, and each member who is locked out: which of them it is, is what the
 * owner wants to know.
 */
function nameOf({ kind, socketId, about }: Alert): string {
  const ofMember = kind === "canary-member" || kind === "lockout";
  const whom = kind === "canary-key" ? about.key : ofMember ? about.member : undefined;
  return `${kind}:${socketId}:${whom ?? ""}`;
}
