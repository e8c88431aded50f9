import type { Operation } from "./operation.ts";
import { at, atMs, firstPage, mine } from "./samples.ts";

const settings = { mail: false, webhook: "hook_1", kinds: ["lockout", "canary-key"] };
const alert = { id: "8204-a", kind: "canary-key", about: { key: "k1" }, keyLabel: "attic", member: null, count: 3 };

export const alertOperations: readonly Operation[] = [
  {
    method: "GET",
    route: "/v1/sockets/{id}/alerts",
    path: "/v1/sockets/sck_1/alerts",
    contract: "identity.sockets.alerts.list",
    asks: { ...mine, ...firstPage },
    answer: { alerts: [{ ...alert, atMs, lastAtMs: atMs }], next: "8204-a" },
    status: 200,
    gives: { alerts: [{ ...alert, at, lastAt: at }], next: "8204-a" },
  },
  {
    method: "GET",
    route: "/v1/sockets/{id}/alerts/settings",
    path: "/v1/sockets/sck_1/alerts/settings",
    contract: "identity.sockets.alerts.read-settings",
    asks: mine,
    answer: settings,
    status: 200,
    gives: settings,
  },
  {
    method: "PUT",
    route: "/v1/sockets/{id}/alerts/settings",
    path: "/v1/sockets/sck_1/alerts/settings",
    send: settings,
    contract: "identity.sockets.alerts.set-settings",
    asks: { ...mine, settings },
    answer: settings,
    status: 200,
    gives: settings,
  },
];
