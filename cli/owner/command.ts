import { readArguments } from "../arguments.ts";
import { exitCodes, Sorry } from "../exit.ts";
import { harmlessJson } from "../harmless.ts";
import { openTerminal, type Terminal } from "../terminal.ts";
import { type Api, createApi, type Json } from "./api.ts";
import { ownerCommands } from "./commands/all.ts";
import type { Given, OwnerCommand } from "./commands/owner-command.ts";
import { allSockets } from "./commands/sockets.ts";
import type { Ask } from "./password.ts";
import { record } from "./show.ts";
import { need, signIn, signOut } from "./sign-in.ts";
import { signUp } from "./sign-up.ts";
import { readSignedIn } from "./signed-in.ts";

const urlDefault = "http://localhost:8080";

const common: readonly Row[] = [
  ["--url URL", `where the API is (or PORTCULLIS_API); unless you say so, where you signed in, or ${urlDefault}`],
  ["--yes", "does not ask whether you are sure"],
  ["--json", "the API's answer, for programs"],
];

const help = `portcullis owner COMMAND [options]          also: npm run portcullis -- owner COMMAND [options]

${columns([
  ["sign-up", "asks for e-mail, password and, for the first owner where sign-up is closed, the bootstrap token"],
  ["sign-in", "asks for e-mail, password and, where you have one, the code of your authenticator"],
  ["sign-out", "ends the session, and forgets it here"],
])}

${columns(ownerCommands.map(({ usage, about }) => [usage, about]))}

SOCKET is its label or its id.

${columns([["--email EMAIL", "sign-up, sign-in: whose account"], ...optionsOf(ownerCommands), ...common, ["--help", "of a command too"]])}

A program gives its API token as PORTCULLIS_TOKEN and does not sign in. Codes and passwords are never arguments: others on this machine
could see them.

Exit code: 0 done, 1 refused, 2 wrong arguments, 3 nothing answers.
`;

type Row = readonly [name: string, about: string];

function columns(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, about]) => `  ${name.padEnd(width)}  ${about}`).join("\n");
}

/** Each option once, with the commands to which it says the same. */
function optionsOf(commands: readonly OwnerCommand[]): Row[] {
  const takers = new Map<string, { readonly option: string; readonly about: string; readonly names: string[] }>();
  for (const command of commands) {
    for (const [name, [takes, about]] of Object.entries(command.options ?? {})) {
      const option = `--${name} ${takes}`.trimEnd();
      const meaning = `${option} ${about}`;
      const { names } = takers.get(meaning) ?? { names: [] };
      takers.set(meaning, { option, about, names: [...names, literalOf(command).join(" ")] });
    }
  }
  return [...takers.values()].map(({ option, about, names }) => [option, `${names.join(", ")}: ${about}`]);
}

function helpOf({ usage, about, options = {} }: OwnerCommand): string {
  const own = Object.entries(options).map(([name, [takes, what]]): Row => [`--${name} ${takes}`.trimEnd(), what]);
  return `portcullis owner ${usage} [options]\n\n${about}\n\n${columns([...own, ...common])}\n`;
}

const allOptions = ownerCommands.flatMap(({ options = {} }) => Object.entries(options));
const flagNames = [...new Set(allOptions.flatMap(([name, [takes]]) => (takes === "" ? [name] : [])))];
const optionNames = [...new Set(["url", ...allOptions.map(([name]) => name)])].filter(
  (name) => !flagNames.includes(name),
);

function readGiven(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  const strings = Object.fromEntries(optionNames.map((name) => [name, { type: "string" as const }]));
  const flags = Object.fromEntries(flagNames.map((name) => [name, flag]));
  const known = { ...strings, ...flags, yes: flag, json: flag, help: flag };
  const { values, words } = readArguments("portcullis owner", args, known);
  const options: Record<string, string | undefined> = {};
  for (const name of optionNames) {
    const value: unknown = values[name as keyof typeof values];
    if (typeof value === "string") options[name] = value;
  }
  for (const name of flagNames) if (values[name as keyof typeof values] === true) options[name] = "yes";
  return { words, options, yes: values.yes === true, json: values.json === true, help: values.help === true };
}

export async function ownerCommand(args: readonly string[]): Promise<number> {
  const { words, options, yes, json, help: wanted } = readGiven(args);
  const asked = wanted ? commandNamed(words) : undefined;
  if (wanted || words.length === 0) {
    process.stdout.write(asked === undefined ? help : helpOf(asked));
    return wanted ? exitCodes.ok : exitCodes.usage;
  }
  const say: Say = (answer, show) => void process.stdout.write(`${json ? harmlessJson(answer) : show(answer)}\n`);
  const [word] = words;
  if (words.length === 1 && word !== undefined && Object.hasOwn(doors, word)) {
    await doors[word]?.(options, say);
    return exitCodes.ok;
  }
  const { command, given } = find(words, options);
  const api = await apiOf(options.url, noSuchThing(command));
  if (command.confirm !== undefined && !yes) await sure(command.confirm(given));
  const located = await withSocketId(api, command, given);
  await asking(async (ask) => say(await command.run(api, located, ask), command.show));
  return exitCodes.ok;
}

type Say = (answer: Json, show: (answer: Json) => string) => void;

/** What leads to a session and out of it. */
const doors: Readonly<Record<string, (options: Given["options"], say: Say) => Promise<void>>> = {
  async "sign-up"({ url, email }, say) {
    const at = url ?? process.env.PORTCULLIS_API ?? urlDefault;
    const next = "A mail is on its way. Go on with: portcullis owner sign-in";
    await atTerminal(async (terminal) =>
      say(await signUp(at, email, terminal), (answer) => `${record(answer)}\n${next}`),
    );
  },
  async "sign-in"({ url, email }, say) {
    const known = await readSignedIn().catch(() => null);
    const at = url ?? process.env.PORTCULLIS_API ?? known?.url ?? urlDefault;
    await atTerminal(async (terminal) => say(await signIn(at, email, terminal), record));
  },
  async "sign-out"(_options, say) {
    const known = await readSignedIn();
    if (known === null) throw new Sorry(exitCodes.refused, "you are not signed in");
    await signOut(known);
    say({}, () => "Signed out.");
  },
};

/** The words of a command that are typed as they are. */
function literalOf({ usage }: OwnerCommand): string[] {
  return usage.split(" ").filter((name) => name === name.toLowerCase());
}

function commandNamed(words: readonly string[]): OwnerCommand | undefined {
  return ownerCommands.find((command) => literalOf(command).every((name, index) => words[index] === name));
}

function find(words: readonly string[], options: Given["options"]): { command: OwnerCommand; given: Given } {
  const command = commandNamed(words);
  if (command === undefined)
    throw new Sorry(exitCodes.usage, "there is no command of that name: see portcullis owner --help");
  const literal = literalOf(command);
  const args = words.slice(literal.length);
  if (args.length !== command.usage.split(" ").length - literal.length)
    throw new Sorry(exitCodes.usage, `it is: portcullis owner ${command.usage}`);
  const stray = Object.keys(options).find((name) => name !== "url" && !Object.hasOwn(command.options ?? {}, name));
  if (stray !== undefined) throw new Sorry(exitCodes.usage, `${literal.join(" ")} takes no --${stray}`);
  return { command, given: { args, options } };
}

/** A socket may be named by its label, which people remember. */
async function withSocketId(api: Api, { usage }: OwnerCommand, given: Given): Promise<Given> {
  const [named, ...rest] = given.args;
  if (named === undefined || !/ SOCKET\b/.test(usage)) return given;
  const { sockets } = await allSockets(api);
  const found = sockets.find(({ id, label }) => id === named || label === named);
  if (found === undefined)
    throw new Sorry(exitCodes.refused, `you have no socket of that name: portcullis owner socket list`);
  return { ...given, args: [found.id, ...rest] };
}

/** A socket is looked for before; what is missing then is what the command is named after. */
function noSuchThing({ usage }: OwnerCommand): string {
  const [noun = ""] = usage.split(" ");
  const list = ownerCommands.find((command) => literalOf(command).join(" ") === `${noun} list`)?.usage;
  return list === undefined ? "there is no such thing" : `there is no ${noun} of that name: portcullis owner ${list}`;
}

async function apiOf(url: string | undefined, missing: string): Promise<Api> {
  const { PORTCULLIS_TOKEN: token, PORTCULLIS_API: named } = process.env;
  if (token) return createApi(url ?? named ?? urlDefault, { authorization: `Bearer ${token}` }, missing);
  const known = await readSignedIn();
  if (known === null) throw new Sorry(exitCodes.refused, "you are not signed in: portcullis owner sign-in");
  const api = createApi(url ?? named ?? known.url, { cookie: known.cookie }, missing);
  // The cookie is for whom it came from, and nobody else.
  if (api.url !== known.url)
    throw new Sorry(exitCodes.refused, `you are signed in at ${known.url}: sign in at ${api.url} first`);
  return api;
}

/** @throws {Sorry} they are not, or nobody is there to be asked */
async function sure(what: string): Promise<void> {
  await atTerminal(async (terminal) => {
    if (!terminal.isPerson) throw new Sorry(exitCodes.usage, `this would ${what}: say --yes`);
    const answer = await terminal.ask(`This will ${what}. Type yes: `);
    if (answer?.trim() !== "yes") throw new Sorry(exitCodes.refused, "nothing was done");
  });
}

/** The terminal is opened by the first question: standard input may be for something else. */
async function asking(work: (ask: Ask) => Promise<void>): Promise<void> {
  let terminal: Terminal | null = null;
  try {
    await work((prompt) => {
      terminal ??= openTerminal(process.stdin, process.stdout);
      return need(terminal, prompt, true);
    });
  } finally {
    (terminal as Terminal | null)?.close();
  }
}

async function atTerminal(work: (terminal: Terminal) => Promise<void>): Promise<void> {
  const terminal = openTerminal(process.stdin, process.stdout);
  try {
    await work(terminal);
  } finally {
    terminal.close();
  }
}
