import type { Operation } from "./operation.ts";
import { at, atMs, mine } from "./samples.ts";

const shown = {
  name: "consumer",
  fingerprint: "f".repeat(21).concat("A"),
  words: "abandon ability able about above absent",
  identities: 1,
};

export const directoryOperations: readonly Operation[] = [
  {
    method: "GET",
    route: "/v1/sockets/{id}/directory",
    path: "/v1/sockets/sck_1/directory",
    contract: "identity.sockets.directory.list",
    asks: mine,
    answer: { entries: [{ ...shown, prekeyUntilMs: null, changedAtMs: atMs }] },
    status: 200,
    gives: { entries: [{ ...shown, prekeyUntil: null, changedAt: at }] },
  },
  {
    method: "DELETE",
    route: "/v1/sockets/{id}/directory/{name}",
    path: "/v1/sockets/sck_1/directory/consumer",
    contract: "identity.sockets.directory.reset",
    asks: { ...mine, name: "consumer" },
    answer: {},
    status: 204,
    gives: null,
  },
];
