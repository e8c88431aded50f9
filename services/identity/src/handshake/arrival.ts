import { createHash } from "node:crypto";
import type { ConnectionFacts, KeyRole } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import { type Policy, parsePolicy, requiresKey, requiresTicket } from "@portcullis/policy";
import { findByPath, type PathTags } from "../sockets/paths.ts";
import type { Member, Socket, SocketStore } from "../sockets/store.ts";
import type { TicketStore } from "../tickets/store.ts";
import { keyedConsumer, noTicket, type Presented, presentedOf } from "./presented.ts";

export interface Resumption {
  readonly sid: string;
  /** Counter of the client's next message. */
  readonly next: number;
}

/** What a connection said, and what of it was proven by opening the box. */
export interface Claims {
  readonly connection: ConnectionFacts;
  readonly opened: boolean;
  readonly claimedId: string | null;
  readonly key: {
    readonly keyId: string;
    readonly socketId: string;
    readonly role: KeyRole;
    /** One that nobody has who may come in. */
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
  | "policy"
  | "canary"
  | "not-parked"
  | "not-resumable"
  | "other-branch";

/**
 * Finds the socket and the member that a connection means, and uses its ticket up, for whomever it was. Every way to fail here makes the same look-ups as success, in the
 * same order: an unknown path must not be told apart by what it costs.
 */
export async function receive(
  {
    store,
    paths,
    tickets,
  }: { readonly store: SocketStore; readonly paths: PathTags; readonly tickets: Pick<TicketStore, "redeem"> },
  claims: Claims,
  holder: string,
): Promise<{ readonly arrival: Arrival } | { readonly turned: Turned }> {
  const { connection, key } = claims;
  const { label, path } = connection;
  const found = await findByPath(store, paths, label, path);
  const socket = found?.socket ?? null;
  const named = new URLSearchParams(connection.query).get(socket?.body.idParameter ?? "id");
  const member = await store.members.findOne({ socketId: socket?.id ?? "none", name: named ?? "none" });
  const goesOn = claims.parked !== null || claims.resumed !== null;
  const redeemed = claims.ticket === null || goesOn ? null : await tickets.redeem(claims.ticket, holder);
  const ofTicket =
    redeemed === null ? noTicket : presentedOf(redeemed, socket?.id ?? "none", named === null ? null : member);
  const presented = key?.role === "consumer" ? keyedConsumer : ofTicket;

  if (found === null || socket === null || socket.body.goneAtMs !== null) return { turned: "unknown-path" };
  if (!claims.opened) return { turned: "box" };
  if (key !== null && key.socketId !== socket.id) return { turned: "foreign-key" };
  const parsed = parsePolicy(socket.body.policy);
  if (!parsed.ok) return { turned: "policy" };
  const isMember = !goesOn && presented.role === "member";
  if (key === null && isMember && requiresKey(parsed.policy)) return { turned: "no-key" };
  // No word of the server's: without a key, whoever has no ticket does not learn that there is a socket.
  if (!presented.passed && isMember && requiresTicket(parsed.policy)) return { turned: "no-ticket" };
  if ((claims.claimedId ?? "") !== (named ?? "")) return { turned: "id-mismatch" };
  // Also where anonymous connections are admitted: who claims a name must have it.
  if (named !== null && (member === null || member.body.goneAtMs !== null)) return { turned: "unknown-member" };
  // A program of the owner's is nobody's member, and what it proves must not pass for what a member proves.
  if (key?.role === "consumer" && named !== null) return { turned: "consumer-with-id" };
  const { origins } = parsed.policy;
  // Browsers always send an origin; a program that sends none is no cross-site page.
  if (origins.length > 0 && connection.origin !== null && !origins.includes(connection.origin))
    return { turned: "origin" };

  const policyHash = new Uint8Array(createHash("sha256").update(JSON.stringify(parsed.policy)).digest());
  const context = { rest: found.rest, query: connection.query };
  return {
    arrival: {
      socket,
      member: named === null ? null : member,
      policy: parsed.policy,
      policyHash,
      presented,
      path: found.path,
      context,
    },
  };
}
