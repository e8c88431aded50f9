import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { environment, openDistributed, openEmbedded, type Platform, readServiceConfig } from "@portcullis/platform";
import { type Closer, createHealth, createLogger, runProcess, StartupError } from "@portcullis/runtime";
import { keysConfig } from "./config.ts";
import { rotateIdentity } from "./rotation.ts";

const dayMs = 24 * 3_600_000;
const overlapDaysMax = 365;

const help = `portcullis rotate-identity [options]          once, against the stores that keys uses

Gives the server another identity key. All replicas of keys change over within seconds; nothing is restarted.

  --data FOLDER        the data folder of npm start; without it, the settings of the service keys say where its stores are
  --overlap-days DAYS  how long those who pin the key before are led to the new one, 1 to ${overlapDaysMax}; 30 unless you say so
  --compromised        the key before may be in other hands: it leads nowhere, and everybody needs the new fingerprint
  --help
`;

interface Given {
  readonly data: string | undefined;
  readonly overlapMs: number | null;
}

/** @returns null where help was asked for. @throws {StartupError} */
function readArguments(): Given | null {
  const { values } = parsed();
  if (values.help) return null;
  const given = values["overlap-days"];
  if (values.compromised && given !== undefined)
    throw new StartupError("a key that may be in other hands has no overlap: leave --overlap-days out");
  const days = Number(given ?? 30);
  if (!Number.isInteger(days) || days < 1 || days > overlapDaysMax)
    throw new StartupError(`--overlap-days must be a whole number from 1 to ${overlapDaysMax}`);
  return { data: values.data, overlapMs: values.compromised ? null : days * dayMs };
}

function parsed() {
  try {
    return parseArgs({
      options: {
        data: { type: "string" },
        "overlap-days": { type: "string" },
        compromised: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new StartupError(`${error instanceof Error ? error.message : "wrong arguments"}; see --help`);
  }
}

async function openPlatform(data: string | undefined, closer: Closer, signal: AbortSignal): Promise<Platform> {
  const log = createLogger({ service: "rotate-identity", level: "warn" });
  const health = createHealth();
  // A folder without one would be made into another server.
  if (data !== undefined && !existsSync(join(data, "portcullis.sqlite")))
    throw new StartupError(`--data ${data}: there is no server's data in it`);
  if (data !== undefined) return (await openEmbedded({ dataDir: data, log, health, closer })).platformFor("keys");
  const { base } = readServiceConfig("keys", keysConfig, environment);
  return openDistributed({ service: "keys", instance: "rotate-identity", config: base, log, health, closer, signal });
}

async function rotate({ data, overlapMs }: Given, closer: Closer, signal: AbortSignal): Promise<void> {
  const { before, now, until } = await rotateIdentity(await openPlatform(data, closer, signal), { overlapMs });
  const overlap =
    until === null
      ? "Who pins the key before gets no further: give out the new fingerprint, as the last part of each app key."
      : `Who pins the key before is led here until ${new Date(until * 1000).toISOString()}.`;
  process.stdout.write(`before ${before}\nnow    ${now}\n${overlap}\n`);
}

runProcess("rotate-identity", async ({ closer, signal, stop }) => {
  const given = readArguments();
  if (given === null) process.stdout.write(help);
  else await rotate(given, closer, signal);
  stop();
  return undefined;
});
