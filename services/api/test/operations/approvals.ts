import type { Operation } from "./operation.ts";
import { at, atMs, mine } from "./samples.ts";

export const approvalOperations: readonly Operation[] = [
  {
    method: "GET",
    route: "/v1/sockets/{id}/approvals",
    path: "/v1/sockets/sck_1/approvals",
    contract: "identity.sockets.approvals.list",
    asks: mine,
    answer: {
      approvals: [
        {
          id: "w1",
          member: "bob",
          memberProven: true,
          gates: ["key", "otp"],
          sinceMs: atMs,
          untilMs: atMs,
          given: 1,
          needed: 2,
          mine: false,
        },
      ],
    },
    status: 200,
    gives: {
      approvals: [
        {
          id: "w1",
          member: "bob",
          memberProven: true,
          gates: ["key", "otp"],
          since: at,
          until: at,
          given: 1,
          needed: 2,
          mine: false,
        },
      ],
    },
  },
  {
    method: "POST",
    route: "/v1/sockets/{id}/approvals/{approvalId}",
    path: "/v1/sockets/sck_1/approvals/w1",
    send: { decision: "approve", number: "417" },
    contract: "identity.sockets.approvals.decide",
    asks: { ...mine, waitId: "w1", decision: { say: "approve", number: "417" } },
    answer: { state: "waiting", given: 1, needed: 2 },
    status: 200,
    gives: { state: "waiting", given: 1, needed: 2 },
    sessionOnly: true,
  },
  {
    method: "POST",
    route: "/v1/sockets/{id}/approvals/{approvalId}",
    path: "/v1/sockets/sck_1/approvals/w1",
    send: { decision: "refuse" },
    contract: "identity.sockets.approvals.decide",
    asks: { ...mine, waitId: "w1", decision: { say: "refuse" } },
    answer: { state: "refused", given: 0, needed: 2 },
    status: 200,
    gives: { state: "refused", given: 0, needed: 2 },
    sessionOnly: true,
  },
];
