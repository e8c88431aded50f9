import type { Operation } from "./operation.ts";

const atMs = Date.parse("2026-11-23T12:00:00.000Z");
const at = "2026-11-23T12:00:00.000Z";
const password = "a long enough password";
const stored = {
  id: "pk1",
  label: "phone",
  relyingParty: "localhost",
  synced: false,
  createdAtMs: atMs,
  lastUsedAtMs: null,
};
const shown = { id: "pk1", label: "phone", relyingParty: "localhost", synced: false, createdAt: at, lastUsedAt: null };
const registration = { registrationId: "r1", options: { challenge: "AAAA", rp: { id: "localhost" } } };
const response = { id: "AAAA", type: "public-key", response: { clientDataJSON: "AAAA" } };
const mine = { ownerId: "own_1", socketId: "sck_1", name: "bob@x" };
const members = "/v1/sockets/{id}/members/{name}/passkeys";
const bobs = "/v1/sockets/sck_1/members/bob%40x/passkeys";

export const passkeyOperations: readonly Operation[] = [
  {
    method: "GET",
    route: "/v1/account/passkeys",
    contract: "identity.accounts.passkeys.list",
    asks: { ownerId: "own_1" },
    answer: { passkeys: [stored] },
    status: 200,
    gives: { passkeys: [shown] },
    sessionOnly: true,
  },
  {
    method: "POST",
    route: "/v1/account/passkeys/begin",
    send: { password, code: "123456" },
    contract: "identity.accounts.passkeys.begin",
    asks: { ownerId: "own_1", password, secondFactor: { kind: "code", value: "123456" } },
    answer: registration,
    status: 200,
    gives: registration,
    sessionOnly: true,
  },
  {
    method: "POST",
    route: "/v1/account/passkeys",
    send: { registrationId: "r1", response, label: "phone" },
    contract: "identity.accounts.passkeys.finish",
    asks: { ownerId: "own_1", registrationId: "r1", origin: "http://localhost:{port}", response, label: "phone" },
    answer: stored,
    status: 201,
    gives: shown,
    sessionOnly: true,
  },
  {
    method: "DELETE",
    route: "/v1/account/passkeys/{id}",
    path: "/v1/account/passkeys/pk1",
    send: { password },
    contract: "identity.accounts.passkeys.remove",
    asks: { ownerId: "own_1", passkeyId: "pk1", password, keepSessionId: "session_1" },
    answer: {},
    status: 204,
    gives: null,
    sessionOnly: true,
  },
  {
    method: "POST",
    route: "/v1/sign-in/passkey/begin",
    contract: "identity.accounts.passkeys.sign-in.begin",
    asks: { address: "127.0.0.1" },
    answer: { signInId: "s1", challenge: "AAAA", relyingParty: "localhost" },
    status: 200,
    gives: {
      signInId: "s1",
      options: { challenge: "AAAA", rpId: "localhost", userVerification: "required", timeout: 300_000 },
    },
    anonymous: true,
  },
  {
    method: "POST",
    route: "/v1/sign-in/passkey",
    send: { signInId: "s1", response },
    headers: { "user-agent": "probe/1" },
    contract: "identity.accounts.passkeys.sign-in.finish",
    asks: { signInId: "s1", origin: "http://localhost:{port}", response, address: "127.0.0.1", userAgent: "probe/1" },
    answer: { secret: "pcs_secretsecretsecret", sessionId: "ws_1", expiresAtMs: atMs },
    status: 200,
    gives: { sessionId: "ws_1", expiresAt: at },
    anonymous: true,
  },
  {
    method: "GET",
    route: members,
    path: bobs,
    contract: "identity.sockets.passkeys.list",
    asks: mine,
    answer: { passkeys: [stored] },
    status: 200,
    gives: { passkeys: [shown] },
  },
  {
    method: "POST",
    route: `${members}/begin`,
    path: `${bobs}/begin`,
    send: { relyingParty: "app.example.com" },
    contract: "identity.sockets.passkeys.begin",
    asks: { ...mine, relyingParty: "app.example.com" },
    answer: registration,
    status: 200,
    gives: registration,
  },
  {
    method: "POST",
    route: members,
    path: bobs,
    send: { registrationId: "r1", response, label: "phone", origin: "https://app.example.com" },
    contract: "identity.sockets.passkeys.finish",
    asks: { ...mine, registrationId: "r1", response, label: "phone", origin: "https://app.example.com" },
    answer: stored,
    status: 201,
    gives: shown,
  },
  {
    method: "DELETE",
    route: `${members}/{passkeyId}`,
    path: `${bobs}/pk1`,
    contract: "identity.sockets.passkeys.remove",
    asks: { ...mine, passkeyId: "pk1" },
    answer: {},
    status: 204,
    gives: null,
  },
];
