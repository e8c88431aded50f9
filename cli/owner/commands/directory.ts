import { done, rows, table } from "../show.ts";
import type { OwnerCommand } from "./owner-command.ts";
import { at, socketPath } from "./paths.ts";

const columns = ["name", "fingerprint", "words", "identities", "prekeyUntil", "changedAt"];

/** Whom messages can be sealed to end to end. */
export const directoryCommands: readonly OwnerCommand[] = [
  {
    usage: "directory list SOCKET",
    about: "whom its messages can be sealed to end to end, and by which words people compare them",
    run: (api, given) => api.ask("GET", `${socketPath(given)}/directory`),
    show: (answer) => table(rows(answer, "entries"), columns, "Nobody has published an identity yet."),
  },
  {
    usage: "directory reset SOCKET NAME",
    about: "forgets the identity under a name, where it is lost; who pinned it refuses the next",
    confirm: ({ args: [, name] }) => `reset ${name}`,
    run: (api, given) => api.ask("DELETE", `${socketPath(given)}/directory/${at(given.args[1])}`),
    show: done("Reset."),
  },
];
