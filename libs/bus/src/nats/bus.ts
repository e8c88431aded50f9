import type { Msg } from "@nats-io/nats-core";
import { checkMessage } from "../message.ts";
import type { Bus, ServiceRegistration, Subscription } from "../port.ts";
import { BusUnavailableError } from "../port.ts";
import { checkPattern, checkSubject } from "../subject.ts";
import { type BusErrorListener, createTaskSet } from "../tasks.ts";
import { unavailable } from "./failures.ts";
import type { Link } from "./link.ts";
import { registerNatsService } from "./registration.ts";
import { fromNatsHeaders, toNatsHeaders } from "./wire-headers.ts";

// nats.js reads the payload only when it flushes, later in the same turn: a sender may have reused its buffer by then.
const copy = (data: Uint8Array) => new Uint8Array(data);

export function createNatsBus(link: Link, onError: BusErrorListener): Bus {
  const { connection } = link;
  const subscriptions = new Set<Subscription>();
  const registrations = new Set<ServiceRegistration>();
  let closing: Promise<void> | undefined;

  const shut = async () => {
    link.startClosing();
    // Without a server there is nothing to drain, and nats.js would wait for it.
    if (link.status() !== "connected") await connection.close();
    await Promise.all([...subscriptions, ...registrations].map((each) => each.close()));
    // Only that the last answers have left; if the server goes meanwhile there is nobody to tell.
    if (link.status() === "connected") await link.confirm("close").catch(() => undefined);
    if (!connection.isClosed()) await connection.close();
  };

  return {
    async request(subject, message, { timeoutMs }) {
      checkSubject(subject);
      link.assertUsable(subject, "send");
      checkMessage(subject, message);
      const options = { timeout: timeoutMs, ...toNatsHeaders(message.headers) };
      const reply = await link.whileConnected(subject, connection.request(subject, copy(message.data), options));
      const headers = fromNatsHeaders(reply.headers);
      // Written by the services framework when the handler failed.
      if (headers["nats-service-error-code"] !== undefined) throw new BusUnavailableError(subject, "refused");
      return { data: reply.data, headers };
    },

    publish(subject, message) {
      checkSubject(subject);
      link.assertUsable(subject, "send");
      checkMessage(subject, message);
      try {
        connection.publish(subject, copy(message.data), toNatsHeaders(message.headers));
      } catch (error) {
        throw unavailable(subject, error);
      }
    },

    async subscribe(subject, handler, options) {
      checkPattern(subject);
      link.assertUsable(subject, "listen");
      const tasks = createTaskSet(subject, onError);
      let refusal: Error | undefined;
      const subscription = connection.subscribe(subject, {
        ...(options?.queue === undefined ? {} : { queue: options.queue }),
        callback: (error: Error | null, message: Msg) => {
          if (error) refusal = error;
          else {
            const headers = fromNatsHeaders(message.headers);
            tasks.run(() => handler({ subject: message.subject, data: message.data, headers }));
          }
        },
      });
      try {
        await link.confirm(subject);
      } catch (error) {
        subscription.unsubscribe();
        throw error;
      }
      if (refusal !== undefined) throw unavailable(subject, refusal);
      const own: Subscription = {
        async close() {
          subscriptions.delete(own);
          // It may be closed already: by the server's refusal after a reconnect, or with the connection.
          if (!subscription.isClosed() && !connection.isClosed()) {
            if (link.status() === "connected") await subscription.drain();
            else subscription.unsubscribe();
          }
          await tasks.idle();
        },
      };
      subscriptions.add(own);
      return own;
    },

    async register(description) {
      link.assertUsable(description.name, "listen");
      const registration = await registerNatsService(link, description, onError);
      const own: ServiceRegistration = {
        add: registration.add,
        async close() {
          registrations.delete(own);
          await registration.close();
        },
      };
      registrations.add(own);
      return own;
    },

    status: link.status,
    onStatus: link.onStatus,

    async ping() {
      link.assertUsable("ping", "send");
      await link.confirm("ping");
    },

    close() {
      closing ??= shut();
      return closing;
    },
  };
}
