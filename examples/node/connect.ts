import { parseArgs } from "node:util";
import { connect, PortcullisError, type Question, type Session } from "@portcullis/client";
import { type Authenticator, scan } from "../../deploy/demo/authenticator.ts";
import { type Demo, readDemo } from "../../deploy/local/first-run.ts";
import { harmless, openTerminal, type Terminal } from "./terminal.ts";

const help = `npm run connect [-- options]

Passes the gates of a socket and chats on it, line by line: what you type goes to everybody there. Ctrl-D ends it.
Without options it is the demo socket that npm start has made, as DATA_DIR/demo.json describes it.

  --code CODE       the 6-digit code, instead of asking for it
  --code auto       computes the code as your phone would, from the demo's authenticator
  --url URL         another socket, for example ws://localhost:8080/label/path?id=bob (or PORTCULLIS_URL)
  --app-key KEY     its app key, pc1.…; other users of this machine can see it: rather set PORTCULLIS_APP_KEY
  --help

For a chat, run it in two terminals. Each code lets in once, so the second one takes the next code, 30 seconds later.

Exit code: 0 you left, 1 not let in or put out, 2 wrong arguments or nothing to connect to, 3 nothing answers.
`;

const exitCodes = { left: 0, refused: 1, usage: 2, unreachable: 3 } as const;
const triesMax = 3;
/** Before an answer is due, so that it still arrives. */
const answerMarginMs = 3_000;

/** Ends the program with one line. */
class Sorry extends Error {
  readonly exitCode: number;
  constructor(exitCode: number, line: string) {
    super(line);
    this.exitCode = exitCode;
  }
}

interface Target {
  readonly url: string;
  readonly appKey: string;
  /** Null where only the person's phone knows the codes. */
  readonly authenticator: Authenticator | null;
}

function readArguments() {
  try {
    const string = { type: "string" } as const;
    const options = {
      url: string,
      "app-key": string,
      code: string,
      help: { type: "boolean", default: false },
    } as const;
    return parseArgs({ options }).values;
  } catch (error) {
    throw new Sorry(
      exitCodes.usage,
      `${error instanceof Error ? error.message : error}\nSee npm run connect -- --help`,
    );
  }
}

async function findTarget(given: {
  readonly url: string | undefined;
  readonly appKey: string | undefined;
}): Promise<Target> {
  const { url, appKey } = given;
  if (url !== undefined && appKey !== undefined) return { url, appKey, authenticator: null };
  if (url !== undefined || appKey !== undefined) {
    throw new Sorry(exitCodes.usage, "a URL and an app key belong together: give both, or neither for the demo socket");
  }
  const named = process.env.DATA_DIR;
  for (const folder of named ? [named] : ["./data", "./data/distributed"]) {
    const demo: Demo | null = await readDemo(folder);
    if (demo !== null) return { ...demo.socket, authenticator: scan(demo.member.otpauth) };
  }
  const where = named ? ` in ${named}` : "";
  throw new Sorry(exitCodes.usage, `there is no demo socket yet${where}: run npm start first, and leave it running`);
}

/** Asks the person, or answers as their phone would. */
function codeSource(code: string | undefined, { authenticator }: Target, terminal: Terminal) {
  if (code === "auto" && authenticator === null) {
    throw new Sorry(exitCodes.usage, "--code auto works for the demo socket only: the codes of another are on a phone");
  }
  let tries = 0;
  return async (question: Question): Promise<string | null> => {
    tries += 1;
    if (tries > triesMax) return null;
    if (question.retry) terminal.print("That code was wrong, or it has been used: each one lets in once.");
    if (code === "auto" && authenticator !== null) return computed(authenticator, question, terminal);
    if (code !== undefined) return question.retry ? null : code;
    return typed(question);
  };

  async function typed({ ask, signal, attemptsLeft }: Question): Promise<string | null> {
    const auto = authenticator === null ? "" : ", or auto to do without a phone";
    const title = `${ask?.title ?? "Code"} (${Math.min(attemptsLeft, triesMax)} tries${auto}): `;
    for (;;) {
      const line = (await terminal.ask(title, signal))?.trim() ?? null;
      if (line === null) return null;
      if (line === "auto" && authenticator !== null) return authenticator.code(Date.now());
      if (/^[0-9]{6,8}$/.test(ask?.normalise(line) ?? line)) return line;
      terminal.print("A code is 6 digits.");
    }
  }
}

/** A code that was refused is spent: its successor comes with the next time step. */
async function computed(authenticator: Authenticator, question: Question, terminal: Terminal): Promise<string> {
  const nowMs = Date.now();
  if (!question.retry) return authenticator.code(nowMs);
  const nextMs = authenticator.nextStepMs(nowMs);
  // Where the question would run out first, the next code goes early: servers allow for clocks that differ by a step.
  const waitMs = Math.max(0, Math.min(nextMs, question.answerUntilMs - answerMarginMs) - nowMs);
  terminal.print(`Waiting ${Math.ceil(waitMs / 1_000)} s for the next code.`);
  await new Promise((resolve) => setTimeout(resolve, waitMs));
  return authenticator.code(nextMs);
}

/** @returns the exit code. */
async function chat(session: Session, terminal: Terminal): Promise<number> {
  const closing = session.closed;
  let left = false;
  const reading = (async () => {
    for await (const { from, missed, text } of session) {
      if (missed > 0) terminal.print(`(${missed} messages are missing here)`);
      terminal.print(`${harmless(from.member ?? "somebody")}> ${harmless(text())}`);
    }
  })();
  reading.catch(() => {});

  const stop = new AbortController();
  void closing.then(() => stop.abort());
  for (;;) {
    const line = await terminal.ask("", stop.signal);
    if (line === null) break;
    try {
      if (line !== "") await session.send(line);
    } catch (error) {
      if (!(error instanceof PortcullisError)) throw error;
      if (error.code === "closed") break;
      terminal.print(`Not sent: ${error.message}`);
    }
  }
  if (!stop.signal.aborted) {
    left = true;
    await session.close();
  }
  const { reason, what, retryAfterMs } = await closing;
  if (left) return exitCodes.left;
  const again = retryAfterMs === null ? "" : ` Come back in ${Math.ceil(retryAfterMs / 1_000)} s.`;
  terminal.print(`The session is over: ${what ?? reason}.${again}`);
  return exitCodes.refused;
}

function sorryFor(error: unknown, url: string): unknown {
  if (error instanceof TypeError) return new Sorry(exitCodes.usage, error.message);
  if (!(error instanceof PortcullisError)) return error;
  switch (error.code) {
    case "unreachable":
      return new Sorry(exitCodes.unreachable, `nothing answers at ${originOf(url)}: run npm start first`);
    case "denied":
      return new Sorry(exitCodes.refused, "denied. A server does not say why: the key, the path, the name or the code");
    case "untrusted-server":
      return new Sorry(exitCodes.refused, "another server than the app key's answers there, so nothing was told to it");
    case "cancelled":
      return new Sorry(exitCodes.refused, "given up without a code that was taken");
    default:
      return new Sorry(exitCodes.refused, error.message);
  }
}

/** The rest of a URL is not for the screen: its path is a secret. */
function originOf(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

async function main(): Promise<number> {
  const values = readArguments();
  if (values.help) {
    process.stdout.write(help);
    return exitCodes.left;
  }
  const target = await findTarget({
    url: values.url ?? process.env.PORTCULLIS_URL,
    appKey: values["app-key"] ?? process.env.PORTCULLIS_APP_KEY,
  });
  const terminal = openTerminal(process.stdin, process.stdout);
  try {
    const otp = codeSource(values.code, target, terminal);
    const session = await connect(target.url, { appKey: target.appKey, answers: { otp } }).catch((error: unknown) => {
      throw sorryFor(error, target.url);
    });
    const gates = session.gates.join(" and ");
    terminal.print(`You are in as ${harmless(session.member ?? "somebody")}, through ${gates}, on ${session.edge}.`);
    terminal.print("What you type goes to everybody here; Ctrl-D ends it.");
    return await chat(session, terminal);
  } finally {
    terminal.close();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Sorry)) throw error;
  process.stderr.write(`connect: ${error.message}\n`);
  process.exitCode = error.exitCode;
}
