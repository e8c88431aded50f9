/** What failing has brought about on a socket, for its owner to see and to end. */
import { z } from "zod";
import { request } from "./contract.ts";
import { empty, epochMs, gateName, id, text } from "./fields.ts";

const fromApi = { server: "identity", callers: ["api"] } as const;
const mine = { ownerId: id, socketId: id };

export const holdView = z.strictObject({
  id,
  /** Null: a key from a network; everything of it is held. */
  member: text(128).nullable(),
  gate: gateName.nullable(),
  /** Null: of a member from everywhere where they never came in, or of those who have no key. */
  keyId: id.nullable(),
  /** Tells networks apart, and does not say which. */
  network: text(16).nullable(),
  kind: z.enum(["delay", "lockout"]),
  untilMs: epochMs,
});
export type HoldView = z.infer<typeof holdView>;

export const listHolds = request({
  ...fromApi,
  name: "identity.sockets.holds.list",
  request: z.strictObject({ ...mine, after: id.nullable(), limit: z.number().int().min(1).max(200) }),
  reply: z.strictObject({ holds: z.array(holdView), next: id.nullable() }),
  idempotency: "reads only",
  replay: "harmless",
});
export const releaseHold = request({
  ...fromApi,
  name: "identity.sockets.holds.release",
  request: z.strictObject({ ...mine, holdId: id }),
  reply: empty,
  idempotency: "releasing twice is not_found",
});
