import { parseArgs } from "node:util";
import { startEngines, testEnvironment } from "./engines.ts";
import { type EngineName, engineNames } from "./types.ts";

const help = `Starts NATS, Redis and MongoDB for development and tests, and stops them on Ctrl-C.

Usage: npm run engines -- [--nats-config <file>] [engine ...]

  engine               nats, redis, mongodb; all of them by default
  --nats-config file   a configuration for nats-server (users, permissions); no address, no port
  --help               this text

Prints "export NATS_URL=..." lines to standard output once everything answers. For each engine the first of these is taken:
NATS_URL, REDIS_URL, MONGODB_URL of the environment; Docker; nats-server, redis-server, mongod on the PATH; Debian's
packages (as root on Debian); for MongoDB, FerretDB built with Go. With CI=true an engine that cannot be had is an error.
Other Docker images: PORTCULLIS_TEST_NATS_IMAGE, PORTCULLIS_TEST_REDIS_IMAGE, PORTCULLIS_TEST_MONGODB_IMAGE.
PORTCULLIS_TEST_DOCKER_NETWORK=host gives the containers the network of the host.
`;

const isEngine = (name: string): name is EngineName => (engineNames as readonly string[]).includes(name);

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: "boolean" }, "nats-config": { type: "string" } },
  });
  if (values.help) {
    process.stdout.write(help);
    return;
  }
  // Somebody who started this with a channel may end without a word.
  const parentGone = new Promise((resolve) => process.once("disconnect", resolve));
  const unknown = positionals.filter((name) => !isEngine(name));
  if (unknown.length > 0)
    throw new Error(`unknown engine: ${unknown.join(", ")} (there are ${engineNames.join(", ")})`);

  const engines = await startEngines({
    want: positionals.length > 0 ? positionals.filter(isEngine) : engineNames,
    log: (line) => process.stderr.write(`${line}\n`),
    natsConfig: values["nats-config"],
  });
  for (const [name, value] of Object.entries(testEnvironment(engines)))
    process.stdout.write(`export ${name}=${value}\n`);
  process.stderr.write("Ctrl-C stops them.\n");

  // Engines in containers leave nothing here that would keep the process alive.
  const alive = setInterval(() => undefined, 3_600_000);
  await new Promise((resolve) => {
    void parentGone.then(resolve);
    for (const end of ["SIGHUP", "SIGINT", "SIGTERM", "disconnect"] as const) process.once(end, resolve);
    process.channel?.unref();
  });
  clearInterval(alive);
  await engines.stop();
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
