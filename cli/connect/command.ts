import { writeFile } from "node:fs/promises";
import { connect, PortcullisError, type Session } from "@portcullis/client";
import { readArguments } from "../arguments.ts";
import { exitCodes, Sorry } from "../exit.ts";
import { openTerminal, type Terminal } from "../terminal.ts";
import { chat } from "./chat.ts";
import { createPauses, type Pauses } from "./pauses.ts";
import { createPerson, GivenUp } from "./person.ts";
import { createReport, type Report } from "./report.ts";
import { findTarget, type Target } from "./target.ts";
import { openVoice, type Recipient, readRecipient, sealedVoice } from "./voice.ts";

const help = `portcullis connect [URL] [options]          also: npm run connect -- [URL] [options]

Passes the gates of a socket and chats on it, line by line: what you type goes to everybody there. Ctrl-D ends it.
Without a URL it is the demo socket that npm start has made, as DATA_DIR/demo.json describes it.

Before anything is asked it shows six words of the server's fingerprint, which are the same for everybody who reaches that server: compare them with
somebody you trust, if you like; an owner has them from portcullis owner server. The app key pins all of it.

At a gate you may type, instead of an answer:  resend  the message once more
                                               other   another way, where there is one
                                               drop    give up
                                               report  where you are to recognise the server and do not: give up, and have its owner told

In the chat,  /class NAME text  sends a message of a class, for which the socket may ask you once more.

  --url URL             the same as the first argument (or PORTCULLIS_URL), for example ws://localhost:8080/label/path?id=bob
  --app-key KEY         its app key, pc1.…; other users of this machine can see it: rather set PORTCULLIS_APP_KEY
  --answer-secret KEY   your answer secret, pa1.…; likewise PORTCULLIS_ANSWER_SECRET
  --ticket TICKET       a one-time ticket, pt1.…; likewise PORTCULLIS_TICKET
  --pin FINGERPRINT     the server, where there is a ticket and no app key; portcullis owner ticket says it
  --to FINGERPRINT      seals what you type to the owner's program, beyond the server, and opens what it answers; portcullis e2e show says the fingerprint,
                        which you should have from its owner. NAME=FINGERPRINT, where it is not published as consumer
  --receipt FILE        writes what the server signs for whoever it lets in; portcullis receipt verify checks it
  --code CODE           the code of your authenticator app, instead of asking for it
  --code auto           computes it as your phone would, from the demo's authenticator
  --json                one JSON object per line, for programs: server, ident, waiting, refused, accepted, message, not-sent, not-opened, key-change, lost,
                        resumed, gap, step-up, stepped-up, closed
  --help

For a chat, run it in two terminals. Each code lets in once, so the second one takes the next code, 30 seconds later.

Exit code: 0 you left, 1 not let in or put out, 2 wrong arguments or nothing to connect to, 3 nothing answers.
`;

const string = { type: "string" } as const;
const flag = { type: "boolean", default: false } as const;
const options = {
  url: string,
  "app-key": string,
  "answer-secret": string,
  ticket: string,
  pin: string,
  to: string,
  receipt: string,
  code: string,
  json: flag,
  help: flag,
};

export async function connectCommand(args: readonly string[]): Promise<number> {
  const { values: given, words } = readArguments("portcullis connect", args, options);
  if (words.length > 1) throw new Sorry(exitCodes.usage, "one URL is enough\nSee portcullis connect --help");
  if (given.help) {
    process.stdout.write(help);
    return exitCodes.ok;
  }
  const { pin, ticket = process.env.PORTCULLIS_TICKET } = given;
  const to = given.to === undefined ? null : readRecipient(given.to);
  const target = await findTarget({
    url: words[0] ?? given.url ?? process.env.PORTCULLIS_URL,
    appKey: given["app-key"] ?? process.env.PORTCULLIS_APP_KEY,
    byTicket: ticket !== undefined && pin !== undefined,
  });
  const answerSecret = given["answer-secret"] ?? process.env.PORTCULLIS_ANSWER_SECRET;
  const terminal = openTerminal(process.stdin, process.stdout);
  const report = createReport(terminal, given.json);
  try {
    const pauses = createPauses();
    const session = await enter(target, { code: given.code, answerSecret, ticket, pin, to, terminal, report, pauses });
    try {
      report.accepted(session, to);
      if (given.receipt !== undefined) await keepReceipt(session, given.receipt);
      const voice = to === null ? openVoice(session) : await sealedVoice(session, to, report.keyChange);
      return await chat(session, { voice, terminal, report, pauses });
    } catch (error) {
      await session.close();
      throw error;
    }
  } finally {
    terminal.close();
  }
}

/** @throws {Sorry} there is none, or the file is there already or cannot be written */
async function keepReceipt({ receipt }: Session, file: string): Promise<void> {
  if (receipt === null)
    throw new Sorry(exitCodes.refused, "the server gave no receipt, since its key changes: try again");
  try {
    await writeFile(file, `${JSON.stringify(receipt)}\n`, { flag: "wx", mode: 0o600 });
  } catch {
    throw new Sorry(exitCodes.usage, `${file} cannot be written, or is there already`);
  }
}

async function enter(
  target: Target,
  options: {
    readonly code: string | undefined;
    readonly answerSecret: string | undefined;
    readonly ticket: string | undefined;
    readonly pin: string | undefined;
    readonly to: Recipient | null;
    readonly terminal: Terminal;
    readonly report: Report;
    readonly pauses: Pauses;
  },
): Promise<Session> {
  const { code, answerSecret, ticket, pin, to, terminal, report, pauses } = options;
  // It says hello again where the connection breaks.
  let shown = false;
  const person = createPerson({ code, authenticator: target.authenticator, terminal, report });
  try {
    return await connect(target.url, {
      ...(target.appKey === null ? {} : { appKey: target.appKey }),
      ...(ticket === undefined ? {} : { ticket }),
      ...(pin === undefined ? {} : { pin }),
      ...(answerSecret === undefined ? {} : { answerSecret }),
      requireEndToEnd: to !== null,
      onChallenge: person.answer,
      onWait: person.waitFor,
      onIdent: report.ident,
      onState(state) {
        report.state(state);
        pauses.note(state);
      },
      onFrame: (_direction, kind, { fingerprint }) => {
        if (kind !== "hello" || shown || typeof fingerprint !== "string") return;
        shown = true;
        report.server(fingerprint);
      },
      signal: person.signal,
    });
  } catch (error) {
    if (error instanceof PortcullisError) report.refused(error);
    if (to !== null && error instanceof PortcullisError && error.code === "unsupported")
      throw new Sorry(
        exitCodes.refused,
        "nothing can be sealed beyond the server on this socket, or it asks for what this client does not know",
      );
    throw sorryFor(person.signal.aborted ? person.signal.reason : error, target);
  } finally {
    person.leave();
  }
}

function sorryFor(error: unknown, target: Target): unknown {
  if (error instanceof GivenUp) return new Sorry(exitCodes.refused, error.message);
  if (error instanceof TypeError) return new Sorry(exitCodes.usage, error.message);
  if (!(error instanceof PortcullisError)) return error;
  switch (error.code) {
    case "unreachable":
      return new Sorry(exitCodes.unreachable, `nothing answers at ${originOf(target.url)}: ${whatToDo(target)}`);
    case "denied":
      return new Sorry(exitCodes.refused, deniedWords(error.retryAfterMs));
    case "untrusted-server":
      return new Sorry(exitCodes.refused, "another server than the app key's answers there, so nothing was told to it");
    case "not-recognised":
      return new Sorry(exitCodes.refused, "left, because that was not the server that you know; its owner is told");
    case "cancelled":
      if (error.cause instanceof Sorry) return error.cause;
      if (error.cause instanceof GivenUp) return sorryFor(error.cause, target);
      return new Sorry(exitCodes.refused, "given up without a code that was taken");
    default:
      return new Sorry(exitCodes.refused, error.message);
  }
}

function whatToDo({ url, authenticator }: Target): string {
  if (authenticator !== null) return "run npm start first";
  // A WebSocket does not say why it could not be opened.
  return new URL(url).protocol === "wss:"
    ? "is the server running, and its certificate one that Node trusts (NODE_EXTRA_CA_CERTS)?"
    : "is the server running?";
}

/** The rest of a URL is not for the screen: its path is a secret. */
function originOf(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

function deniedWords(retryAfterMs: number | null): string {
  if (retryAfterMs === null) return "denied. A server does not say why: the key, the path, the name or the code";
  return `denied: too much has failed. Nothing was looked at; come back in ${Math.ceil(retryAfterMs / 1_000)} s`;
}
