import { exitCodes, Sorry } from "../../exit.ts";
import { record, rows, table } from "../show.ts";
import type { Given, OwnerCommand } from "./owner-command.ts";
import { allOf } from "./pages.ts";
import { socketPath } from "./paths.ts";

const alertColumns = ["at", "lastAt", "count", "kind", "keyLabel", "member", "about"];

/** What an owner is told without having asked. */
export const alertCommands: readonly OwnerCommand[] = [
  {
    usage: "alerts set SOCKET",
    about: "how you are told of alerts; what you do not say stays, and without options it is shown",
    options: {
      mail: ["yes|no", "to your address, once it is confirmed"],
      webhook: ["WEBHOOK", "one of the socket's webhooks; '' for none"],
      kinds: ["KINDS", "of which you are told, like lockout,canary-key; all for every kind"],
    },
    async run(api, given) {
      const path = `${socketPath(given)}/alerts/settings`;
      const before = await api.ask("GET", path);
      const changed = settingsIn(given);
      return Object.keys(changed).length === 0 ? before : api.ask("PUT", path, { body: { ...before, ...changed } });
    },
    show: ({ mail, webhook, kinds }) => record({ mail, webhook: webhook ?? "none", kinds: kinds ?? "all" }),
  },
  {
    usage: "alerts SOCKET",
    about: "what it had to tell you, the latest first",
    run: (api, given) => allOf(api, `${socketPath(given)}/alerts`, "alerts"),
    show: (answer) => table(rows(answer, "alerts"), alertColumns, "There was no alert in the last 90 days."),
  },
];

function settingsIn({ options: { mail, webhook, kinds } }: Given): Record<string, unknown> {
  if (mail !== undefined && mail !== "yes" && mail !== "no") throw new Sorry(exitCodes.usage, "--mail is yes or no");
  return {
    ...(mail === undefined ? {} : { mail: mail === "yes" }),
    ...(webhook === undefined ? {} : { webhook: webhook || null }),
    ...(kinds === undefined ? {} : { kinds: kinds === "all" ? null : kinds.split(",").filter((kind) => kind !== "") }),
  };
}
