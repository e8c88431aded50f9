import type { Json } from "../api.ts";
import { postWithPassword } from "../password.ts";
import { done, planted, record, rows, shownOnce, table } from "../show.ts";
import type { OwnerCommand } from "./owner-command.ts";
import { at } from "./paths.ts";

const tokenColumns = ["id", "label", "createdAt", "expiresAt", "lastUsedAt", "canary"];

/** API tokens, for programs. */
export const tokenCommands: readonly OwnerCommand[] = [
  {
    usage: "token list",
    about: "API tokens, for programs",
    run: (api) => api.ask("GET", "/v1/account/tokens"),
    show: (answer) => table(rows(answer, "tokens"), tokenColumns, "There is no token."),
  },
  {
    usage: "token create LABEL",
    about: "an API token; asks for your password and, where you have one, the code of your authenticator",
    options: {
      expires: ["TIME", "within a year, like 2027-01-31T12:00:00Z; 90 days unless you say so"],
      canary: ["", "one to plant where nobody should find it: it is refused, and you get a mail when somebody uses it"],
    },
    run: (api, { args: [label], options: { expires, canary } }, ask) => {
      const expiresAt = expires === undefined ? {} : { expiresAt: expires };
      return postWithPassword(api, "/v1/account/tokens", { label, canary: canary !== undefined, ...expiresAt }, ask);
    },
    show: ({ token, secret }) =>
      `${record({ ...(token as Json), secret })}\n${(token as Json).canary === true ? planted : shownOnce}`,
  },
  {
    usage: "token revoke TOKEN",
    about: "an API token",
    confirm: ({ args: [id] }) => `revoke token ${id}`,
    run: (api, { args: [id] }) => api.ask("DELETE", `/v1/account/tokens/${at(id)}`),
    show: done("Revoked."),
  },
];
