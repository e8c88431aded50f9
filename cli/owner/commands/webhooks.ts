import { exitCodes, Sorry } from "../../exit.ts";
import type { Json } from "../api.ts";
import { done, record, rows, shownOnce, table } from "../show.ts";
import type { Given, OwnerCommand } from "./owner-command.ts";
import { at, socketPath } from "./paths.ts";

const webhookColumns = ["id", "url", "purpose", "createdAt", "previousUntil"];

const webhookPath = (given: Given) => `${socketPath(given)}/webhooks/${at(given.args[1])}`;

/** The owner's programs that a socket's gates speak to. */
export const webhookCommands: readonly OwnerCommand[] = [
  {
    usage: "webhook list SOCKET",
    about: "programs of yours that its gates speak to, or its alerts go to",
    run: (api, given) => api.ask("GET", `${socketPath(given)}/webhooks`),
    show: (answer) =>
      table(
        rows(answer, "webhooks"),
        webhookColumns,
        "There is no webhook yet: portcullis owner webhook create SOCKET URL",
      ),
  },
  {
    usage: "webhook create SOCKET URL",
    about: "a program of yours at https, by whose id a policy names it; makes the secret that messages are signed with",
    options: { purpose: ["TEXT", "what it is there for"] },
    run: (api, given) =>
      api.ask("POST", `${socketPath(given)}/webhooks`, {
        body: { url: given.args[1], purpose: given.options.purpose ?? null },
      }),
    show: withSecret,
  },
  {
    usage: "webhook secret SOCKET WEBHOOK",
    about: "another secret; the one before is good for 24 hours more, the one before that ends",
    run: (api, given) => api.ask("POST", `${webhookPath(given)}/secret`),
    show: withSecret,
  },
  {
    usage: "webhook remove SOCKET WEBHOOK",
    about: "a webhook that neither the socket's policy nor its alerts need",
    confirm: ({ args: [, webhook] }) => `remove webhook ${webhook}`,
    run: (api, given) => api.ask("DELETE", webhookPath(given), { onProblem: (problem) => sayWhy(problem) }),
    show: done("Removed."),
  },
];

function withSecret({ webhook, secret }: Json): string {
  return `${record({ ...(webhook as Json), secret })}\n${shownOnce}`;
}

/** @throws {Sorry} with more than the server says */
function sayWhy(problem: string): void {
  if (problem === "conflict")
    throw new Sorry(
      exitCodes.refused,
      "the socket's policy speaks to it (portcullis owner socket policy SOCKET), or alerts go there (portcullis owner alerts set SOCKET)",
    );
}
