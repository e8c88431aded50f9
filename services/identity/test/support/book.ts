import { type AuditEvent, listAudit } from "@portcullis/contracts";
import type { World } from "./world.ts";

/** What the book of a socket says, the oldest first. */
export async function bookOf(
  world: World,
  mine: { readonly ownerId: string; readonly socketId: string },
  event: AuditEvent | null = null,
) {
  const asked = { ...mine, after: null, limit: 200, order: "oldest" as const, event };
  return (await world.api.call(listAudit, asked)).entries;
}
