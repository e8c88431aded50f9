import { z } from "zod";
import { request } from "./contract.ts";
import { empty, id, text } from "./fields.ts";
import { keyRole } from "./handshake.ts";
import { appKeyView } from "./sockets.ts";

/** App keys belong to `keys`; `identity` knows which owner may ask. */
const fromIdentity = { server: "keys", callers: ["identity"] } as const;

export const mintAppKey = request({
  ...fromIdentity,
  name: "keys.app-keys.mint",
  request: z.strictObject({ socketId: id, label: text(64), role: keyRole, canary: z.boolean().optional() }),
  reply: z.strictObject({ appKey: appKeyView, key: text(256) }),
  idempotency: "none: each call makes a key",
});
export const readAppKeys = request({
  ...fromIdentity,
  name: "keys.app-keys.read",
  request: z.strictObject({ socketId: id }),
  reply: z.strictObject({ appKeys: z.array(appKeyView) }),
  idempotency: "reads only",
  replay: "harmless",
});
/** keyId null: all of the socket's. After the reply no handshake is accepted with it any more. */
export const killAppKey = request({
  ...fromIdentity,
  name: "keys.app-keys.kill",
  request: z.strictObject({ socketId: id, keyId: id.nullable() }),
  reply: empty,
  idempotency: "revoking twice is revoking; not_found for what was never there",
});
/** For the console and for people who compare: the server's identity. */
export const serverIdentity = request({
  server: "keys",
  callers: ["api", "identity"],
  name: "keys.identity",
  request: empty,
  reply: z.strictObject({ fingerprint: text(64) }),
  idempotency: "reads only",
  replay: "harmless",
});

/** Words of a key that was followed by another stay on people's cards for as long as the succession counts. */
export const serverIdentities = request({
  server: "keys",
  callers: ["factors"],
  name: "keys.identities",
  request: empty,
  /** Fingerprints of every key that a client takes for this server now. */
  reply: z.strictObject({ fingerprints: z.array(text(64)).min(1).max(8) }),
  idempotency: "reads only",
  replay: "harmless",
});
