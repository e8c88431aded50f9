import type { Operation } from "./operation.ts";
import { advice, mine, policy } from "./samples.ts";

const played = {
  simulation: {
    branches: [],
    transcript: [{ step: null, atMs: 0, did: "connects", heard: { is: "accepted" }, noted: [], failures: 0 }],
    verdict: "accept",
    cause: null,
    gates: ["key"],
    assurance: { key: true, memberBound: false, gates: [] },
    unplayed: 1,
  },
  exploration: { ways: [], more: false, holders: [] },
};

export const policyOperations: readonly Operation[] = [
  {
    method: "POST",
    route: "/v1/policies/validate",
    send: { policy, socketId: "sck_1" },
    contract: "identity.policies.validate",
    asks: { ...mine, policy },
    answer: { ok: true, issues: [], advice },
    status: 200,
    gives: { ok: true, issues: [], advice },
  },
  {
    method: "POST",
    route: "/v1/policies/simulate",
    send: { policy, script: [{ pass: "10s" }], facts: { risk: "high" } },
    contract: "identity.policies.simulate",
    asks: { ownerId: "own_1", policy, script: [{ pass: "10s" }], facts: { risk: "high" } },
    answer: played,
    status: 200,
    gives: played,
  },
];
