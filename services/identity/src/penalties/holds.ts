import { type HoldView, ServiceError } from "@portcullis/contracts";
import type { Clock } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import type { Audit } from "../audit/audit.ts";
import { hashOf } from "../secrets.ts";
import { requireSocket, type SocketContext } from "../sockets/context.ts";
import { type PageRequest, pageOf } from "../sockets/page.ts";
import { idsOf, type Subject, subject } from "./subjects.ts";
import { createTolls, heldOn, heldWith } from "./tolls.ts";

export interface HoldsContext {
  readonly store: SocketContext["store"];
  readonly state: State;
  readonly clock: Clock;
  readonly audit: Audit;
}

interface Mine {
  readonly ownerId: string;
  readonly socketId: string;
}

interface Known {
  readonly id: string;
  readonly subject: Subject;
}

/** Most of those that are named may have ended: a short page must not take as many turns as there are of them. */
const lookedAtOnce = 200;

/** What is held on a socket now. Whoever decides who comes in may see it: somebody who is held up will ask them. */
export async function listHoldsOf(context: HoldsContext, { after, limit, ...mine }: Mine & PageRequest) {
  const socket = await requireSocket(context, mine, "approve");
  const tolls = createTolls(context.state, context.clock);
  const rest = (await knownOn(context, socket.id)).filter(({ id }) => after === null || id > after);
  const found: HoldView[] = [];
  // What has ended is still named for a while.
  for (let from = 0; found.length <= limit && from < rest.length; from += lookedAtOnce) {
    const some = rest.slice(from, from + lookedAtOnce).map(async ({ id, subject: of }) => {
      const hold = await tolls.hold(of);
      return hold === null ? [] : [await viewOf(context, id, of, hold)];
    });
    found.push(...(await Promise.all(some)).flat());
  }
  const { items, next } = pageOf(found.slice(0, limit + 1), limit, ({ id }) => id);
  return { holds: items, next };
}

/** Ends it, and what was counted for it: whoever was held begins anew. */
export async function releaseHoldOf(context: HoldsContext, { holdId, ...mine }: Mine & { readonly holdId: string }) {
  const socket = await requireSocket(context, mine);
  const found = (await knownOn(context, socket.id)).find(({ id }) => id === holdId)?.subject;
  if (found === undefined) throw new ServiceError("not_found");
  const isHeld = await createTolls(context.state, context.clock).release(found);
  await context.state.leave(heldWith(found), JSON.stringify(found));
  if (!isHeld) throw new ServiceError("not_found");
  await context.audit.note(socket.id, { event: "released", by: mine.ownerId, ...idsOf(found) });
  return {};
}

/** In the order of their ids. Bounded: `heldMax` of each kind. */
async function knownOn({ state }: HoldsContext, socketId: string): Promise<Known[]> {
  const texts = await Promise.all(heldOn(socketId).map((set) => state.members(set)));
  return texts
    .flat()
    .map((text) => ({ id: hashOf(text).slice(0, 22), subject: subject.parse(JSON.parse(text)) }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

async function viewOf(
  { store }: HoldsContext,
  id: string,
  of: Subject,
  { isLockout, untilMs }: { readonly isLockout: boolean; readonly untilMs: number },
): Promise<HoldView> {
  const member = of.memberId === null ? null : await store.members.get(of.memberId);
  return {
    id,
    member: member?.body.name ?? null,
    gate: of.of === "gate" ? of.gate : null,
    keyId: of.of === "holder" ? of.keyId : null,
    network: of.network?.slice(0, 12) ?? null,
    kind: isLockout ? "lockout" : "delay",
    untilMs,
  };
}
