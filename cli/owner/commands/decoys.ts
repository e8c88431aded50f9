import { harmless, harmlessJson } from "../../harmless.ts";
import type { Api, Json } from "../api.ts";
import { done, record, rows, table } from "../show.ts";
import { policyIn } from "./files.ts";
import type { Given, OwnerCommand } from "./owner-command.ts";
import { allOf } from "./pages.ts";
import { at, socketPath } from "./paths.ts";

const columns = ["room", "keyId", "member", "network", "since", "last", "sessions"];
const roomPath = (given: Given) => `${socketPath(given)}/decoys/${at(given.args[1])}`;

/** Rooms into which those are let who must not come in. */
export const decoyCommands: readonly OwnerCommand[] = [
  {
    usage: "decoy list SOCKET",
    about: "who was let into a decoy of it",
    run: (api, given) => allOf(api, `${socketPath(given)}/decoys`, "decoys"),
    show: (answer) => table(rows(answer, "decoys"), columns, "Nobody was let into one."),
  },
  {
    usage: "decoy show SOCKET ROOM",
    about: "what they tried, and what they said there",
    run: (api, given) => wholeOf(api, roomPath(given)),
    show: (answer) => [record(answer.decoy as Json), "", ...rows(answer, "records").map(lineOf)].join("\n"),
  },
  {
    usage: "decoy end SOCKET ROOM",
    about: "puts them out; if they come again, they are looked at anew",
    run: (api, given) => api.ask("DELETE", roomPath(given)),
    show: ({ closed }) => `Ended; sessions that were there: ${closed}.`,
  },
  {
    usage: "decoy script SOCKET",
    about: "what is heard there; with --file, something else",
    options: { file: ["FILE", "lines as JSON, as in docs/operations.md; - is standard input"] },
    run: async (api, given) => {
      const path = `${socketPath(given)}/decoy`;
      const body = await policyIn(given.options.file);
      return body === null ? api.ask("GET", path) : api.ask("PUT", path, { body });
    },
    show: ({ script }) => (script === undefined ? "Set." : script === null ? "There is none." : harmlessJson(script)),
  },
  {
    usage: "decoy script-remove SOCKET",
    about: "nothing more is heard there that you wrote",
    run: (api, given) => api.ask("DELETE", `${socketPath(given)}/decoy`),
    show: done("Removed."),
  },
];

/** All pages as one. */
async function wholeOf(api: Api, path: string): Promise<Json> {
  const records: Json[] = [];
  let page = await api.ask("GET", path);
  records.push(...rows(page, "records"));
  while (typeof page.next === "number") {
    page = await api.ask("GET", `${path}?after=${page.next}`);
    records.push(...rows(page, "records"));
  }
  return { decoy: page.decoy, records };
}

/** What an intruder has said must not reach the owner's terminal as anything but text. */
function lineOf({ at: time, deed, gate, believed, body, bodyBytes }: Json): string {
  const said = typeof body === "string" ? harmless(Buffer.from(body, "base64url").toString("utf8")) : "";
  const cut = typeof bodyBytes === "number" && bodyBytes > Buffer.byteLength(String(body), "base64url") ? " ..." : "";
  const tried = gate === null ? "" : `${String(gate)}${believed === true ? " (believed)" : ""}`;
  return `${String(time)}  ${String(deed).padEnd(8)}  ${tried}${said}${cut}`.trimEnd();
}
