import { type FileHandle, open } from "node:fs/promises";
import { exitCodes, Sorry } from "../../exit.ts";
import type { Json } from "../api.ts";
import { done, record, rows, table } from "../show.ts";
import type { OwnerCommand } from "./owner-command.ts";
import { socketPath } from "./paths.ts";

const columns = ["at", "event", "cause", "gate", "count", "memberName", "member", "by", "session", "about"];

/** The book of a socket. */
export const auditCommands: readonly OwnerCommand[] = [
  {
    usage: "audit list SOCKET",
    about: "what was recorded of it, the newest first",
    options: {
      limit: ["COUNT", "at most so many, up to 200; 50 unless you say so"],
      event: ["EVENT", "only this, like denied or member-removed"],
      order: ["ORDER", "newest or oldest first"],
      after: ["NEXT", "what is behind that; the list says it last"],
    },
    run: (api, given) => {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries(given.options))
        if (name !== "url" && value !== undefined) query.set(name, value);
      return api.ask("GET", `${socketPath(given)}/audit?${query}`);
    },
    show: (answer) => {
      const entries = rows(answer, "entries").map(shown);
      const more = typeof answer.next === "string" ? `\n\nThere is more: --after ${answer.next}` : "";
      return `${table(entries, columns, "Nothing is recorded.")}${more}`;
    },
  },
  {
    usage: "audit export SOCKET",
    about: "the whole book with the server's signature, for portcullis audit verify",
    options: { out: ["FILE", "where to; it must not be there yet"] },
    run: async (api, given) => {
      const { out } = given.options;
      if (out === undefined) throw new Sorry(exitCodes.usage, "--out is missing");
      const file = await newFile(out);
      try {
        await api.download(`${socketPath(given)}/audit/export`, (bytes) => file.write(bytes));
      } finally {
        await file.close();
      }
      return { file: out };
    },
    show: ({ file }) => `Written. Check it with: portcullis audit verify ${String(file)} --pin FINGERPRINT`,
  },
  {
    usage: "audit verify SOCKET",
    about: "has the server check its book; an export can be checked without asking it",
    run: (api, given) => api.ask("POST", `${socketPath(given)}/audit/verify`),
    show: ({ ok, problem, ...rest }) =>
      ok === true
        ? `It verifies.\n${record(rest)}`
        : `It does NOT verify.\n${record({ ...(problem as Json), ...rest })}`,
  },
  {
    usage: "audit keep SOCKET DAYS",
    about: "how long it is kept, 7 to 3650 days; older blocks are removed",
    confirm: ({ args: [, days] }) => `remove what is older than ${days} days, and all that will be`,
    run: (api, given) =>
      api.ask("PUT", `${socketPath(given)}/audit/retention`, { body: { days: Number(given.args[1]) } }),
    show: done("Set."),
  },
];

/** Who was removed is shown as that, and not as nobody. */
function shown(entry: Json): Json {
  const { member, memberName, by, byEmail } = entry;
  return {
    ...entry,
    memberName: memberName ?? (member === undefined ? null : "(erased)"),
    by: byEmail ?? (by === undefined ? null : "(erased)"),
  };
}

/** @throws {Sorry} it is there, or cannot be */
async function newFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "wx", 0o600);
  } catch {
    throw new Sorry(exitCodes.usage, `${path} cannot be written, or is there already`);
  }
}
