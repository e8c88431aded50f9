import { done, rows, table } from "../show.ts";
import type { OwnerCommand } from "./owner-command.ts";
import { allOf } from "./pages.ts";
import { at, socketPath } from "./paths.ts";

const sessionColumns = ["sid", "member", "role", "edge", "gates", "acceptedAt", "expiresAt", "words"];

/** Who is on a socket. */
export const sessionCommands: readonly OwnerCommand[] = [
  {
    usage: "session list SOCKET",
    about: "who is on it",
    run: (api, given) => allOf(api, `${socketPath(given)}/sessions`, "sessions"),
    show: (answer) => table(rows(answer, "sessions"), sessionColumns, "Nobody is there."),
  },
  {
    usage: "session kick SOCKET SESSION",
    about: "puts somebody out, at once",
    run: (api, given) => api.ask("DELETE", `${socketPath(given)}/sessions/${at(given.args[1])}`),
    show: done("Put out."),
  },
  {
    usage: "session step-up SOCKET SESSION",
    about: "asks somebody again, as the policy provides on demand; it ends the session unless they pass",
    options: { rule: ["INDEX", "which rule of `during`, from 0; the first on demand unless you say so"] },
    run: (api, given) => {
      const { rule } = given.options;
      return api.ask("POST", `${socketPath(given)}/sessions/${at(given.args[1])}/step-up`, {
        body: rule === undefined ? {} : { rule: Number(rule) },
      });
    },
    show: ({ asked }) =>
      asked ? "Asked." : "They are not connected at the moment: they are asked when they come back.",
  },
];
