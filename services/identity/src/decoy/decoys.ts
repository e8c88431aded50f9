import type { Caller } from "@portcullis/bus";
import { type DecoyDeed, decoyNoted } from "@portcullis/contracts";
import type { Clock, Logger } from "@portcullis/runtime";
import type { Alerts } from "../alerts/alerts.ts";
import type { Audit } from "../audit/audit.ts";
import type { Arrival } from "../handshake/arrival.ts";
import type { Standing } from "../penalties/penalties.ts";
import type { SessionRegistry } from "../sessions/registry.ts";
import type { Player } from "./player.ts";
import type { Intruder, Intruders } from "./rooms.ts";
import { wayOf } from "./way.ts";

type Deed = Extract<DecoyDeed, "arrived" | "tried" | "accepted" | "resumed">;

interface Place {
  readonly socketId: string;
  readonly room: string;
}

/** `room`: null leads into the socket itself. */
export type Way = { readonly room: string | null } | "refused";

/** What the handshakes know of the other world. */
export interface Decoys {
  /** Those that are there; in no list, count or limit of the real ones. */
  readonly sessions: SessionRegistry;
  readonly player: Player;
  /** Where somebody goes whose box has opened, decided when their handshake begins. */
  way(comer: {
    readonly arrival: Pick<Arrival, "socket" | "member" | "policy" | "presented" | "planted" | "trusted">;
    readonly keyId: string | null;
    readonly network: string;
    readonly standing: Standing;
  }): Promise<Way>;
  /** For the transcript; nobody waits for it. */
  note(place: Place, deed: Deed, tried?: { readonly gate: string; readonly believed: boolean }): void;
}

export function createDecoys(parts: {
  readonly sessions: SessionRegistry;
  readonly player: Player;
  readonly intruders: Intruders;
  readonly audit: Audit;
  readonly alerts: Alerts;
  readonly caller: Pick<Caller, "emit">;
  readonly clock: Clock;
  readonly log: Pick<Logger, "warn">;
}): Decoys {
  const { sessions, player, intruders, audit, alerts, caller, clock, log } = parts;

  function note({ socketId, room }: Place, deed: Deed, tried?: { gate: string; believed: boolean }): void {
    try {
      const { gate, believed } = tried ?? { gate: null, believed: null };
      caller.emit(decoyNoted, { socketId, room, atMs: clock(), deed, gate, believed });
    } catch {
      log.warn("a transcript has a gap", { socket: socketId });
    }
  }

  async function land(who: Intruder, isCanary: boolean): Promise<Way> {
    const landing = await intruders.land(who);
    // As many as there may be: what a wrong key gets is safe for everybody.
    if (landing === null) return "refused";
    const { room, isNew } = landing;
    const { socketId, keyId, memberId, network } = who;
    note({ socketId, room }, "arrived");
    const ids = { ...(keyId === null ? {} : { key: keyId }), ...(memberId === null ? {} : { member: memberId }) };
    const cause = isCanary ? "canary" : "spent";
    void audit.note(socketId, { event: "decoy", cause, network, ...ids, about: { room } });
    if (isNew) void alerts.raise({ kind: "decoy", socketId, about: { room, cause, network, ...ids } });
    return { room };
  }

  return {
    sessions,
    player,
    note,
    async way({ arrival, keyId, network, standing }) {
      const { socket, member, policy, presented, planted, trusted } = arrival;
      const who = {
        socketId: socket.id,
        keyId,
        memberId: member?.id ?? null,
        member: member?.body.name ?? null,
        network,
      };
      const rules = policy.onFailure;
      const isCanary = planted !== null;
      // Whoever came in for real from there, with the very same key and name, is not kept by what somebody else tried there in between.
      const isHonest = standing.known || trusted;
      const isSticky = rules.then === "decoy" && !isHonest && (await intruders.roomOf(who)) !== null;
      switch (wayOf({ rules, isCanary, role: presented.role, standing, isSticky })) {
        case "in":
          return { room: null };
        case "decoy":
          return land(who, isCanary);
        case "refused":
          return "refused";
      }
    },
  };
}
