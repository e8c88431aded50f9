import type { Operation } from "./operation.ts";
import { at, atMs, firstPage, mine } from "./samples.ts";

const shown = { room: "r1", keyId: "k1", member: "bob", network: "n1", sessions: 1 };
const said = { n: 4, deed: "said", gate: null, believed: null, bodyBytes: 5 };
const script = {
  lines: [
    { after: "800ms", from: "ann", text: "morning" },
    { after: "2m", from: null, text: "anybody?" },
  ],
  repeat: true,
};
const stored = {
  entries: [
    { afterMs: 800, from: "ann", text: "morning" },
    { afterMs: 120_000, from: null, text: "anybody?" },
  ],
  repeat: true,
};

export const decoyOperations: readonly Operation[] = [
  {
    method: "GET",
    route: "/v1/sockets/{id}/decoys",
    path: "/v1/sockets/sck_1/decoys",
    contract: "identity.decoys.list",
    asks: { ...mine, ...firstPage },
    answer: { next: null, decoys: [{ ...shown, sinceMs: atMs, lastMs: atMs }] },
    status: 200,
    gives: { next: null, decoys: [{ ...shown, since: at, last: at }] },
  },
  {
    method: "GET",
    route: "/v1/sockets/{id}/decoys/{room}",
    path: "/v1/sockets/sck_1/decoys/r1?after=3",
    contract: "identity.decoys.read",
    asks: { ...mine, room: "r1", after: 3, limit: 100 },
    answer: {
      next: 4,
      decoy: { ...shown, sinceMs: atMs, lastMs: atMs },
      records: [{ ...said, atMs, body: new TextEncoder().encode("hello") }],
    },
    status: 200,
    gives: { next: 4, decoy: { ...shown, since: at, last: at }, records: [{ ...said, at, body: "aGVsbG8" }] },
  },
  {
    method: "DELETE",
    route: "/v1/sockets/{id}/decoys/{room}",
    path: "/v1/sockets/sck_1/decoys/r1",
    contract: "identity.decoys.end",
    asks: { ...mine, room: "r1" },
    answer: { closed: 1 },
    status: 200,
    gives: { closed: 1 },
  },
  {
    method: "GET",
    route: "/v1/sockets/{id}/decoy",
    path: "/v1/sockets/sck_1/decoy",
    contract: "identity.decoys.script.get",
    asks: mine,
    answer: { script: stored },
    status: 200,
    gives: { script },
  },
  {
    method: "PUT",
    route: "/v1/sockets/{id}/decoy",
    path: "/v1/sockets/sck_1/decoy",
    send: script,
    contract: "identity.decoys.script.set",
    asks: { ...mine, script: stored },
    answer: {},
    status: 204,
    gives: null,
  },
  {
    method: "DELETE",
    route: "/v1/sockets/{id}/decoy",
    path: "/v1/sockets/sck_1/decoy",
    contract: "identity.decoys.script.set",
    asks: { ...mine, script: null },
    answer: {},
    status: 204,
    gives: null,
  },
];
