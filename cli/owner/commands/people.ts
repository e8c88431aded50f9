import { setTimeout as sleep } from "node:timers/promises";
import { exitCodes, Sorry } from "../../exit.ts";
import type { Api, Json } from "../api.ts";
import { done, record, rows, table } from "../show.ts";
import type { Given, OwnerCommand } from "./owner-command.ts";
import { at, socketPath } from "./paths.ts";

const personColumns = ["id", "email", "role", "state", "expiresAt"];
const approvalColumns = ["id", "member", "proven", "passed", "approved", "since", "until"];

const approvalPath = (given: Given) => `${socketPath(given)}/approvals/${at(given.args[1])}`;

/** People of a socket, and what they decide. */
export const peopleCommands: readonly OwnerCommand[] = [
  {
    usage: "people list SOCKET",
    about: "who may see it, who may let somebody in, and who is invited",
    run: (api, given) => api.ask("GET", `${socketPath(given)}/people`),
    show: (answer) => table(rows(answer, "people"), personColumns, ""),
  },
  {
    usage: "people invite SOCKET EMAIL",
    about: "somebody, by mail; once more is another mail, and the token in the one before ends",
    options: {
      role: ["ROLE", "viewer, who reads, or approver, who also lets in who waits; approver unless you say so"],
    },
    run: (api, given) =>
      api.ask("POST", `${socketPath(given)}/people`, {
        body: { email: given.args[1], role: given.options.role ?? "approver" },
      }),
    show: (answer) => `${record(answer)}\nA mail is on its way.`,
  },
  {
    usage: "people role SOCKET PERSON ROLE",
    about: "another role for somebody: viewer or approver",
    run: (api, given) =>
      api.ask("PATCH", `${socketPath(given)}/people/${at(given.args[1])}`, { body: { role: given.args[2] } }),
    show: record,
  },
  {
    usage: "people remove SOCKET PERSON",
    about: "somebody, or an invitation, at once; me leaves a socket of somebody else's",
    confirm: ({ args: [, person] }) => (person === "me" ? "leave the socket" : `remove person ${person}`),
    run: (api, given) => api.ask("DELETE", `${socketPath(given)}/people/${at(given.args[1])}`),
    show: done("Removed."),
  },
  {
    usage: "invitation accept",
    about: "that you got by mail; asks for the token that the mail has",
    run: async (api, _given, ask) =>
      api.ask("POST", "/v1/invitations/accept", { body: { token: await ask("Token from the mail: ") } }),
    show: ({ label, role }) => `You are ${String(role)} of ${String(label)} now.`,
  },
  {
    usage: "approvals SOCKET",
    about: "who waits to be let in",
    options: { watch: ["SECONDS", "looks again every so often, and shows what changed, until Ctrl-C"] },
    run: (api, given) => watch(api, given),
    show: list,
  },
  {
    usage: "approve SOCKET ID NUMBER",
    about: "lets somebody in, by the number that they tell you; three wrong ones end their wait",
    run: (api, given) =>
      api.ask("POST", approvalPath(given), {
        body: { decision: "approve", number: given.args[2] },
        onProblem: (problem) => sayWhy(problem),
      }),
    show: ({ state, given, needed }) =>
      state === "waiting"
        ? `${String(given)} of ${String(needed)} have approved; others have to as well.`
        : "They are let in, as far as approval goes.",
  },
  {
    usage: "refuse SOCKET ID",
    about: "turns somebody away, whatever else they could show",
    run: (api, given) =>
      api.ask("POST", approvalPath(given), { body: { decision: "refuse" }, onProblem: (problem) => sayWhy(problem) }),
    show: done("Refused."),
  },
];

/** @throws {Sorry} with more than the server says */
function sayWhy(problem: string): void {
  if (problem === "not_found")
    throw new Sorry(exitCodes.refused, "they wait no more, or it was decided: portcullis owner approvals SOCKET");
  if (problem === "forbidden")
    throw new Sorry(
      exitCodes.refused,
      "that is for somebody else to decide: it is your own connection, or you came with an API token",
    );
}

function list(answer: Json): string {
  const shown = rows(answer, "approvals").map(({ memberProven, gates, given, needed, ...rest }) => ({
    ...rest,
    proven: memberProven,
    passed: gates,
    approved: `${String(given)} of ${String(needed)}`,
  }));
  return table(shown, approvalColumns, "Nobody waits.");
}

/** With `--watch` each change is printed until Ctrl-C. @throws {Sorry} */
async function watch(api: Api, given: Given): Promise<Json> {
  const seconds = given.options.watch === undefined ? null : Number(given.options.watch);
  const ask = () => api.ask("GET", `${socketPath(given)}/approvals`);
  if (seconds === null) return ask();
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 60)
    throw new Sorry(exitCodes.usage, "--watch must be a number of seconds, 1 to 60");
  const ended = new AbortController();
  process.once("SIGINT", () => ended.abort());
  for (let before = ""; ; ) {
    const answer = await ask();
    const shown = list(answer);
    if (ended.signal.aborted) return answer;
    if (shown !== before) process.stdout.write(`${shown}\n\n`);
    before = shown;
    await sleep(seconds * 1_000, undefined, { signal: ended.signal }).catch(() => undefined);
  }
}
