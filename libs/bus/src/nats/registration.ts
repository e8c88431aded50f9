import type { Service, ServiceMsg } from "@nats-io/services";
import { Svcm } from "@nats-io/services";
import { checkMessage } from "../message.ts";
import type { Endpoint, ServiceDescription, ServiceRegistration, Subscription } from "../port.ts";
import { BusUnavailableError } from "../port.ts";
import { checkPattern } from "../subject.ts";
import { type BusErrorListener, createTaskSet, type TaskSet } from "../tasks.ts";
import type { Link } from "./link.ts";
import { fromNatsHeaders, toNatsHeaders } from "./wire-headers.ts";

interface Live {
  readonly endpoint: Endpoint;
  readonly tasks: TaskSet;
}

/** Whoever asks chooses where the answer goes. Only to inboxes: nobody makes a service speak on a subject of somebody else. */
const inboxRoot = "_INBOX";

async function answer(link: Link, { subject, handler }: Endpoint, request: ServiceMsg): Promise<void> {
  if (request.reply?.startsWith(inboxRoot) !== true) return;
  try {
    const headers = fromNatsHeaders(request.headers);
    const reply = await handler({ subject: request.subject, data: request.data, headers });
    checkMessage(subject, reply);
    // After a lost connection nobody waits for it any more, and nats.js would keep it for later.
    if (link.status() === "connected") request.respond(reply.data, toNatsHeaders(reply.headers));
  } catch (error) {
    if (link.status() === "connected") request.respondError(500, "failed");
    throw error;
  }
}

/**
 * A service of the NATS services framework, which operators list with `nats service ls`. The framework ends the whole service
 * with any of its subscriptions; one endpoint is therefore taken away by starting the service anew without it, and only then
 * stopping the old one, so that the others never pause.
 */
export async function registerNatsService(
  link: Link,
  description: ServiceDescription,
  onError: BusErrorListener,
): Promise<ServiceRegistration> {
  const services = new Svcm(link.connection);
  const live = new Set<Live>();
  let closed = false;

  const attach = (service: Service, { endpoint, tasks }: Live) => {
    service.addEndpoint(endpoint.name, {
      subject: endpoint.subject,
      queue: endpoint.queue,
      handler: (error, request) => {
        if (error) onError(error, endpoint.subject);
        else tasks.run(() => answer(link, endpoint, request));
      },
    });
  };
  const start = async () => {
    const service = await services.add({ ...description });
    for (const each of live) attach(service, each);
    return service;
  };
  let current = await start();

  // One change at a time: each replaces `current`.
  let queue: Promise<void> = Promise.resolve();
  const inTurn = (change: () => Promise<void>): Promise<void> => {
    const done = queue.then(change);
    queue = done.catch(() => undefined);
    return done;
  };

  const restart = async () => {
    const old = current;
    current = await start();
    // Before the server knows the new one, a question that it was about to hand to the old one would be handed to nobody.
    await link.confirm(description.name).catch(() => undefined);
    await old.stop();
  };
  const confirmed = async (subject: string) => {
    await link.confirm(subject);
    if (current.isStopped) throw new BusUnavailableError(subject, "refused");
  };
  const remove = async (each: Live) => {
    await inTurn(async () => {
      if (live.delete(each) && !closed && link.status() !== "closed") await restart();
    });
    await each.tasks.idle();
  };

  const stop = async () => {
    closed = true;
    const ending = [...live];
    live.clear();
    await current.stop();
    await Promise.all(ending.map(({ tasks }) => tasks.idle()));
  };

  try {
    await confirmed(description.name);
  } catch (error) {
    await current.stop();
    throw error;
  }
  return {
    async add(endpoint): Promise<Subscription> {
      checkPattern(endpoint.subject);
      const added: Live = { endpoint, tasks: createTaskSet(endpoint.subject, onError) };
      await inTurn(async () => {
        link.assertUsable(endpoint.subject, "listen");
        if (closed) throw new BusUnavailableError(endpoint.subject, "closed");
        live.add(added);
        attach(current, added);
        try {
          await confirmed(endpoint.subject);
        } catch (error) {
          live.delete(added);
          if (link.status() !== "closed") await restart();
          throw error;
        }
      });
      return { close: () => remove(added) };
    },
    close: () => inTurn(stop),
  };
}
