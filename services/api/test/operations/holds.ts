import type { Operation } from "./operation.ts";
import { at, atMs, firstPage, mine } from "./samples.ts";

const shown = { id: "h1", member: "bob@x", gate: "otp", keyId: null, network: null, kind: "lockout" };

export const holdOperations: readonly Operation[] = [
  {
    method: "GET",
    route: "/v1/sockets/{id}/holds",
    path: "/v1/sockets/sck_1/holds",
    contract: "identity.sockets.holds.list",
    asks: { ...mine, ...firstPage },
    answer: { next: null, holds: [{ ...shown, untilMs: atMs }] },
    status: 200,
    gives: { next: null, holds: [{ ...shown, until: at }] },
  },
  {
    method: "DELETE",
    route: "/v1/sockets/{id}/holds/{holdId}",
    path: "/v1/sockets/sck_1/holds/h1",
    contract: "identity.sockets.holds.release",
    asks: { ...mine, holdId: "h1" },
    answer: {},
    status: 204,
    gives: null,
  },
];
