/**
 * Serves a page that goes through the gates of the demo socket and chats on it.
 *
 *     npm run example:browser
 */
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { listen, type ProcessContext, runProcess } from "@portcullis/runtime";
import { readArguments } from "../../cli/arguments.ts";
import { findTarget } from "../../cli/connect/target.ts";
import { exitCodes, Sorry } from "../../cli/exit.ts";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import { createPageServer, type Shown } from "./page-server.ts";
import { rollUp } from "./roll-up.ts";

const help = `npm run example:browser: a page with <portcullis-gate>, on this machine alone.

It goes through the gates of the demo socket that npm start has made, as DATA_DIR/demo.json describes it, and is a small chat then. Open the address that it
prints. Behind the # is a key of the page, without which it gets to know neither the socket nor the app key; it is another one each time.

Enter, typed here, says the code that the demo's authenticator app would show.

  --port PORT   where it is served (or PORT); 0 takes a free one. Default 8088
  --help

Ctrl-C ends it. Exit code: 0 it was ended, 1 it could not be served, 2 wrong arguments or no demo, 3 nothing answers at the socket.
`;

const command = "npm run example:browser --";
const defaultPort = "8088";
const answerMsMax = 3_000;

interface Demo {
  readonly shown: Shown;
  readonly authenticator: Authenticator;
}

/** @returns null where help was asked for @throws {Sorry} */
function readPort(): number | null {
  const { values, words } = readArguments(command, process.argv.slice(2), {
    port: { type: "string" },
    help: { type: "boolean", default: false },
  });
  if (values.help) return null;
  const port = values.port ?? (process.env.PORT || defaultPort);
  if (words.length > 0) throw new Sorry(exitCodes.usage, `takes no ${words[0]}\nSee ${command} --help`);
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw new Sorry(exitCodes.usage, "the port is a number between 0 and 65535");
  return Number(port);
}

/** @throws {Sorry} there is none, or nobody is there */
async function findDemo(): Promise<Demo> {
  const { url, appKey, authenticator } = await findTarget({ url: undefined, appKey: undefined, byTicket: false });
  if (appKey === null || authenticator === null) throw new Sorry(exitCodes.usage, "the demo has no app key");
  // Its path is a secret.
  const { origin } = new URL(url);
  const isThere = await fetch(origin.replace(/^ws/, "http"), {
    redirect: "manual",
    signal: AbortSignal.timeout(answerMsMax),
  }).then(
    () => true,
    () => false,
  );
  if (!isThere)
    throw new Sorry(exitCodes.unreachable, `nothing answers at ${origin}: run npm start first, and leave it running`);
  return { shown: { url, appKey, member: new URL(url).searchParams.get("id") ?? "" }, authenticator };
}

async function serve(port: number, { shown, authenticator }: Demo, { closer }: ProcessContext): Promise<undefined> {
  const pageKey = randomBytes(16).toString("base64url");
  const server = createPageServer(shown, pageKey, await rollUp());
  closer.add("page", async () => {
    server.close();
    server.closeAllConnections();
  });
  const opened = await listen(server, { host: "127.0.0.1", port });
  createInterface({ input: process.stdin }).on("line", () => process.stdout.write(`${codeNow(authenticator)}\n`));
  process.stdout.write(`
The page is ready: http://localhost:${opened}/#${pageKey}
  You go in as ${shown.member}. Enter says the code, here and not there.
Ctrl-C ends it.

`);
}

function codeNow({ code, nextStepMs }: Authenticator): string {
  const nowMs = Date.now();
  return `${code(nowMs)}  for ${Math.ceil((nextStepMs(nowMs) - nowMs) / 1_000)} s; each code lets in once`;
}

try {
  const port = readPort();
  if (port === null) process.stdout.write(help);
  else {
    const demo = await findDemo();
    runProcess("example", (context) => serve(port, demo, context), { portSetting: "PORT" });
  }
} catch (error) {
  if (!(error instanceof Sorry)) throw error;
  process.stderr.write(`example: ${error.message}\n`);
  process.exitCode = error.exitCode;
}
