import type { Operation } from "./operation.ts";
import { at, atMs, firstPage, mine } from "./samples.ts";

const shownSession = {
  sid: "s1",
  member: null,
  keyId: "k1",
  edge: "edge-1",
  role: "member",
  gates: ["key"],
  assurance: { key: true, memberBound: false, gates: [] },
  context: { rest: "a/b", query: "room=2" },
  parameters: { room: "2" },
};
const words = "legal winner thank year wave sausage";
const ticket = `pt1.${"A".repeat(43)}`;

export const sessionOperations: readonly Operation[] = [
  {
    method: "POST",
    route: "/v1/sockets/{id}/tickets",
    path: "/v1/sockets/sck_1/tickets",
    send: { member: "bob@x" },
    contract: "identity.tickets.mint",
    asks: { ...mine, member: "bob@x", role: "member" },
    answer: { ticket, expiresAtMs: atMs, label: "chat", idParameter: "who", fingerprint: "print" },
    status: 201,
    gives: { ticket, expiresAt: at, url: "ws://localhost:{port}/chat/{path}?who=bob%40x", pin: "print" },
  },
  {
    method: "GET",
    route: "/v1/sockets/{id}/sessions",
    path: "/v1/sockets/sck_1/sessions",
    contract: "identity.sockets.sessions.list",
    asks: { ...mine, ...firstPage },
    answer: {
      next: null,
      sessions: [{ ...shownSession, acceptedAtMs: atMs, expiresAtMs: atMs, steppedUpAtMs: null, words }],
    },
    status: 200,
    gives: {
      next: null,
      sessions: [{ ...shownSession, acceptedAt: at, expiresAt: at, steppedUpAt: null, words }],
    },
  },
  {
    method: "POST",
    route: "/v1/sockets/{id}/sessions/{sid}/step-up",
    path: "/v1/sockets/sck_1/sessions/s1/step-up",
    send: { rule: 2 },
    contract: "identity.sockets.sessions.stepup",
    asks: { ...mine, sid: "s1", rule: 2 },
    answer: { asked: true },
    status: 200,
    gives: { asked: true },
  },
  {
    method: "DELETE",
    route: "/v1/sockets/{id}/sessions/{sid}",
    path: "/v1/sockets/sck_1/sessions/s1",
    contract: "identity.sockets.sessions.kick",
    asks: { ...mine, sid: "s1" },
    answer: {},
    status: 204,
    gives: null,
  },
];
