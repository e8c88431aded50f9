/**
 * Decoys (docs/adr/0019). `identity` knows who is in which room, and `keys` what was said there; the owner asks `identity`, whose the rights are.
 * Nothing here is seen by an edge: to it a room is a socket like any other.
 */
import { z } from "zod";
import { event, request } from "./contract.ts";
import { bytes, empty, epochMs, gateName, id, text } from "./fields.ts";
import { memberName, mine } from "./sockets.ts";

const fromApi = { server: "identity", callers: ["api"] } as const;
const fromIdentity = { server: "keys", callers: ["identity"] } as const;

/** Of what somebody did in a room, and of what was played to them. */
export const decoyDeeds = ["arrived", "tried", "accepted", "resumed", "said", "heard", "left"] as const;
export type DecoyDeed = (typeof decoyDeeds)[number];

/** Of a message only its beginning is kept. */
export const decoyBodyBytesMax = 4_096;

export const decoyRecord = z.strictObject({
  /** In the order in which it was written down. */
  n: z.number().int().positive(),
  atMs: epochMs,
  deed: z.enum(decoyDeeds),
  /** Of `tried`: the gate, and whether the answer was believed. */
  gate: gateName.nullable(),
  believed: z.boolean().nullable(),
  /** Of `said` and `heard`. */
  body: bytes(decoyBodyBytesMax).nullable(),
  /** How long it was. */
  bodyBytes: z.number().int().nonnegative().nullable(),
});
export type DecoyRecord = z.infer<typeof decoyRecord>;

/** What happens in the handshakes that lead to a room. */
export const decoyNoted = event({
  name: "keys.decoys.noted",
  publishers: ["identity"],
  subscribers: ["keys"],
  shared: true,
  event: z.strictObject({
    socketId: id,
    room: id,
    atMs: epochMs,
    deed: z.enum(decoyDeeds).extract(["arrived", "tried", "accepted", "resumed"]),
    gate: gateName.nullable(),
    believed: z.boolean().nullable(),
  }),
  delivery: "unordered; a loss is a gap in a transcript",
});

const page = { after: z.number().int().nonnegative(), limit: z.number().int().min(1).max(100) };
const records = z.strictObject({
  records: z.array(decoyRecord).max(100),
  /** `after` of the next page; null: there is nothing more yet. */
  next: z.number().int().positive().nullable(),
});

export const readDecoyRecords = request({
  ...fromIdentity,
  name: "keys.decoys.records",
  request: z.strictObject({ room: id, ...page }),
  reply: records,
  idempotency: "reads only",
  replay: "harmless",
});

const entry = z.strictObject({
  /** Since the one before, or since somebody came. */
  afterMs: z.number().int().min(100).max(3_600_000),
  /** Who says it; null: nobody who has a name. */
  from: memberName.nullable(),
  text: z.string().min(1).max(1_024),
});
export const decoyScript = z.strictObject({
  entries: z.array(entry).min(1).max(200),
  /** From the beginning again, when it is over. */
  repeat: z.boolean(),
});
export type DecoyScript = z.infer<typeof decoyScript>;

/** Null: there is none, or there is to be none. */
const script = z.strictObject({ script: decoyScript.nullable() });

export const keepDecoyScript = request({
  ...fromIdentity,
  name: "keys.decoys.script.keep",
  request: z.strictObject({ socketId: id, script: decoyScript.nullable() }),
  reply: empty,
  idempotency: "the last one stands",
});
export const readDecoyScript = request({
  ...fromIdentity,
  name: "keys.decoys.script.read",
  request: z.strictObject({ socketId: id }),
  reply: script,
  idempotency: "reads only",
  replay: "harmless",
});
/** The socket is gone. */
export const forgetDecoys = request({
  ...fromIdentity,
  name: "keys.decoys.forget",
  request: z.strictObject({ socketId: id }),
  reply: empty,
  idempotency: "forgetting twice is forgetting",
});

export const decoyView = z.strictObject({
  room: id,
  keyId: id.nullable(),
  /** As claimed. */
  member: memberName.nullable(),
  /** Names the network that they come from, and does not tell it. */
  network: text(64),
  sinceMs: epochMs,
  lastMs: epochMs,
  /** Sessions that are there now. */
  sessions: z.number().int().nonnegative(),
});
export type DecoyView = z.infer<typeof decoyView>;

export const listDecoys = request({
  ...fromApi,
  name: "identity.decoys.list",
  request: z.strictObject({ ...mine, after: id.nullable(), limit: z.number().int().min(1).max(200) }),
  reply: z.strictObject({ decoys: z.array(decoyView).max(200), next: id.nullable() }),
  idempotency: "reads only",
  replay: "harmless",
});
export const readDecoy = request({
  ...fromApi,
  name: "identity.decoys.read",
  request: z.strictObject({ ...mine, room: id, ...page }),
  reply: records.extend({ decoy: decoyView }),
  idempotency: "reads only",
  replay: "harmless",
});
/** Who is in there is put out, and who comes again is looked at anew. What was written down stays for as long as it is kept. */
export const endDecoy = request({
  ...fromApi,
  name: "identity.decoys.end",
  request: z.strictObject({ ...mine, room: id }),
  reply: z.strictObject({ closed: z.number().int().nonnegative() }),
  idempotency: "ending twice is ending",
});
export const setDecoyScript = request({
  ...fromApi,
  name: "identity.decoys.script.set",
  request: z.strictObject({ ...mine, script: decoyScript.nullable() }),
  reply: empty,
  idempotency: "the last one stands",
});
export const getDecoyScript = request({
  ...fromApi,
  name: "identity.decoys.script.get",
  request: z.strictObject(mine),
  reply: script,
  idempotency: "reads only",
  replay: "harmless",
});
