import { exitCodes, Sorry } from "../../exit.ts";
import type { Api, Json } from "../api.ts";
import { authenticator, done, record, rows, shownOnce, table } from "../show.ts";
import { policyIn } from "./files.ts";
import type { OwnerCommand } from "./owner-command.ts";
import { allOf } from "./pages.ts";
import { socketPath } from "./paths.ts";

const socketColumns = ["id", "label", "role", "url", "updatedAt"];
const policyOption = { policy: ["FILE", "the policy, as JSON; - is standard input"] } as const;

export const socketCommands: readonly OwnerCommand[] = [
  {
    usage: "socket list",
    about: "your sockets",
    run: (api) => allOf(api, "/v1/sockets", "sockets"),
    show: (answer) =>
      table(rows(answer, "sockets"), socketColumns, "You have no socket yet: portcullis owner socket create LABEL"),
  },
  {
    usage: "socket create LABEL",
    about: "a socket; without a policy, behind an app key and an authenticator",
    options: { ...policyOption, path: ["PATH", "its secret path; one that nobody guesses is made unless you say so"] },
    run: async (api, { args: [label], options }) => {
      const policy = (await policyIn(options.policy)) ?? { gates: [{ gate: "key" }, { gate: "otp" }] };
      const path = options.path === undefined ? {} : { path: options.path };
      return api.ask("POST", "/v1/sockets", { body: { label, policy, ...path } });
    },
    show: (answer) => `${socket(answer)}\n\nThe path in its URL is a secret. ${shownOnce}`,
  },
  {
    usage: "socket show SOCKET",
    about: "one socket, with its policy and what is weak about it",
    run: (api, given) => api.ask("GET", socketPath(given)),
    show: socket,
  },
  {
    usage: "socket policy SOCKET",
    about: "another policy, for whoever comes from now on",
    options: policyOption,
    run: async (api, given) => {
      const policy = await policyIn(given.options.policy);
      if (policy === null) throw new Sorry(exitCodes.usage, "--policy is missing");
      const { version } = await api.ask("GET", socketPath(given));
      return api.ask("PATCH", socketPath(given), { body: { version, policy } });
    },
    show: socket,
  },
  {
    usage: "socket path SOCKET",
    about: "another secret path; the one before leads nowhere from then on",
    confirm: ({ args: [id] }) => `end the path of socket ${id}, and everybody has to be told another`,
    run: async (api, given) => {
      const { version } = await api.ask("GET", socketPath(given));
      return api.ask("PATCH", socketPath(given), { body: { version, path: null } });
    },
    show: (answer) => `${socket(answer)}\n\n${shownOnce}`,
  },
  {
    usage: "socket authenticator SOCKET",
    about: "a new authenticator that its members share, for a gate otp of the socket; the one before ends",
    run: (api, given) => api.ask("POST", `${socketPath(given)}/authenticator`),
    show: authenticator,
  },
  {
    usage: "socket delete SOCKET",
    about: "the socket, its keys and members; whoever is on it is put out",
    confirm: ({ args: [id] }) => `delete socket ${id}, its keys and members`,
    run: (api, given) => api.ask("DELETE", socketPath(given)),
    show: done("Deleted."),
  },
];

/** A socket, and below it what is said of its policy. */
function socket({ advice, ...rest }: Json): string {
  const weak = rows({ advice }, "advice");
  return weak.length === 0
    ? record(rest)
    : `${record(rest)}\n\nWeaker than it may look:\n${table(weak, ["severity", "path", "message"], "")}`;
}

export async function allSockets(api: Api): Promise<{ readonly sockets: readonly { id: string; label: string }[] }> {
  const answer = await allOf(api, "/v1/sockets", "sockets");
  return { sockets: rows(answer, "sockets").map(({ id, label }) => ({ id: String(id), label: String(label) })) };
}
