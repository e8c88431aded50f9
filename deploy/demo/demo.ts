import { mkdtemp, rm } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createFindings } from "./chains/chain.ts";
import { type ChainName, chainNames, chains } from "./chains/registry.ts";
import { playChain } from "./chains/run.ts";
import { type Children, createChildren } from "./children.ts";
import { createNarrator, type Narrator } from "./narrator.ts";
import { createOutcome, type Expectation, expectationsOf } from "./outcome.ts";
import { findStage, type Mode, modes, type Stage, startStage } from "./stage.ts";
import { play } from "./story.ts";

const chainsHelp = chainNames
  .map((name) => `${name.padEnd(11)}${chains[name].about}`)
  .join("\n                         ");
const help = `npm run demo [-- options]

Starts Portcullis in a temporary folder on a free port and plays its main job with real client processes: two members pass
key, one-time code, a message that somebody confirms while the socket waits, and a question; they talk sealed; two impostors
stay out; connections break and sessions go on; one member is kicked. A recorder between clients and edge writes down every
byte, and what it wrote is searched for planted secrets, and for a message on a socket that does not seal, which must be found. Nothing that runs or is stored already is touched: also not the engines that NATS_URL,
REDIS_URL and MONGODB_URL name.

  --chain NAME         one way in instead of that story:
                         ${chainsHelp}
  --mode embedded      all services in one process (default; about 10 s)
  --mode distributed   engines, one process per service, two edges (about 30 s)
  --mode running       a Portcullis that runs already, with two edges: --url, BOOTSTRAP_TOKEN where sign-up is closed (it is used up: no
                       owner can sign up by it any more), and OUTBOX_KEY
  --url URL            where that is
  --json               tell the story on standard error; the last line on standard output is the result
  --help

Exit code: 0 everything was as it should be, 1 it was not, 2 wrong arguments. NO_COLOR turns colours off.
`;

interface Arguments {
  readonly mode: Mode;
  /** Null: the whole story. */
  readonly chain: ChainName | null;
  readonly url: string;
  readonly json: boolean;
  readonly help: boolean;
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      mode: { type: "string", default: "embedded" },
      chain: { type: "string" },
      url: { type: "string", default: "" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const mode = modes.find((one) => one === values.mode);
  if (mode === undefined) throw new Error(`--mode is ${modes.join(" or ")}`);
  const chain = chainNames.find((one) => one === values.chain) ?? null;
  if (values.chain !== undefined && chain === null) throw new Error(`--chain is ${chainNames.join(" or ")}`);
  const { url } = values;
  if ((mode === "running") !== URL.canParse(url)) throw new Error("--mode running and --url belong together");
  return { mode, chain, url, json: values.json, help: values.help };
}

function argumentsOrExit(): Arguments {
  try {
    return readArguments();
  } catch (error) {
    process.stderr.write(`demo: ${error instanceof Error ? error.message : error}\nSee npm run demo -- --help\n`);
    process.exit(2);
  }
}

async function main({ mode, chain, url, json }: Arguments): Promise<number> {
  const narrator = createNarrator(json ? process.stderr : process.stdout);
  const children = createChildren();
  const told = chain === null ? storyOf(mode) : chainOf(mode, chain);
  const folder = await mkdtemp(join(tmpdir(), "portcullis-demo-"));
  const interrupted = Promise.withResolvers<number>();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => interrupted.resolve(128 + constants.signals[signal]));
  }
  // The launcher was killed.
  process.on("disconnect", () => interrupted.resolve(128 + constants.signals.SIGHUP));
  process.channel?.unref();
  // Who reads the story may stop reading.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => interrupted.resolve(1));
  process.on("exit", () => children.killAll());

  async function tell(): Promise<null> {
    try {
      narrator.heading(
        {
          embedded: "Portcullis starts, all of it in one process",
          distributed: "Portcullis starts: NATS, Redis, MongoDB, and one process per service",
          running: `Portcullis runs at ${url}`,
        }[mode],
      );
      const startedMs = performance.now();
      const stage = mode === "running" ? await findStage(running(url)) : await startStage(mode, folder, children);
      narrator.say(`Ready after ${((performance.now() - startedMs) / 1_000).toFixed(1)} s: ${stage.url}`);
      await told.play({ mode, folder, stage, children, narrator });
    } catch (error) {
      told.outcome.error = error instanceof Error ? error.message : String(error);
    }
    return null;
  }

  const signalCode = await Promise.race([tell(), interrupted.promise]);
  const expectations = told.expectations();
  const failed = expectations.filter(({ isSo }) => !isSo);
  if (signalCode === null) {
    narrator.heading("What had to be shown");
    for (const { isSo, text } of expectations) narrator.verdict(isSo, text);
  }
  await children.stopAll();
  if (signalCode !== null) {
    await rm(folder, { recursive: true, force: true });
    return signalCode;
  }
  if (failed.length === 0) await rm(folder, { recursive: true, force: true });
  else {
    // What a story that broke off did not come to is no news.
    const news = told.outcome.error === null ? failed : failed.slice(0, 1);
    for (const { text } of news) process.stderr.write(`demo: not as it should be: ${text}\n`);
    process.stderr.write(`demo: logs and recording are kept in ${folder}\n`);
  }
  if (json) process.stdout.write(`${JSON.stringify({ ok: failed.length === 0, ...told.outcome })}\n`);
  return failed.length === 0 ? 0 : 1;
}

interface Stagehands {
  readonly mode: Mode;
  readonly folder: string;
  readonly stage: Stage;
  readonly children: Children;
  readonly narrator: Narrator;
}

/** What is played, and what has to come of it. */
interface Told {
  readonly outcome: { error: string | null };
  play(parts: Stagehands): Promise<void>;
  expectations(): readonly Expectation[];
}

function storyOf(mode: Mode): Told {
  const outcome = createOutcome(mode);
  return {
    outcome,
    play: (parts) => play({ ...parts, outcome }),
    expectations: () => expectationsOf(outcome),
  };
}

function chainOf(mode: Mode, chain: ChainName): Told {
  const findings = { mode, chain, ...createFindings() };
  return {
    outcome: findings,
    play: (parts) => playChain(chain, { ...parts, findings }),
    expectations: () => [
      ...findings.shown.map(({ what, isSo }) => ({ isSo, text: what })),
      { isSo: findings.error === null, text: endOf(findings.error) },
    ],
  };
}

function endOf(error: string | null): string {
  return error === null ? "the story came to its end" : `the story broke off: ${error}`;
}

/** Keys come by the environment: arguments of a process can be read by others. */
function running(url: string) {
  const { BOOTSTRAP_TOKEN: bootstrapToken = null, OUTBOX_KEY: outboxKey = "" } = process.env;
  return { url, bootstrapToken, outboxKey };
}

const chosen = argumentsOrExit();
if (chosen.help) process.stdout.write(help);
else process.exitCode = await main(chosen);
