import { madeUp } from "@portcullis/documents";
import { member, socket } from "./store.ts";

/** What most have, at about its usual length. */
const id = "0".repeat(22);
const tag = "0".repeat(43);
const sealed = "0".repeat(160);

/** Parsed where there is no socket whose policy could be. */
export const nobodysPolicy = { gates: [{ gate: "key" }, { gate: "otp" }] };

/** Reads the socket, or the member, of nobody: what is not found must cost what is. */
export const readNobodysSocket = madeUp(socket, {
  ownerId: id,
  label: "nobody",
  pathTag: tag,
  policy: nobodysPolicy,
  idParameter: "id",
  enrolments: {},
  alerts: { mail: true, webhook: null, kinds: null },
  goneAtMs: null,
  createdAtMs: 0,
  updatedAtMs: 0,
});

export const readNobodysMember = madeUp(member, {
  socketId: id,
  name: "nobody",
  canary: false,
  contactsSealed: sealed,
  passphraseHash: null,
  enrolments: { otp: id },
  goneAtMs: null,
  createdAtMs: 0,
});
