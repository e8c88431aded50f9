import { createHmac } from "node:crypto";
import { type MessageUp, ProtocolError } from "@portcullis/protocol";
import type { LiveSessions } from "../sessions/live-sessions.ts";
import { type Deliveries, type Delivery, undeliveredMax } from "./deliveries.ts";
import type { DeliveryMeter } from "./delivery-meter.ts";
import type { Order } from "./order.ts";
import type { Pool } from "./pool.ts";
import type { Receiver, Receivers } from "./receivers.ts";

export interface DirectedContext {
  readonly live: LiveSessions;
  readonly order: Order;
  readonly receivers: Receivers;
  readonly pool: Pool;
  readonly deliveries: Deliveries;
  readonly meter: DeliveryMeter;
  /** 32 bytes, the same on all replicas. */
  readonly nameKey: Uint8Array;
}

/** `over`: the sender was put out meanwhile. */
export type Directed = "delivered" | "undelivered" | "over";

/** Consumers that are asked for one message: who finds none of them there is told so, and soon. */
const handsMax = 8;

/**
 * A message for one session: the one that it names, or, where it names none, one consumer of the socket. It has no place in what is said
 * to everybody, but is taken in the order of its sender like any other.
 *
 * @param to null: whichever consumer
 * @throws {ProtocolError} out-of-order
 */
export async function takeDirected(
  context: DirectedContext,
  from: Receiver,
  { counter, head: { class: kind }, body }: MessageUp,
  to: string | null,
  ttlMs: number,
): Promise<Directed> {
  const { sid, session } = from;
  const { socketId } = session;
  const taken = await context.order.place({ socketId, sid, counter, body, isForOne: true }, ttlMs, null);
  if (taken.is === "gap") throw new ProtocolError("out-of-order", "message.counter");
  // The answer to it may have been lost: whether somebody got it is said again.
  if (taken.is === "stale") return outcomeOf(await context.deliveries.of(sid), counter);
  // Placed before the sender was put out, or not at all.
  if (!(await context.live.is(sid))) return "over";
  return outcomeOf(await deliver(context, from, { counter, kind, body }, to, ttlMs), counter);
}

async function deliver(
  context: DirectedContext,
  from: Receiver,
  { counter, kind, body }: Pick<MessageUp, "counter" | "body"> & { readonly kind: string | undefined },
  to: string | null,
  ttlMs: number,
): Promise<Delivery> {
  const { deliveries, receivers, meter } = context;
  const { sid, session } = from;
  const { member } = session;
  const tried = new Set<string>();
  const settle = (isDelivered: boolean) => {
    meter.settled(to === null ? "consumer" : "session", isDelivered);
    return deliveries.settle(sid, counter, isDelivered, ttlMs);
  };
  for (let hands = 0; hands < handsMax; hands += 1) {
    const delivery = await deliveries.of(sid);
    // Another replica was asked the same.
    if (delivery.settled >= counter) return delivery;
    const receiver =
      to === null ? await chooseFor(context, from, delivery.consumer, tried, ttlMs) : await named(context, from, to);
    if (receiver === null) return settle(false);
    const msgid = nameOf(context.nameKey, sid, counter);
    const head = {
      sid,
      msgid,
      to: receiver.sid,
      ...(member === null ? {} : { member }),
      ...(kind === undefined ? {} : { class: kind }),
    };
    if (await receivers.say(receiver, { sequence: counter, head, body })) return settle(true);
    if (to !== null) return settle(false);
    tried.add(receiver.sid);
  }
  return settle(false);
}

/** The one that has heard this sender before, as long as it is there: so it hears everything in order. */
async function chooseFor(
  { receivers, pool, deliveries }: DirectedContext,
  { sid, session: { socketId } }: Receiver,
  before: string | null,
  tried: ReadonlySet<string>,
  ttlMs: number,
): Promise<Receiver | null> {
  if (before !== null && !tried.has(before)) {
    const kept = await receivers.find(socketId, before);
    if (kept !== null) return kept;
  }
  const next = await pool.next(socketId, tried);
  if (next === null) return null;
  const { consumer } = await deliveries.choose(sid, before, next.sid, ttlMs);
  // Who was faster has chosen for both of us.
  return consumer === null || consumer === next.sid ? next : receivers.find(socketId, consumer);
}

async function named({ receivers }: DirectedContext, { sid, session }: Receiver, to: string): Promise<Receiver | null> {
  return to === sid ? null : receivers.find(session.socketId, to);
}

/** The same for the same message, on whichever replica: what comes twice is dropped by who has had it. */
function nameOf(key: Uint8Array, sid: string, counter: number): string {
  return createHmac("sha256", key).update(`${sid} ${counter}`).digest("base64url").slice(0, 22);
}

/** Of what is so long ago that it is not known any more nothing is promised. */
function outcomeOf({ undelivered, settled }: Delivery, counter: number): Directed {
  const [oldest = 0] = undelivered;
  const isForgotten = undelivered.length >= undeliveredMax && counter < oldest;
  return counter > settled || isForgotten || undelivered.includes(counter) ? "undelivered" : "delivered";
}
