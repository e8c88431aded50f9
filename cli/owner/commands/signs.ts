import { framed } from "../../connect/ident.ts";
import { exitCodes, Sorry } from "../../exit.ts";
import { done, record, shownOnce } from "../show.ts";
import { textIn } from "./files.ts";
import type { OwnerCommand } from "./owner-command.ts";
import { memberPath } from "./paths.ts";

/** By what members recognise the server. */
export const signCommands: readonly OwnerCommand[] = [
  {
    usage: "member sign SOCKET NAME",
    about: "the member's sign, by which they recognise this server; with an option, another one",
    options: {
      art: ["FILE", "plain ASCII, at most 24 lines of 64; - is standard input"],
      make: ["KIND", "emblem: have one made, as those are among which it is picked"],
    },
    run: async (api, given) => {
      const { art, make } = given.options;
      if (art === undefined && make === undefined) return api.ask("GET", `${memberPath(given)}/sign`);
      if ((art !== undefined && make !== undefined) || (make !== undefined && make !== "emblem"))
        throw new Sorry(exitCodes.usage, "either --art FILE or --make emblem");
      const body = art === undefined ? {} : { art: pictureOf(await textIn(art)) };
      return api.ask("PUT", `${memberPath(given)}/sign`, { body });
    },
    show: ({ art }) => framed(String(art)).join("\n"),
  },
  {
    usage: "member sign-token SOCKET NAME",
    about: "a token by which the member sets their own sign, once, within a day, with POST /v1/signs",
    run: (api, given) => api.ask("POST", `${memberPath(given)}/sign/invitation`),
    show: (answer) => `${record(answer)}\n${shownOnce}`,
  },
  {
    usage: "member sign-remove SOCKET NAME",
    about: "takes the member's sign away",
    run: (api, given) => api.ask("DELETE", `${memberPath(given)}/sign`),
    show: done("Removed."),
  },
];

/** As editors leave it: spaces at the ends of lines, and a last line that is empty, are no part of a picture. */
function pictureOf(text: string): string {
  const lines = text.split("\n").map((line) => line.trimEnd());
  return lines.join("\n").replace(/^\n+|\n+$/g, "");
}
