import { record, shownOnce } from "../show.ts";
import type { OwnerCommand } from "./owner-command.ts";
import { socketPath } from "./paths.ts";

export const ticketCommand: OwnerCommand = {
  usage: "ticket SOCKET",
  about: "a one-time ticket, good for a minute: for you, unless you say for whom",
  options: {
    member: ["NAME", "whom you have signed in yourself"],
    role: ["ROLE", "member, owner or consumer; owner unless there is a member"],
  },
  run: (api, given) => {
    const { member, role = member === undefined ? "owner" : "member" } = given.options;
    return api.ask("POST", `${socketPath(given)}/tickets`, { body: { member: member ?? null, role } });
  },
  show: (answer) =>
    `${record(answer)}\n${shownOnce}\nPORTCULLIS_TICKET=… portcullis connect URL --pin PIN goes in with it.`,
};
