import { parseArgs } from "node:util";
import type { ServiceName } from "@portcullis/contracts";
import {
  countOf,
  type RotationOptions,
  retire,
  rewrapRing,
  rotate,
  type SealedStore,
  statusOf,
} from "@portcullis/key-ring";
import { type Closer, createLogger, type Environment, StartupError, systemClock } from "@portcullis/runtime";
import { type DataKeys, openEmbeddedDataKeys, openServiceDataKeys } from "./data-keys.ts";

export const keysHelp = `keys ACTION [options]          beside the services while they run

  status    which data keys there are, and who works with them
  rotate    another data key: all replicas learn of it, then it is used, then everything stored is sealed again.
            What was interrupted goes on; two at once are one. It also does what retire does
  retire    erases the keys before, 48 hours after the rotation, when nothing can be left under them
  rewrap    has the key service wrap the data keys anew: behind a new MASTER_KEY, another KMS key, or another KMS

  --data FOLDER      the data folder of npm start, with all that is in it
  --service NAME     identity, factors or keys: its stores, by the settings that it has in its environment
  --dry-run          of rotate: counts what would be sealed again, and changes nothing
  --unreadable-too   of retire: although there is something that no key opens, which an older backup might
  --help

Exit code: 0 done, 1 not.
`;

const actions = ["status", "rotate", "retire", "rewrap"] as const;
type Action = (typeof actions)[number];

export interface KeysCommandOptions {
  /** What each service has sealed in its documents. */
  readonly sealed: Readonly<Partial<Record<ServiceName, readonly SealedStore[]>>>;
  /** Where no other is named. */
  readonly service?: ServiceName;
  readonly environment: Environment;
  readonly write: (text: string) => void;
  readonly closer: Closer;
  readonly signal: AbortSignal;
}

/** @throws {StartupError} what was typed makes no sense, or it cannot be done. @throws {ConfigError} */
export async function keysCommand(args: readonly string[], options: KeysCommandOptions): Promise<void> {
  const { values, positionals } = parsed(args);
  const [word, ...more] = positionals;
  if (values.help || word === undefined) return options.write(keysHelp);
  const action = actions.find((each) => each === word);
  if (action === undefined || more.length > 0) throw new StartupError("there is no such action: see keys --help");
  const log = createLogger({ service: "keys-command", level: "warn", format: "text" });
  const { closer, signal } = options;
  for (const each of await opened(values, options, { log, closer, signal }))
    await act(action, each, options, { isDryRun: values["dry-run"], unreadableToo: values["unreadable-too"] });
}

function parsed(args: readonly string[]) {
  try {
    const flag = { type: "boolean", default: false } as const;
    const text = { type: "string" } as const;
    const options = { data: text, service: text, "dry-run": flag, "unreadable-too": flag, help: flag };
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new StartupError(`${error instanceof Error ? error.message : "wrong arguments"}; see keys --help`);
  }
}

async function opened(
  { data, service: named }: { readonly data?: string | undefined; readonly service?: string | undefined },
  { sealed, service: usual, environment }: KeysCommandOptions,
  around: Parameters<typeof openServiceDataKeys>[2],
): Promise<readonly DataKeys[]> {
  const known = (Object.keys(sealed) as ServiceName[]).sort();
  const service = named === undefined ? usual : known.find((each) => each === named);
  if (named !== undefined && service === undefined) throw new StartupError(`--service is one of ${known.join(", ")}`);
  if (data !== undefined) return openEmbeddedDataKeys(data, named === undefined ? known : [service ?? "keys"], around);
  if (service === undefined) throw new StartupError("--data FOLDER or --service NAME says whose keys: see keys --help");
  return [await openServiceDataKeys(service, environment, around)];
}

async function act(
  action: Action,
  { service, ring, documents }: DataKeys,
  { sealed, signal, write }: KeysCommandOptions,
  { isDryRun, unreadableToo }: { readonly isDryRun: boolean; readonly unreadableToo: boolean },
): Promise<void> {
  const say = (line: string) => write(`${service}: ${line}\n`);
  const stores = sealed[service] ?? [];
  const rotation: RotationOptions = { ring, documents, stores, clock: systemClock, say, signal };
  if (action === "status") return describe(await statusOf(ring), say);
  if (action === "rewrap") return rewrapRing(rotation);
  if (action === "retire") {
    const gone = await retire(rotation, { unreadableToo });
    if (gone.length === 0) say("nothing was erased");
    return;
  }
  if (!isDryRun) return rotate(rotation);
  describe(await statusOf(ring), say);
  for (const { name, seen, unreadable } of await countOf(ring, documents, stores))
    say(`${name}: ${seen} documents would be sealed again${unreadable > 0 ? `; ${unreadable} open under no key` : ""}`);
}

function describe({ keys, indexBy, readers }: Awaited<ReturnType<typeof statusOf>>, say: (line: string) => void): void {
  const day = (ms: number) => new Date(ms).toISOString();
  for (const { id, state, by, madeAtMs, settledAtMs, erasableAtMs } of keys) {
    const then =
      erasableAtMs === null
        ? ""
        : settledAtMs === null
          ? ", not everything is sealed again yet"
          : `, can be erased from ${day(erasableAtMs)} on`;
    say(`key ${id} ${state}, made ${day(madeAtMs)}, wrapped by ${by}${then}`);
  }
  say(`index secret wrapped by ${indexBy}`);
  for (const { instance, isBehind } of readers)
    say(`in use by ${instance}${isBehind ? ", which does not know all of it yet" : ""}`);
}
