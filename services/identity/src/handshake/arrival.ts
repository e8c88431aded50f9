import { createHash } from "node:crypto";
import type { ConnectionFacts } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import { type Policy, parsePolicy, requiresKey } from "@portcullis/policy";
import type { PathTags } from "../sockets/paths.ts";
import type { Member, Socket, SocketStore } from "../sockets/store.ts";

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
  readonly key: { readonly keyId: string; readonly socketId: string } | null;
  /** The handshake that goes on: `keys` opened the box under a secret that only its client has. */
  readonly parked: string | null;
  /** Likewise the session. */
  readonly resumed: Resumption | null;
}

export interface Arrival {
  readonly socket: Stored<Socket>;
  readonly member: Stored<Member> | null;
  readonly policy: Policy;
  readonly policyHash: Uint8Array;
}

/** For the log and the metrics only; outside, all of them are the one bare `denied`. */
export type Turned =
  | "unknown-path"
  | "box"
  | "foreign-key"
  | "no-key"
  | "id-mismatch"
  | "unknown-member"
  | "origin"
  | "policy"
  | "not-parked"
  | "not-resumable";

/**
 * Finds the socket and the member that a connection means. Every way to fail here makes the same look-ups as success, in the
 * same order: an unknown path must not be told apart by what it costs.
 */
export async function receive(
  store: SocketStore,
  paths: PathTags,
  claims: Claims,
): Promise<{ readonly arrival: Arrival } | { readonly turned: Turned }> {
  const { connection, key } = claims;
  const { label, path } = connection;
  const found = await Promise.all(paths.all(label, path).map((pathTag) => store.sockets.findOne({ pathTag })));
  const socket = found.find((each) => each !== null) ?? null;
  const named = new URLSearchParams(connection.query).get(socket?.body.idParameter ?? "id");
  const member = await store.members.findOne({ socketId: socket?.id ?? "none", name: named ?? "none" });

  if (socket === null || socket.body.goneAtMs !== null) return { turned: "unknown-path" };
  if (!claims.opened) return { turned: "box" };
  if (key !== null && key.socketId !== socket.id) return { turned: "foreign-key" };
  const parsed = parsePolicy(socket.body.policy);
  if (!parsed.ok) return { turned: "policy" };
  if (key === null && claims.parked === null && claims.resumed === null && requiresKey(parsed.policy))
    return { turned: "no-key" };
  if ((claims.claimedId ?? "") !== (named ?? "")) return { turned: "id-mismatch" };
  // Also where anonymous connections are admitted: who claims a name must have it.
  if (named !== null && (member === null || member.body.goneAtMs !== null)) return { turned: "unknown-member" };
  const { origins } = parsed.policy;
  // Browsers always send an origin; a program that sends none is no cross-site page.
  if (origins.length > 0 && connection.origin !== null && !origins.includes(connection.origin))
    return { turned: "origin" };

  const policyHash = new Uint8Array(createHash("sha256").update(JSON.stringify(parsed.policy)).digest());
  return { arrival: { socket, member: named === null ? null : member, policy: parsed.policy, policyHash } };
}
