import type { Operation } from "./operation.ts";
import { at, atMs, password } from "./samples.ts";

const storedToken = { id: "t1", label: "ci", canary: false, createdAtMs: atMs, expiresAtMs: atMs, lastUsedAtMs: null };
const shownToken = { id: "t1", label: "ci", canary: false, createdAt: at, expiresAt: at, lastUsedAt: null };

export const credentialOperations: readonly Operation[] = [
  {
    method: "GET",
    route: "/v1/account/sessions",
    contract: "identity.accounts.sessions.list",
    asks: { ownerId: "own_1" },
    answer: {
      sessions: [
        { id: "session_1", createdAtMs: atMs, lastSeenAtMs: atMs, expiresAtMs: atMs, userAgent: "ua", address: "::1" },
      ],
    },
    status: 200,
    gives: {
      sessions: [
        {
          id: "session_1",
          createdAt: at,
          lastSeenAt: at,
          expiresAt: at,
          userAgent: "ua",
          address: "::1",
          current: true,
        },
      ],
    },
    sessionOnly: true,
  },
  {
    method: "DELETE",
    route: "/v1/account/sessions/{id}",
    path: "/v1/account/sessions/ws_2",
    contract: "identity.accounts.sessions.revoke",
    asks: { ownerId: "own_1", sessionId: "ws_2" },
    answer: {},
    status: 204,
    gives: null,
    sessionOnly: true,
  },
  {
    method: "GET",
    route: "/v1/account/tokens",
    contract: "identity.accounts.tokens.list",
    asks: { ownerId: "own_1" },
    answer: { tokens: [storedToken] },
    status: 200,
    gives: { tokens: [shownToken] },
    sessionOnly: true,
  },
  {
    method: "POST",
    route: "/v1/account/tokens",
    send: { label: "ci", expiresAt: at, password, code: "123456" },
    contract: "identity.accounts.tokens.create",
    asks: {
      ownerId: "own_1",
      password,
      secondFactor: { kind: "code", value: "123456" },
      label: "ci",
      canary: false,
      expiresAtMs: atMs,
    },
    answer: { token: storedToken, secret: "pct_x" },
    status: 201,
    gives: { token: shownToken, secret: "pct_x" },
    sessionOnly: true,
  },
  {
    method: "DELETE",
    route: "/v1/account/tokens/{id}",
    path: "/v1/account/tokens/t1",
    contract: "identity.accounts.tokens.revoke",
    asks: { ownerId: "own_1", tokenId: "t1" },
    answer: {},
    status: 204,
    gives: null,
    sessionOnly: true,
  },
];
