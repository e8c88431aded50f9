import { createHash } from "node:crypto";
import type { ConnectionFacts, KeyRole } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import { isShut, type Policy, parsePolicy, requiresKey, requiresTicket } from "@portcullis/policy";
import { type SuiteId, suites } from "@portcullis/protocol";
import { rulesOf } from "../penalties/ladder.ts";
import {
  type Answering,
  type Hold,
  isTrusted,
  type Penalties,
  type Standing,
  soonest,
  unblemished,
} from "../penalties/penalties.ts";
import { nobodysPolicy, readNobodysMember } from "../sockets/nobody.ts";
import { findByPath, type PathTag } from "../sockets/paths.ts";
import type { Member, Socket, SocketStore } from "../sockets/store.ts";
import type { TicketStore } from "../tickets/store.ts";
import { keyedConsumer, noTicket, type Presented, presentedOf } from "./presented.ts";
import { riskOf } from "./risk.ts";

export interface Resumption {
  readonly sid: string;
  /** Counter of the client's next message. */
  readonly next: number;
}

/** What a connection said, and what of it was proven by opening the box. */
export interface Claims {
  readonly connection: ConnectionFacts;
  readonly opened: boolean;
  readonly suite: SuiteId;
  readonly claimedId: string | null;
  readonly key: {
    readonly keyId: string;
    readonly socketId: string;
    readonly role: KeyRole;
    /** One that the owner has planted. */
    readonly canary?: true | undefined;
  } | null;
  /** The handshake that goes on: `keys` opened the box under a secret that only its client has. */
  readonly parked: string | null;
  /** Likewise the session. */
  readonly resumed: Resumption | null;
  /** Not looked at where something goes on. */
  readonly ticket: string | null;
  readonly parameters: Readonly<Record<string, string>>;
}

export interface Arrival {
  readonly socket: Stored<Socket>;
  readonly member: Stored<Member> | null;
  readonly policy: Policy;
  readonly policyHash: Uint8Array;
  readonly presented: Presented;
  readonly standing: Standing;
  /** Nothing is held against anybody from here. */
  readonly trusted: boolean;
  /** What the owner has planted, where they came with that; null: nothing. */
  readonly planted: "canary-key" | "canary-member" | null;
  /** The socket's own part of the path. A secret. */
  readonly path: string;
  /** What came behind it, and the query. */
  readonly context: { readonly rest: string; readonly query: string };
}

/** For the log and the metrics only; outside, all of them are the one bare `denied`. */
export type Turned =
  | "unknown-path"
  | "box"
  | "foreign-key"
  | "no-key"
  | "no-ticket"
  | "id-mismatch"
  | "unknown-member"
  | "consumer-with-id"
  | "origin"
  | "suite"
  | "policy"
  | "not-parked"
  | "not-resumable"
  | "other-branch"
  | "held"
  | "canary-key"
  | "canary-member"
  /** There are as many decoys as there may be. */
  | "no-room";

/** Of whoever was turned away, as far as it is known. */
export interface TurnedAway {
  readonly turned: Turned;
  /** Null: there is none. */
  readonly socketId: string | null;
  readonly memberId: string | null;
  /** For whose failure it is taken; null: the network's alone. */
  readonly counts: Answering | null;
}

export type Received =
  | { readonly arrival: Arrival }
  | TurnedAway
  /** `told`: they have shown enough to hear of it. */
  | { readonly held: Hold; readonly policy: Policy; readonly told: boolean; readonly socketId: string };

/**
 * Finds the socket and the member that a connection means, and how they stand, and uses its ticket up, for whomever it was. Every way to fail here makes the same look-ups as success, in the
 * same order, and reads as much: an unknown path must not be told apart by what it costs.
 */
export async function receive(
  {
    store,
    pathTag,
    tickets,
    penalties,
  }: {
    readonly store: SocketStore;
    readonly pathTag: PathTag;
    readonly tickets: Pick<TicketStore, "redeem">;
    readonly penalties: Pick<Penalties, "look">;
  },
  claims: Claims,
  { holder, network, now }: { readonly holder: string; readonly network: string; readonly now: number },
): Promise<Received> {
  const { connection, key } = claims;
  const { label, path } = connection;
  const found = await findByPath(store, pathTag, label, path);
  const socket = found?.socket ?? null;
  const named = new URLSearchParams(connection.query).get(socket?.body.idParameter ?? "id");
  const member = await store.members.findOne({ socketId: socket?.id ?? "none", name: named ?? "none" });
  if (member === null) readNobodysMember();
  const goesOn = claims.parked !== null || claims.resumed !== null;
  const parsed = parsePolicy(socket?.body.policy ?? nobodysPolicy);
  const policy = socket !== null && parsed.ok ? parsed.policy : null;
  const planted = plantedOf(key, named === null ? null : member);
  // What was planted is counted as what is not there: held up for itself, it would be told from that by the hint.
  const isCanaryKey = planted === "canary-key";
  const keyId = key !== null && key.socketId === socket?.id && !isCanaryKey ? key.keyId : null;
  const isThere = member !== null && member.body.goneAtMs === null && !member.body.canary;
  const memberId = named !== null && isThere ? member.id : null;
  const who = { network, socketId: socket?.id ?? null, keyId, memberId };
  const trusted = policy !== null && isTrusted(policy.onFailure, connection.address);
  const looked = await penalties.look(who, policy?.onFailure ?? null);
  const standing = trusted ? unblemished(looked) : looked;
  // What goes on is looked at where it goes on.
  const held = goesOn || isCanaryKey ? undefined : standing.holds.find(({ gate }) => gate === null);
  const ticket = goesOn ? null : claims.ticket;
  const shut =
    ticket === null || planted !== null || socket === null || policy === null || policy.onFailure.then === "decoy"
      ? null
      : shutBy(standing, {
          socket,
          member: named === null ? null : member,
          policy,
          keyId,
          address: connection.address,
          now,
        });
  // Whoever is held keeps their ticket. What is looked up in its place is none, and costs the same.
  const shown = ticket !== null && (held !== undefined || shut !== null) ? `held.${ticket}` : ticket;
  const redeemed = shown === null ? null : await tickets.redeem(shown, holder);
  const ofTicket =
    redeemed === null ? noTicket : presentedOf(redeemed, socket?.id ?? "none", named === null ? null : member);
  const presented = key?.role === "consumer" ? keyedConsumer : ofTicket;

  // A key of this socket's is in somebody's hands. What strangers do to the path is counted alike, whatever is there.
  const isHolders = keyId !== null && claims.opened && !goesOn && !trusted && policy !== null;
  const counts = isHolders ? { who, known: standing.known, rules: rulesOf(policy), gates: [] } : null;
  const socketId = socket === null || socket.body.goneAtMs !== null ? null : socket.id;
  const turned = (cause: Turned): TurnedAway => ({ turned: cause, socketId, memberId: member?.id ?? null, counts });

  if (found === null || socket === null || socket.body.goneAtMs !== null) return turned("unknown-path");
  if (!claims.opened) return turned("box");
  if (key !== null && key.socketId !== socket.id) return turned("foreign-key");
  if (policy === null) return turned("policy");
  // Whatever goes on, and before anything is told. Who has an old client has guessed at nothing: it is held against nobody.
  if (policy.encryption.suite === "post-quantum" && !suites[claims.suite].isPostQuantum)
    return { ...turned("suite"), counts: null };
  const isMember = !goesOn && presented.role === "member";
  if (key === null && isMember && requiresKey(policy)) return turned("no-key");
  // Whose free tries are spent there waits for nothing more: they are led elsewhere.
  const isLedAway = policy.onFailure.then === "decoy" && isMember && standing.spent;
  if (held !== undefined && !isLedAway)
    return { held, policy, told: key !== null || !requiresTicket(policy), socketId: socket.id };
  if (shut !== null) return { held: shut, policy, told: key !== null || !requiresTicket(policy), socketId: socket.id };
  // No word of the server's: without a key, whoever has no ticket does not learn that there is a socket.
  if (!presented.passed && isMember && requiresTicket(policy)) return turned("no-ticket");
  if ((claims.claimedId ?? "") !== (named ?? "")) return turned("id-mismatch");
  // Also where anonymous connections are admitted: who claims a name must have it.
  if (named !== null && (member === null || member.body.goneAtMs !== null)) return turned("unknown-member");
  // A program of the owner's is nobody's member, and what it proves must not pass for what a member proves.
  if (key?.role === "consumer" && named !== null) return turned("consumer-with-id");
  const { origins } = policy;
  // Browsers always send an origin; a program that sends none is no cross-site page.
  if (origins.length > 0 && connection.origin !== null && !origins.includes(connection.origin)) return turned("origin");

  const policyHash = new Uint8Array(createHash("sha256").update(JSON.stringify(policy)).digest());
  const context = { rest: found.rest, query: connection.query };
  const arrival: Arrival = {
    socket,
    planted,
    member: named === null ? null : member,
    policy,
    policyHash,
    presented,
    standing,
    trusted,
    path: found.path,
    context,
  };
  // Behind everything else, and whatever else is right: nobody is let in by what was planted, nor goes on.
  if (planted !== null && !(policy.onFailure.then === "decoy" && presented.role === "member")) return turned(planted);
  return { arrival };
}

/** What stops whoever comes, whatever their ticket is: gates of the member's that are held, without which nobody gets in. */
function shutBy(
  { holds, networkFailures }: Standing,
  come: {
    readonly socket: Stored<Socket>;
    readonly member: Stored<Member> | null;
    readonly policy: Policy;
    readonly keyId: string | null;
    readonly address: string;
    readonly now: number;
  },
): Hold | null {
  const { socket, member, policy, keyId, address, now } = come;
  const held = [...new Set(holds.flatMap(({ gate }) => gate ?? []))];
  if (held.length === 0) return null;
  const enrolled = Object.keys(member?.body.enrolments ?? {});
  const circumstances = { member: member?.body.name ?? null, address, risk: riskOf(networkFailures) };
  const isHeld = isShut({
    policy,
    keyId,
    member: member === null ? null : { id: member.id, enrolled },
    socketEnrolled: Object.keys(socket.body.enrolments),
    circumstances,
    held,
    now,
  });
  return isHeld ? soonest(holds) : null;
}

function plantedOf(key: Claims["key"], member: Stored<Member> | null): Arrival["planted"] {
  if (key?.canary === true) return "canary-key";
  return member?.body.canary === true ? "canary-member" : null;
}
