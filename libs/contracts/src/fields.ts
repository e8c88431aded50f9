import { z } from "zod";

/** Shapes that many messages share. Sizes are bounded here so that no message can grow without bound. */
export const id = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
/** Handshake id: `<edge id>.<22 random characters>`. */
export const handshakeId = z.string().regex(/^[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]{22}$/);
export const bytes = (max: number) =>
  z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length <= max, `must be at most ${max} bytes`);
export const text = (max: number) => z.string().max(max);
export const epochMs = z.number().int().nonnegative();
export const gateName = z.string().regex(/^[a-z]{2,16}$/);
/** Six words of BIP-39 with one space between. */
export const sessionWords = z.string().regex(/^[a-z]{3,8}( [a-z]{3,8}){5}$/);
/** Position of a gate in a policy, for example `1.0.2`. */
export const position = z.string().max(64);
/** Client address as the edge sees it (after trusted proxies). Personal data: never in telemetry. */
export const address = text(64);
export const email = z.string().max(254);
export const empty = z.strictObject({});
