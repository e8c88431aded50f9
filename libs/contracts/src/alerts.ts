/** What an owner is told of their sockets without having asked: kept for them, mailed, and posted to a webhook of theirs. */
import { z } from "zod";
import { request } from "./contract.ts";
import { epochMs, id, text } from "./fields.ts";
import { outgoingWebhook } from "./webhooks.ts";

export const alertKinds = [
  /** Nothing of a member's, or of a key's from a network, is looked at for a while. */
  "lockout",
  /** Somebody came with a key that the owner has planted somewhere. */
  "canary-key",
  /** Likewise, as a member who is nobody. */
  "canary-member",
  /** Somebody was let into a decoy. */
  "decoy",
  /** Somebody was shown a server that they did not recognise. */
  "not-recognised",
  /** One network fails again and again. */
  "guessing",
  /** Far more is refused than usually. */
  "declines",
] as const;
export const alertKind = z.enum(alertKinds);
export type AlertKind = z.infer<typeof alertKind>;

/** Ids and counts by name. No secret, no address, nobody's name. */
export const alertAbout = z
  .record(z.string().regex(/^[a-z][A-Za-z]{0,31}$/), z.union([text(128), z.number().nonnegative()]))
  .refine((about) => Object.keys(about).length <= 16, "too many");
export type AlertAbout = z.infer<typeof alertAbout>;

export const alertSettings = z.strictObject({
  /** To the owner's confirmed address. */
  mail: z.boolean(),
  /** One of the socket's webhooks; null: none. */
  webhook: id.nullable(),
  /** Of which to tell; all of them are kept. Null: of every kind. */
  kinds: z.array(alertKind).max(alertKinds.length).nullable(),
});
export type AlertSettings = z.infer<typeof alertSettings>;

export const alertView = z.strictObject({
  id,
  kind: alertKind,
  about: alertAbout,
  /** What the owner calls the key that it names, and the member; null: it names none, or none that is still there. */
  keyLabel: text(64).nullable(),
  member: text(128).nullable(),
  atMs: epochMs,
  /** The last of those that were summed up in it. */
  lastAtMs: epochMs,
  count: z.number().int().positive(),
});
export type AlertView = z.infer<typeof alertView>;

const fromApi = { server: "identity", callers: ["api"] } as const;
const mine = { ownerId: id, socketId: id };

/** The latest first. */
export const listAlerts = request({
  ...fromApi,
  name: "identity.sockets.alerts.list",
  request: z.strictObject({ ...mine, after: id.nullable(), limit: z.number().int().min(1).max(200) }),
  reply: z.strictObject({ alerts: z.array(alertView).max(200), next: id.nullable() }),
  idempotency: "reads only",
  replay: "harmless",
});
export const readAlertSettings = request({
  ...fromApi,
  name: "identity.sockets.alerts.read-settings",
  request: z.strictObject(mine),
  reply: alertSettings,
  idempotency: "reads only",
  replay: "harmless",
});
export const setAlertSettings = request({
  ...fromApi,
  name: "identity.sockets.alerts.set-settings",
  request: z.strictObject({ ...mine, settings: alertSettings }),
  reply: alertSettings,
  idempotency: "replaces them as a whole; the last write stands",
});

const message = z.strictObject({ message: outgoingWebhook.nullable() });

export const composeAlert = request({
  name: "identity.alerts.compose",
  server: "identity",
  callers: ["notify"],
  request: z.strictObject({ alertId: id }),
  /** null: there is nothing to send any more. */
  reply: message,
  idempotency: "reads only; the same alert has the same webhook-id",
  replay: "harmless",
});

/** `factors` has address and secret of the webhook, and signs. */
export const signAlert = request({
  name: "factors.webhooks.sign-alert",
  server: "factors",
  callers: ["identity"],
  request: z.strictObject({
    alertId: id,
    socketId: id,
    webhookId: id,
    kind: alertKind,
    label: text(63),
    about: alertAbout,
    atMs: epochMs,
  }),
  /** null: there is no such webhook. */
  reply: message,
  idempotency: "reads only; the same alert has the same webhook-id",
  replay: "harmless",
});
