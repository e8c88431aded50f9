import type { Json } from "../api.ts";
import { planted, record, rows, shownOnce, table } from "../show.ts";
import type { OwnerCommand } from "./owner-command.ts";
import { at, socketPath } from "./paths.ts";

const keyColumns = ["keyId", "label", "role", "createdAt", "lastUsedAt", "revokedAt", "canary"];

/** App keys of a socket. */
export const keyCommands: readonly OwnerCommand[] = [
  {
    usage: "key list SOCKET",
    about: "its app keys",
    run: (api, given) => api.ask("GET", `${socketPath(given)}/keys`),
    show: (answer) =>
      table(rows(answer, "appKeys"), keyColumns, "There is no key yet: portcullis owner key create SOCKET"),
  },
  {
    usage: "key create SOCKET",
    about: "an app key for those who may knock, or for your own program",
    options: {
      label: ["TEXT", "what for"],
      role: ["ROLE", "member, or consumer for your own program, which it lets in alone; member unless you say so"],
      canary: ["", "one to plant where nobody should find it: it lets nobody in, and its use is an alert"],
    },
    run: (api, given) => {
      const { label = "made at a terminal", role = "member", canary } = given.options;
      return api.ask("POST", `${socketPath(given)}/keys`, { body: { label, role, canary: canary !== undefined } });
    },
    show: ({ key, appKey }) => `${record({ key })}\n${(appKey as Json).canary === true ? planted : shownOnce}`,
  },
  {
    usage: "key revoke SOCKET KEY",
    about: "an app key; who came in by it is put out",
    confirm: ({ args: [, key] }) => `revoke key ${key}`,
    run: (api, given) => api.ask("DELETE", `${socketPath(given)}/keys/${at(given.args[1])}`),
    show: ({ closed }) => `Revoked; ${closed} sessions ended.`,
  },
];
