import type { Authenticator } from "../../../deploy/demo/authenticator.ts";
import { at } from "../../e2e/support/sessions.ts";
import type { OwnedSocket } from "../../e2e/support/socket.ts";
import type { World } from "../../e2e/support/world.ts";
import { type Knock, knock } from "./knock.ts";

/** Six digits that are no code of these now. */
export function wrongCode(world: Pick<World, "now">, ...phones: readonly Authenticator[]): string {
  const near = phones.flatMap((phone) =>
    [-60_000, -30_000, 0, 30_000, 60_000].map((driftMs) => phone.code(world.now() + driftMs)),
  );
  const found = Array.from({ length: 16 }, (_, n) => `${n}`.padStart(6, "9")).find((code) => !near.includes(code));
  if (found === undefined) throw new Error("there is no wrong code");
  return found;
}

export interface Guesser {
  readonly world: Pick<World, "edges" | "owner">;
  readonly socket: OwnedSocket;
  readonly name: string;
  /** As a trusted proxy says. */
  readonly from: string;
  readonly edge?: number;
  readonly gate?: string;
}

/** Somebody with the key who claims to be that member, before the gate. Null: they got no question. */
export async function approach({ world, socket, name, from, edge = 0 }: Guesser): Promise<Waiting | null> {
  const url = at(world.edges[edge], `${socket.url}?id=${name}`);
  const attacker = await knock(url, { appKey: socket.appKey, from });
  const received = await attacker.next();
  if (received === null || typeof received === "string") return null;
  const plaintext = await attacker.read(received);
  return plaintext.t === "challenge" ? { attacker, cid: plaintext.cid } : null;
}

export interface Waiting {
  readonly attacker: Knock;
  readonly cid: string;
}

/** What an answer led to. */
export type Said = "accepted" | "again" | "delayed" | "denied" | "closed";

export async function answer({ attacker, cid }: Waiting, value: string, gate = "otp"): Promise<Said> {
  await attacker.say({ n: 1, t: "answer", cid, gate, value });
  return saidNext(attacker);
}

export async function saidNext(attacker: Pick<Knock, "hear">): Promise<Said> {
  const plaintext = await attacker.hear();
  if (plaintext === null) return "closed";
  if (plaintext.t === "accepted") return "accepted";
  if (plaintext.t !== "denied") return "again";
  return plaintext.retryAfterMs === undefined ? "denied" : "delayed";
}

/** One handshake with one answer. */
export async function attempt(guesser: Guesser, value: string): Promise<Said | "no question"> {
  const waiting = await approach(guesser);
  if (waiting === null) return "no question";
  const said = await answer(waiting, value, guesser.gate);
  waiting.attacker.leave();
  return said;
}

export interface Held {
  readonly id: string;
  readonly member: string | null;
  readonly gate: string | null;
  readonly kind: "delay" | "lockout";
}

export async function holdsOf({ owner }: Pick<World, "owner">, { id }: OwnedSocket): Promise<Held[]> {
  return (await owner.get<{ holds: Held[] }>(`/v1/sockets/${id}/holds?limit=100`)).holds;
}

/** The server's clock, and a bundle that is good then. */
export async function later(world: World, ms: number): Promise<void> {
  world.advance(ms);
  await world.fresh();
}
