import type { Caller, Server } from "@portcullis/bus";
import { exportAudit, keepAudit, listAudit, verifyAudit } from "@portcullis/contracts";
import type { Clock } from "@portcullis/runtime";
import { requireSocket } from "../sockets/context.ts";
import type { Audit } from "./audit.ts";
import { exportPage } from "./export.ts";
import type { Heads } from "./head.ts";
import type { Marks } from "./marks.ts";
import { createNames, type NamesContext } from "./names.ts";
import { readEntries } from "./read.ts";
import { keepDays, keptDays } from "./retention.ts";
import type { AuditStore } from "./store.ts";
import { verifyBook } from "./verify.ts";

export interface ServeContext extends NamesContext {
  readonly store: AuditStore;
  readonly heads: Heads;
  readonly marks: Marks;
  readonly audit: Audit;
  readonly caller: Pick<Caller, "call">;
  readonly clock: Clock;
}

/** For the owner alone: who came when, and from which networks, is more than who is to let people in has to know. */
export async function serveAudit(server: Server, context: ServeContext): Promise<void> {
  const { audit } = context;
  const named = createNames(context);
  const require = async (who: { ownerId: string; socketId: string }) =>
    (await requireSocket({ store: context.sockets }, who)).id;

  await server.serve(listAudit, async ({ ownerId, socketId, ...asked }) => {
    const id = await require({ ownerId, socketId });
    const { entries, next } = await readEntries(context, id, asked);
    return { entries: await named(id, entries), next, days: await keptDays(context, id) };
  });
  await server.serve(exportAudit, async ({ ownerId, socketId, ...asked }) =>
    exportPage(context, await require({ ownerId, socketId }), asked),
  );
  await server.serve(verifyAudit, async ({ after, ...who }) => verifyBook(context, await require(who), after));
  await server.serve(keepAudit, async ({ days, ...who }) => {
    const id = await require(who);
    // First: what is kept for less time is recorded while it is there.
    await audit.note(id, { event: "socket-changed", by: who.ownerId, about: { auditDays: days } });
    await keepDays(context, id, days);
    return {};
  });
}
