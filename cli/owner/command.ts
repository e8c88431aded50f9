import { parseArgs } from "node:util";
import { exitCodes, Sorry } from "../exit.ts";
import { harmlessJson } from "../harmless.ts";
import { openTerminal, type Terminal } from "../terminal.ts";
import { type Api, createApi, type Json } from "./api.ts";
import { allSockets, type Given, type OwnerCommand, ownerCommands } from "./commands.ts";
import { record } from "./show.ts";
import { signIn, signOut } from "./sign-in.ts";
import { readSignedIn } from "./signed-in.ts";

const urlDefault = "http://localhost:8080";

const help = `portcullis owner COMMAND [options]

  sign-in                                asks for e-mail, password and, where you have one, the code of your authenticator
  sign-out

${ownerCommands.map(({ usage, about }) => `  ${usage.padEnd(38)} ${about}`).join("\n")}

SOCKET is its label or its id.

  --url URL      where the API is (or PORTCULLIS_API); unless you say so, where you signed in, or ${urlDefault}
  --email EMAIL  for sign-in, and a member's
${ownerCommands
  .flatMap(({ options = {} }) => Object.entries(options))
  .filter(([name], index, all) => name !== "email" && all.findIndex(([other]) => other === name) === index)
  .map(([name, what]) => `  --${name} ${what}`)
  .join("\n")}
  --yes          does not ask whether you are sure
  --json         the API's answer, for programs
  --help

A program gives its API token as PORTCULLIS_TOKEN and does not sign in. Codes and passwords are never arguments: others on this machine
could see them.

Exit code: 0 done, 1 refused, 2 wrong arguments, 3 nothing answers.
`;

const optionNames = [...new Set(["url", ...ownerCommands.flatMap(({ options = {} }) => Object.keys(options))])];

function readArguments(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  const strings = Object.fromEntries(optionNames.map((name) => [name, { type: "string" as const }]));
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { ...strings, yes: flag, json: flag, help: flag },
      allowPositionals: true,
    });
    const options: Record<string, string | undefined> = {};
    for (const name of optionNames) {
      const value: unknown = values[name as keyof typeof values];
      if (typeof value === "string") options[name] = value;
    }
    return {
      words: positionals,
      options,
      yes: values.yes === true,
      json: values.json === true,
      help: values.help === true,
    };
  } catch (error) {
    throw new Sorry(
      exitCodes.usage,
      `${error instanceof Error ? error.message : String(error)}\nSee portcullis owner --help`,
    );
  }
}

export async function ownerCommand(args: readonly string[]): Promise<number> {
  const { words, options, yes, json, help: wanted } = readArguments(args);
  if (wanted || words.length === 0) {
    process.stdout.write(help);
    return wanted ? exitCodes.ok : exitCodes.usage;
  }
  const say = (answer: Json, show: (answer: Json) => string) =>
    process.stdout.write(`${json ? harmlessJson(answer) : show(answer)}\n`);
  const [word] = words;
  if (words.length === 1 && (word === "sign-in" || word === "sign-out")) {
    await (word === "sign-in" ? enter(options, say) : leave(say));
    return exitCodes.ok;
  }
  const { command, given } = find(words, options);
  const api = await apiOf(options.url);
  if (command.confirm !== undefined && !yes) await sure(command.confirm(given));
  say(await command.run(api, await withSocketId(api, command, given)), command.show);
  return exitCodes.ok;
}

type Say = (answer: Json, show: (answer: Json) => string) => void;

async function enter({ url, email }: Given["options"], say: Say): Promise<void> {
  const known = await readSignedIn().catch(() => null);
  const at = url ?? process.env.PORTCULLIS_API ?? known?.url ?? urlDefault;
  await atTerminal(async (terminal) => say(await signIn(at, email, terminal), record));
}

async function leave(say: Say): Promise<void> {
  const known = await readSignedIn();
  if (known === null) throw new Sorry(exitCodes.refused, "you are not signed in");
  await signOut(known);
  say({}, () => "Signed out.");
}

function find(words: readonly string[], options: Given["options"]): { command: OwnerCommand; given: Given } {
  for (const command of ownerCommands) {
    const names = command.usage.split(" ");
    const literal = names.filter((name) => name === name.toLowerCase());
    if (!literal.every((name, index) => words[index] === name)) continue;
    const args = words.slice(literal.length);
    if (args.length !== names.length - literal.length)
      throw new Sorry(exitCodes.usage, `it is: portcullis owner ${command.usage}`);
    const stray = Object.keys(options).find((name) => name !== "url" && !Object.hasOwn(command.options ?? {}, name));
    if (stray !== undefined) throw new Sorry(exitCodes.usage, `${literal.join(" ")} takes no --${stray}`);
    return { command, given: { args, options } };
  }
  throw new Sorry(exitCodes.usage, "there is no command of that name: see portcullis owner --help");
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

async function apiOf(url: string | undefined): Promise<Api> {
  const { PORTCULLIS_TOKEN: token, PORTCULLIS_API: named } = process.env;
  if (token) return createApi(url ?? named ?? urlDefault, { authorization: `Bearer ${token}` });
  const known = await readSignedIn();
  if (known === null) throw new Sorry(exitCodes.refused, "you are not signed in: portcullis owner sign-in");
  const api = createApi(url ?? named ?? known.url, { cookie: known.cookie });
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

async function atTerminal(work: (terminal: Terminal) => Promise<void>): Promise<void> {
  const terminal = openTerminal(process.stdin, process.stdout);
  try {
    await work(terminal);
  } finally {
    terminal.close();
  }
}
