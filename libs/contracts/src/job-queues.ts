import { z } from "zod";
import type { ServiceName } from "./contract.ts";
import { id } from "./fields.ts";

/** Work that `identity` leaves for `notify`. The job names the mail; nobody who reads the queue learns an address or a token. */
export const mailQueue = Object.freeze({
  name: "mail",
  producers: ["identity"] satisfies ServiceName[],
  consumers: ["notify"] satisfies ServiceName[],
  data: z.strictObject({ mailId: id }),
});

/**
 * Work that `factors` leaves for `notify`: a message of a wait that is to go out. `sending` tells one message from the next. A queue for each
 * channel: a provider that stands still holds up nobody's mail.
 */
export const waitQueue = Object.freeze({
  names: { email: "wait-emails", sms: "wait-texts", call: "wait-calls", webhook: "wait-webhooks" },
  producers: ["factors"] satisfies ServiceName[],
  consumers: ["notify"] satisfies ServiceName[],
  data: z.strictObject({ waitId: id, sending: id }),
});

/** A wait has changed, and its handshake is to be told: in case whoever noticed did not live to say so. */
export const wakeQueue = Object.freeze({
  name: "wakes",
  producers: ["factors"] satisfies ServiceName[],
  consumers: ["notify"] satisfies ServiceName[],
  data: z.strictObject({ waitId: id }),
});

/** An alert that `identity` has kept and an owner's webhook is to hear of. A queue of its own: a receiver that is dead holds up nobody's handshake. */
export const alertQueue = Object.freeze({
  name: "alerts",
  producers: ["identity"] satisfies ServiceName[],
  consumers: ["notify"] satisfies ServiceName[],
  data: z.strictObject({ alertId: id }),
});
