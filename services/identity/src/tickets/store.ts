import { sessionRole } from "@portcullis/contracts";
import type { Clock } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";
import { hashOf, toText } from "../secrets.ts";

/** Whom a ticket lets in, and on what that stands. */
const ticket = z.strictObject({
  socketId: z.string(),
  role: sessionRole,
  /** Null: nobody in particular. */
  memberId: z.string().nullable(),
  /** The member as they were: any change since makes it useless, a removal above all. */
  memberVersion: z.number().int().nullable(),
  /** Of what was shown for it, a passphrase (`ticket`) or a passkey; null where a program vouched. */
  enrolment: z.strictObject({ gate: z.enum(["ticket", "passkey"]), id: z.string() }).nullable(),
  expiresAtMs: z.number().int(),
});
export type Ticket = z.infer<typeof ticket>;

const use = z.strictObject({
  holder: z.string(),
  ticket: ticket.nullable(),
  cause: z.string().nullable(),
  atMs: z.number().int(),
});

export interface Redeemed {
  /** Null for every ticket that lets nobody in. */
  readonly ticket: Ticket | null;
  /** For the log only. */
  readonly cause: "unknown" | "expired" | "spent" | null;
}

/** One-time tickets. Only their hashes are kept, until they expire. */
export interface TicketStore {
  /** @returns the ticket itself, which is not kept, and its end in epoch ms. */
  mint(entry: Omit<Ticket, "expiresAtMs">): Promise<{ readonly ticket: string; readonly expiresAtMs: number }>;
  /**
   * Uses a ticket up: of any number of connections that present it at once, on any replicas, one gets it. Costs the same whether there is such a ticket.
   *
   * @param holder the opening that presents it: repeated, it is told the same; nobody else is
   */
  redeem(text: string, holder: string): Promise<Redeemed>;
}

export const ticketLifeMs = 60_000;
/** Longer than a ticket lives: a use that is forgotten before it would be another one. */
const useMemoryMs = 3 * ticketLifeMs;
/** As long as an edge may repeat an opening, and shorter than the handshake is remembered that stands on the first. */
const repeatMs = 30_000;

export function createTicketStore(
  state: State,
  { clock, random }: { readonly clock: Clock; readonly random: (length: number) => Uint8Array },
): TicketStore {
  const entryKey = (hash: string) => `identity:ticket:${hash}`;
  const useKey = (hash: string) => `identity:ticket-use:${hash}`;
  return {
    async mint(entry) {
      const text = `pt1.${toText(random(32))}`;
      const expiresAtMs = clock() + ticketLifeMs;
      const value = Buffer.from(JSON.stringify({ ...entry, expiresAtMs }));
      await state.create(entryKey(hashOf(text)), value, ticketLifeMs);
      return { ticket: text, expiresAtMs };
    },
    async redeem(text, holder) {
      const hash = hashOf(text);
      const found = await state.get(entryKey(hash));
      const entry = found === null ? null : ticket.parse(jsonOf(found.value));
      const isOver = entry !== null && clock() >= entry.expiresAtMs;
      const cause = entry === null ? "unknown" : isOver ? "expired" : null;
      const redeemed: Redeemed = { ticket: cause === null ? entry : null, cause };
      // Written for one that there is not as well: the same work, and as short a memory.
      const written = { holder, ...redeemed, atMs: clock() };
      if ((await state.create(useKey(hash), Buffer.from(JSON.stringify(written)), useMemoryMs)) !== null)
        return redeemed;
      const before = await state.get(useKey(hash));
      const first = before === null ? null : use.parse(jsonOf(before.value));
      const isRepeated = first !== null && first.holder === holder && clock() < first.atMs + repeatMs;
      return isRepeated ? { ticket: first.ticket, cause: null } : { ticket: null, cause: "spent" };
    },
  };
}

/** Whether it is for exactly this socket, and for this member as they are now. */
export function isFor(
  { memberId, memberVersion, ...ticket }: Ticket,
  socketId: string,
  member: { readonly id: string; readonly version: number } | null,
): boolean {
  return (
    ticket.socketId === socketId && memberId === (member?.id ?? null) && memberVersion === (member?.version ?? null)
  );
}

function jsonOf(value: Uint8Array): unknown {
  return JSON.parse(Buffer.from(value).toString("utf8"));
}
