import type { Operation } from "./operation.ts";
import { at, atMs } from "./samples.ts";

export const serverOperations: readonly Operation[] = [
  {
    method: "GET",
    route: "/v1/outbox",
    headers: { authorization: "Bearer outbox-key" },
    contract: "notify.outbox.read",
    asks: { key: "outbox-key", limit: 50 },
    answer: { messages: [{ id: "m1", atMs, channel: "sms", to: "+49301234", subject: "", text: "123456" }] },
    status: 200,
    gives: { messages: [{ id: "m1", at, channel: "sms", to: "+49301234", subject: "", text: "123456" }] },
    anonymous: true,
  },
  {
    method: "GET",
    route: "/v1/server",
    contract: "keys.identity",
    asks: {},
    answer: { fingerprint: "print" },
    status: 200,
    gives: { version: "0.1.0", fingerprint: "print" },
    anonymous: true,
  },
];
