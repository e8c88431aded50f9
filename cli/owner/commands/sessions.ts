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
];
