import { lp, u32be } from "@portcullis/protocol";
import { expand, extract, H, L } from "./derive.ts";

/** One secret for each direction; record keys come from them. */
export interface DirectionSecrets {
  /** C→S. */
  readonly client: Uint8Array;
  /** S→C. */
  readonly server: Uint8Array;
}

/** X("c hs"), X("s hs"). */
export async function handshakeKeys(prk: Uint8Array): Promise<DirectionSecrets> {
  const [client, server] = await Promise.all([expand(prk, "c hs"), expand(prk, "s hs")]);
  return { client, server };
}

/** X("park"): PSK of an `open` by which the same handshake goes on over another connection. */
export function parkedPsk(prk: Uint8Array): Promise<Uint8Array> {
  return expand(prk, "park");
}

/** @param hid of the connection on which the handshake was. */
export function parkedPskId(hid: string): string {
  return `h:${hid}`;
}

/** @param sid of the session that goes on. */
export function resumePskId(sid: string): string {
  return `r:${sid}`;
}

/** T0 of either direction. */
export const chainStart = (): Uint8Array => new Uint8Array(32);

/** T = H(T ‖ lp(plaintext)), over the JSON bytes before padding, in the order of `n`. */
export function advanceChain(chain: Uint8Array, plaintext: Uint8Array): Promise<Uint8Array> {
  return H(chain, lp(plaintext));
}

/** How far each direction has come when `accepted` is said. */
export interface Progress {
  readonly th: Uint8Array;
  /** Client plaintexts taken in, and their chain. */
  readonly clientCount: number;
  readonly clientChain: Uint8Array;
  /** Server plaintexts before `accepted`, and their chain: `accepted` carries F and cannot be in it. */
  readonly serverCount: number;
  readonly serverChain: Uint8Array;
}

/** F: both sides agree on every word of the handshake, or on nothing. */
export function finish(progress: Progress): Promise<Uint8Array> {
  return H(
    L("fin"),
    progress.th,
    u32be(progress.clientCount),
    progress.clientChain,
    u32be(progress.serverCount),
    progress.serverChain,
  );
}

export interface ApplicationSecrets extends DirectionSecrets {
  /** PSK of a resumed session. */
  readonly resume: Uint8Array;
  /** Transcript hash of what is asked while the session lives, over this connection. No secret, and nothing secret can be had from it. */
  readonly stepUp: Uint8Array;
  /** What both sides can show as words. */
  readonly words: Uint8Array;
}

/** PRK2 = Extract(F, PRK) and what hangs from it. The caller erases `prk`. */
export async function applicationSecrets(prk: Uint8Array, finished: Uint8Array): Promise<ApplicationSecrets> {
  const prk2 = await extract(finished, prk);
  const [client, server, resume, stepUp, words] = await Promise.all([
    expand(prk2, "c ap"),
    expand(prk2, "s ap"),
    expand(prk2, "resume"),
    expand(prk2, "stepup"),
    expand(prk2, "words"),
  ]);
  prk2.fill(0);
  return { client, server, resume, stepUp, words };
}
