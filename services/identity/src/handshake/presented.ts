import type { SessionRole } from "@portcullis/contracts";
import type { Policy } from "@portcullis/policy";
import { isFor, type Redeemed, type Ticket } from "../tickets/store.ts";

/** What the ticket of an opening comes to, on the socket and for the member that it names. */
export interface Presented {
  /** Anything but `member`: the ticket stands for the owner, or a program of theirs, and they name nobody. */
  readonly role: SessionRole;
  readonly passed: boolean;
  /** Of the passphrase or passkey behind it: who came in by it goes with it. */
  readonly enrolment: Ticket["enrolment"];
  /** For the log only. */
  readonly cause: string | null;
}

export const noTicket: Presented = { role: "member", passed: false, enrolment: null, cause: null };

export function presentedOf(
  { ticket, cause }: Redeemed,
  socketId: string,
  member: { readonly id: string; readonly version: number } | null,
): Presented {
  if (ticket === null) return { ...noTicket, cause };
  const { role, enrolment } = ticket;
  if (!isFor(ticket, socketId, member)) return { ...noTicket, cause: "not-for-this" };
  return { role, passed: true, enrolment, cause: null };
}

/** What an app key comes to that was made for the owner's program: whoever has it is that, whatever else they present. */
export const keyedConsumer: Presented = { role: "consumer", passed: false, enrolment: null, cause: null };

/**
 * What the machine has to see passed. For the owner's own ticket that is the ticket, and nothing else of the policy; for the key of a program
 * of theirs, the key: nobody is there who could answer.
 */
export function policyFor({ role, passed }: Presented, policy: Policy): Policy {
  if (role === "member") return policy;
  const own = { ...policy, mode: "prompted", anonymous: true } as const;
  if (passed) return { ...own, before: { ticket: "required" }, gates: [{ gate: "path" }] };
  return { ...own, before: { ticket: "optional" }, gates: [{ gate: "key" }] };
}
