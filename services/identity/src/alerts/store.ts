import { alertAbout, alertKind } from "@portcullis/contracts";
import type { Collection, Documents } from "@portcullis/documents";
import { z } from "zod";

const epochMs = z.number().int().nonnegative();

/** Ids only, like the book of the socket: what they stand for is looked up when somebody reads it. */
const alert = z.strictObject({
  socketId: z.string(),
  kind: alertKind,
  about: alertAbout,
  atMs: epochMs,
  lastAtMs: epochMs,
  /** How often within the hour that it stands for. */
  count: z.number().int().positive(),
  expiresAtMs: epochMs,
});
export type StoredAlert = z.infer<typeof alert>;
export type AlertCollection = Collection<StoredAlert>;

export function openAlerts(documents: Documents): Promise<AlertCollection> {
  return documents.collection({
    name: "identity_alerts",
    schema: alert,
    indexes: [{ fields: ["socketId", "atMs"] }],
    expiresAtField: "expiresAtMs",
  });
}

const lastMs = 9_999_999_999_999;

/** Pages go by id, upwards: so that the latest come first, it begins with the time that is left until 2286. */
export function alertId(atMs: number, unique: string): string {
  return `${String(lastMs - atMs).padStart(13, "0")}-${unique}`;
}
