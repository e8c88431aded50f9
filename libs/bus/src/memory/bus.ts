import { checkMessage } from "../message.ts";
import type {
  Bus,
  BusStatus,
  BusUnavailableReason,
  Delivered,
  Endpoint,
  Message,
  ServiceRegistration,
  Subscription,
} from "../port.ts";
import { BusUnavailableError } from "../port.ts";
import { checkPattern, checkSubject } from "../subject.ts";
import { createTaskSet } from "../tasks.ts";
import type { Member, MemoryBusOptions, Reply, Wire } from "./wire.ts";
import { copyOf } from "./wire.ts";

/** Handles one delivery; the reply is there when it was a request. */
type Receiver = (delivered: Delivered, reply: Reply | undefined) => void | Promise<void>;

/** One service's handle on a memory network. */
export function createNetworkBus(wire: Wire, { onError, name = "bus" }: MemoryBusOptions): Bus {
  let closing: Promise<void> | undefined;
  let closed = false;
  const subscriptions = new Set<Subscription>();
  const pending = new Set<(reason: BusUnavailableReason) => void>();
  const listeners = new Set<(status: BusStatus) => void>();

  const status = (): BusStatus => (closed ? "closed" : wire.isUp() ? "connected" : "disconnected");
  const announce = () => {
    for (const listener of [...listeners]) listener(status());
  };
  const failPending = (reason: BusUnavailableReason) => {
    for (const fail of [...pending]) fail(reason);
  };
  const assertUsable = (subject: string) => {
    const now = status();
    if (now !== "connected") throw new BusUnavailableError(subject, now);
  };
  const assertOpen = (subject: string) => {
    if (closing !== undefined) throw new BusUnavailableError(subject, "closed");
    assertUsable(subject);
  };
  const stopWatching = wire.onChange((up) => {
    if (!up) failPending("disconnected");
    announce();
  });

  const listen = (pattern: string, queue: string | undefined, receiver: Receiver): Subscription => {
    checkPattern(pattern);
    const tasks = createTaskSet(pattern, onError);
    const member: Member = {
      pattern,
      queue,
      turn: 0,
      deliver(delivered, reply) {
        const release = tasks.hold();
        wire.later(() => {
          tasks.run(() => receiver(delivered, reply));
          release();
        });
      },
      drop: () => onError(new Error("too many messages wait: one was dropped"), pattern),
    };
    wire.join(member);
    const subscription: Subscription = {
      close() {
        subscriptions.delete(subscription);
        wire.leave(member);
        return tasks.idle();
      },
    };
    subscriptions.add(subscription);
    return subscription;
  };

  const serve = ({ subject, queue, handler }: Endpoint): Subscription =>
    listen(subject, queue, async (delivered, reply) => {
      try {
        const answer = await handler(delivered);
        checkMessage(subject, answer);
        if (reply !== undefined) {
          wire.observe({ kind: "reply", from: name, subject: delivered.subject, message: answer });
          reply(answer, name);
        }
      } catch (error) {
        reply?.("failed", name);
        throw error;
      }
    });

  const shut = async () => {
    await Promise.all([...subscriptions].map((subscription) => subscription.close()));
    closed = true;
    stopWatching();
    failPending("closed");
    announce();
  };

  return {
    async request(subject, message, { timeoutMs }) {
      checkSubject(subject);
      assertUsable(subject);
      checkMessage(subject, message);
      wire.observe({ kind: "request", from: name, subject, message });
      return new Promise<Message>((resolve, reject) => {
        const settle = () => {
          clearTimeout(timer);
          return pending.delete(fail);
        };
        const fail = (reason: BusUnavailableReason) => {
          if (settle()) reject(new BusUnavailableError(subject, reason));
        };
        const timer = setTimeout(() => fail("timeout"), timeoutMs);
        pending.add(fail);
        const sent = wire.send(subject, message, (answer) => {
          const own = answer === "failed" ? answer : copyOf(answer);
          wire.later(() => {
            if (own === "failed") fail("refused");
            else if (settle()) resolve(own);
          });
        });
        if (sent === 0) fail("no-responders");
        if (sent === "full") fail("refused");
      });
    },
    publish(subject, message) {
      checkSubject(subject);
      assertUsable(subject);
      checkMessage(subject, message);
      wire.observe({ kind: "publish", from: name, subject, message });
      wire.send(subject, message, undefined);
    },
    async subscribe(subject, handler, options) {
      assertOpen(subject);
      return listen(subject, options?.queue, (delivered) => handler(delivered));
    },
    async register(description) {
      assertOpen(description.name);
      const own = new Set<Subscription>();
      const registration: ServiceRegistration = {
        async add(endpoint) {
          assertOpen(endpoint.subject);
          const subscription = serve(endpoint);
          own.add(subscription);
          return {
            close() {
              own.delete(subscription);
              return subscription.close();
            },
          };
        },
        async close() {
          await Promise.all([...own].map((subscription) => subscription.close()));
          own.clear();
        },
      };
      return registration;
    },
    status,
    onStatus(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async ping() {
      assertUsable("ping");
    },
    close() {
      closing ??= shut();
      return closing;
    },
  };
}
