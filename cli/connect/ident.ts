import { type Ident, identOf, notRecognised, type Question, type Server } from "@portcullis/client";
import { harmless } from "../harmless.ts";
import type { Terminal } from "../terminal.ts";

/** Null: there is nothing more to be read. */
export type IdentAnswer = string | "drop" | typeof notRecognised | null;

/** Lines in a frame: whatever is in it, nobody takes it for a line of ours. */
export function framed(picture: string, title = ""): readonly string[] {
  const lines = picture.split("\n").map(harmless);
  const width = Math.max(title.length + 2, ...lines.map((line) => line.length));
  return [
    `  +${`-${title}`.padEnd(width, "-")}-+`,
    ...lines.map((line) => `  |${line.padEnd(width)} |`),
    `  +${"-".repeat(width)}-+`,
  ];
}

/** Half of it where characters may take two columns. */
const columnsMax = 60;

/** Texts of somebody else, such as a question, in a frame as well: wrapped here, since what a terminal wraps begins where our lines do. */
export function quoted(...texts: readonly string[]): readonly string[] {
  return framed(texts.flatMap(wrapped).join("\n"));
}

function wrapped(text: string): readonly string[] {
  const columns = /[\u1100-\u{10ffff}]/u.test(text) ? columnsMax / 2 : columnsMax;
  const lines: string[] = [];
  for (const word of harmless(text)
    .split(" ")
    .flatMap((each) => piecesOf(each, columns))) {
    const longer = `${lines.at(-1) ?? ""} ${word}`;
    if (lines.length > 0 && longer.length <= columns) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

function piecesOf(word: string, columns: number): readonly string[] {
  const characters = [...word];
  const pieces: string[] = [];
  for (let from = 0; from < characters.length; from += columns)
    pieces.push(characters.slice(from, from + columns).join(""));
  return pieces;
}

/** What the person may recognise, line by line. Where they are to type the words, those are not shown. */
export function describeIdent({ ask, sign, signs, server }: Ident & { readonly server: Server }): readonly string[] {
  const own = sign === null ? [] : ["Your sign, as this server has it:", ...framed(sign)];
  const others = signs.flatMap((each, index) => framed(each, ` ${index + 1} `));
  const words = ask === "type" || ask === "pick" ? [] : [`The words of its key: ${server.words}`];
  const picture = ask === "pick" ? [] : ["Its key as a picture:", ...framed(server.randomart.join("\n"))];
  return [...own, ...others, ...words, ...picture];
}

const titles: Readonly<Record<Ident["ask"], string>> = {
  none: "",
  agree: "Is this the server that you know? (yes, report, drop)",
  type: "The six words that you have of this server, from elsewhere (report, drop)",
  pick: "Which sign is yours? Its number (report, drop)",
};

/** @param timed the prompt, with the time that is left */
export async function answerIdent(
  question: Question,
  terminal: Terminal,
  say: (line: string) => void,
  timed: (title: string, untilMs: number) => () => string,
): Promise<IdentAnswer> {
  const { ask, signs } = identOf(question.details);
  const { signal, answerUntilMs } = question;
  for (;;) {
    const line = (await terminal.ask(timed(titles[ask], answerUntilMs), { signal }))?.trim() ?? null;
    if (line === null || line === "drop") return line;
    if (line === "report") return notRecognised;
    if (ask === "agree" && line.toLowerCase() === "yes") return "agree";
    if (ask === "type" && line !== "") return line;
    if (ask === "pick" && Number(line) >= 1 && Number(line) <= signs.length) return `${Number(line)}`;
    say(
      ask === "agree"
        ? "yes, if it is; report, if it is not: its owner is told."
        : "Look again, or type report: its owner is told.",
    );
  }
}
