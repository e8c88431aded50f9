import { done, rows, table } from "../show.ts";
import type { OwnerCommand } from "./owner-command.ts";
import { allOf } from "./pages.ts";
import { at, socketPath } from "./paths.ts";

const holdColumns = ["id", "member", "gate", "keyId", "network", "kind", "until"];

/** Who has to wait, or is locked out, after failing. */
export const holdCommands: readonly OwnerCommand[] = [
  {
    usage: "hold list SOCKET",
    about: "who has to wait, or is locked out, after failing",
    run: (api, given) => allOf(api, `${socketPath(given)}/holds`, "holds"),
    show: (answer) => table(rows(answer, "holds"), holdColumns, "Nobody is held."),
  },
  {
    usage: "hold release SOCKET HOLD",
    about: "ends it, and forgets what failed",
    run: (api, given) => api.ask("DELETE", `${socketPath(given)}/holds/${at(given.args[1])}`),
    show: done("Released."),
  },
];
