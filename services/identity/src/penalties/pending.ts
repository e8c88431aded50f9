import type { State } from "@portcullis/state";
import type { Answering } from "./penalties.ts";
import { holderOf, nameOf, type Subject } from "./subjects.ts";

/** Handshakes under way, by whom a lockout of theirs would concern. Whoever is missing here is stopped at their next step. */
export interface Pending {
  add(id: string, of: Pick<Answering, "who" | "known">, untilMs: number): Promise<void>;
  concernedBy(subject: Subject): Promise<string[]>;
}

export function createPending(state: Pick<State, "join" | "members">): Pending {
  const ofHolder = (name: string) => `identity:under-way:${name}`;
  const ofMember = (socketId: string, memberId: string, network: string | null) =>
    `identity:under-way:member:${socketId}:${memberId}:${network ?? "none"}`;
  return {
    async add(id, { who, known }, untilMs) {
      if (!known) await state.join(ofHolder(nameOf(holderOf(who))), id, untilMs);
      const { socketId, memberId, network } = who;
      if (socketId !== null && memberId !== null)
        await state.join(ofMember(socketId, memberId, known ? network : null), id, untilMs);
    },
    concernedBy: (subject) =>
      state.members(
        subject.of === "holder"
          ? ofHolder(nameOf(subject))
          : ofMember(subject.socketId, subject.memberId, subject.network),
      ),
  };
}
