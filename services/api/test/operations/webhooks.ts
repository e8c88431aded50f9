import type { Operation } from "./operation.ts";
import { at, atMs, mine } from "./samples.ts";

const storedWebhook = {
  id: "hook_1",
  url: "https://hooks.example.com/a",
  purpose: "faces",
  createdAtMs: atMs,
  previousUntilMs: null,
};
const shownWebhook = {
  id: "hook_1",
  url: "https://hooks.example.com/a",
  purpose: "faces",
  createdAt: at,
  previousUntil: null,
};

export const webhookOperations: readonly Operation[] = [
  {
    method: "POST",
    route: "/v1/sockets/{id}/webhooks",
    path: "/v1/sockets/sck_1/webhooks",
    send: { url: "https://hooks.example.com/a", purpose: "faces" },
    contract: "identity.sockets.webhooks.create",
    asks: { ...mine, url: "https://hooks.example.com/a", purpose: "faces" },
    answer: { webhook: storedWebhook, secret: "whsec_secret" },
    status: 201,
    gives: { webhook: shownWebhook, secret: "whsec_secret" },
  },
  {
    method: "GET",
    route: "/v1/sockets/{id}/webhooks",
    path: "/v1/sockets/sck_1/webhooks",
    contract: "identity.sockets.webhooks.list",
    asks: mine,
    answer: { webhooks: [storedWebhook] },
    status: 200,
    gives: { webhooks: [shownWebhook] },
  },
  {
    method: "POST",
    route: "/v1/sockets/{id}/webhooks/{webhookId}/secret",
    path: "/v1/sockets/sck_1/webhooks/hook_1/secret",
    contract: "identity.sockets.webhooks.rotate",
    asks: { ...mine, webhookId: "hook_1" },
    answer: { webhook: { ...storedWebhook, previousUntilMs: atMs }, secret: "whsec_other" },
    status: 201,
    gives: { webhook: { ...shownWebhook, previousUntil: at }, secret: "whsec_other" },
  },
  {
    method: "DELETE",
    route: "/v1/sockets/{id}/webhooks/{webhookId}",
    path: "/v1/sockets/sck_1/webhooks/hook_1",
    contract: "identity.sockets.webhooks.remove",
    asks: { ...mine, webhookId: "hook_1" },
    answer: {},
    status: 204,
    gives: null,
  },
  {
    method: "POST",
    route: "/v1/callbacks/{waitId}",
    path: "/v1/callbacks/wait_1",
    send: { decision: "confirm" },
    headers: { "webhook-id": "msg_1", "webhook-timestamp": "1795000000", "webhook-signature": "v1,c2lnbmVk" },
    contract: "factors.webhooks.decide",
    asks: {
      waitId: "wait_1",
      webhookId: "msg_1",
      timestamp: "1795000000",
      signature: "v1,c2lnbmVk",
      body: new Uint8Array(Buffer.from('{"decision":"confirm"}')),
      address: "127.0.0.1",
    },
    answer: { result: "taken" },
    status: 204,
    gives: null,
    anonymous: true,
  },
];
