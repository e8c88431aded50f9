import type { Operation } from "./operation.ts";
import { at, atMs, mine } from "./samples.ts";

const entry = {
  n: 7,
  index: 0,
  event: "denied",
  cause: "attempts",
  member: "m1",
  memberName: null,
  byEmail: null,
  about: { gate: "otp" },
};
const line = { statement: { socket: "sck_1" }, key: "k", sig: "s" };

export const auditOperations: readonly Operation[] = [
  {
    method: "GET",
    route: "/v1/sockets/{id}/audit",
    path: "/v1/sockets/sck_1/audit?order=oldest&event=denied&limit=3&after=6-1",
    contract: "identity.audit.list",
    asks: { ...mine, after: "6-1", limit: 3, order: "oldest", event: "denied" },
    answer: { entries: [{ ...entry, atMs }], next: "7-0", days: 30 },
    status: 200,
    gives: { entries: [{ ...entry, at }], next: "7-0", days: 30 },
  },
  {
    method: "GET",
    route: "/v1/sockets/{id}/audit/export",
    path: "/v1/sockets/sck_1/audit/export",
    contract: "identity.audit.export",
    asks: { ...mine, after: null, range: null },
    answer: { lines: [JSON.stringify(line)], range: { first: 1, last: 1 }, next: null },
    status: 200,
    gives: line,
  },
  {
    method: "POST",
    route: "/v1/sockets/{id}/audit/verify",
    path: "/v1/sockets/sck_1/audit/verify",
    contract: "identity.audit.verify",
    asks: { ...mine, after: null },
    answer: { blocks: 4, from: 2, to: 5, end: null, problem: null, next: null },
    status: 200,
    gives: { ok: true, blocks: 4, from: 2, to: 5, end: "unknown", problem: null },
  },
  {
    method: "PUT",
    route: "/v1/sockets/{id}/audit/retention",
    path: "/v1/sockets/sck_1/audit/retention",
    send: { days: 30 },
    contract: "identity.audit.keep",
    asks: { ...mine, days: 30 },
    answer: {},
    status: 204,
    gives: null,
  },
];
