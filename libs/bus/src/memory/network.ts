import { AsyncLocalStorage } from "node:async_hooks";
import type { Bus } from "../port.ts";
import { isWild, matches } from "../subject.ts";
import { createNetworkBus } from "./bus.ts";
import type { Member, MemoryBusOptions, Observed, Wire } from "./wire.ts";
import { copyOf } from "./wire.ts";

/** One wire in one process; each service holds a handle of its own. */
export interface MemoryBusNetwork {
  connect(options: MemoryBusOptions): Bus;
  /** Sees a copy of every message when it is sent. @returns a function that stops it. */
  tap(observer: (observed: Observed) => void): () => void;
  /** Takes the wire away: requests that wait reject, subscriptions stay. */
  interrupt(): void;
  restore(): void;
}

export interface MemoryBusNetworkOptions {
  /** Deliveries that may wait at once; more are dropped and reported, requests refused. Default 65536. */
  readonly pendingMax?: number;
}

// Taken when the module loads, so that tests with fake timers do not stop the delivery.
const nextTurn: (callback: () => void) => unknown = setImmediate;

/**
 * The promises of the port within one process. Every receiver gets a copy of the payload, made when it was sent: neither a
 * sender that reuses its buffer nor a receiver that writes into its own disturbs anybody.
 */
export function memoryBusNetwork({ pendingMax = 65_536 }: MemoryBusNetworkOptions = {}): MemoryBusNetwork {
  const literals = new Map<string, Set<Member>>();
  const wilds = new Set<Member>();
  const taps = new Set<(observed: Observed) => void>();
  const watchers = new Set<(up: boolean) => void>();
  let up = true;
  let tasks: (() => void)[] = [];
  let scheduled = false;

  // Without this a handler would run in the trace context of whoever happened to send first in the turn before.
  const outside = AsyncLocalStorage.snapshot();
  const drain = () => {
    const batch = tasks;
    tasks = [];
    scheduled = false;
    for (const task of batch) task();
  };
  const later = (task: () => void) => {
    tasks.push(task);
    if (scheduled) return;
    scheduled = true;
    nextTurn(() => outside(drain));
  };

  const receiversOf = (subject: string): Member[] => {
    const plain: Member[] = [];
    const queues = new Map<string, Member[]>();
    const consider = (member: Member) => {
      if (member.queue === undefined) plain.push(member);
      else queues.set(member.queue, [...(queues.get(member.queue) ?? []), member]);
    };
    for (const member of literals.get(subject) ?? []) consider(member);
    for (const member of wilds) if (matches(member.pattern, subject)) consider(member);
    for (const group of queues.values()) {
      const [first] = group;
      const chosen = first === undefined ? undefined : group[first.turn++ % group.length];
      if (chosen !== undefined) plain.push(chosen);
    }
    return plain;
  };

  const setUp = (now: boolean) => {
    if (up === now) return;
    up = now;
    for (const watcher of [...watchers]) watcher(now);
  };

  const wire: Wire = {
    isUp: () => up,
    join(member) {
      if (isWild(member.pattern)) {
        wilds.add(member);
        return;
      }
      const members = literals.get(member.pattern) ?? new Set();
      literals.set(member.pattern, members.add(member));
    },
    leave(member) {
      wilds.delete(member);
      const members = literals.get(member.pattern);
      members?.delete(member);
      if (members?.size === 0) literals.delete(member.pattern);
    },
    send(subject, message, reply) {
      const receivers = receiversOf(subject);
      if (tasks.length + receivers.length > pendingMax) {
        for (const member of receivers) member.drop();
        return "full";
      }
      for (const member of receivers) member.deliver({ subject, ...copyOf(message) }, reply);
      return receivers.length;
    },
    later,
    observe(observed) {
      for (const tap of taps) tap({ ...observed, message: copyOf(observed.message) });
    },
    onChange(listener) {
      watchers.add(listener);
      return () => watchers.delete(listener);
    },
  };

  return {
    connect: (options) => createNetworkBus(wire, options),
    tap(observer) {
      taps.add(observer);
      return () => taps.delete(observer);
    },
    interrupt: () => setUp(false),
    restore: () => setUp(true),
  };
}

/** A bus of its own, for everything that runs in one process. */
export function createMemoryBus(options: MemoryBusOptions): Bus {
  return memoryBusNetwork().connect(options);
}
