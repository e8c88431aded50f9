import { join } from "node:path";
import { environment } from "@portcullis/platform";
import {
  defineConfig,
  flag,
  isAnswered,
  port,
  readConfig,
  renderConfigHelp,
  runProcess,
  text,
} from "@portcullis/runtime";
import { startDistributed } from "./distributed.ts";
import { describeDemo, describeNobody, makeDemo, readDemo } from "./first-run.ts";
import { ApiError } from "./owner.ts";

const config = defineConfig({
  port: { env: "PORT", type: port(), default: "8080", describe: "The one address: API, and WebSockets by upgrade." },
  host: { env: "HOST", type: text({ min: 1, max: 255 }), default: "127.0.0.1", describe: "The address to listen on." },
  dataDir: {
    env: "DATA_DIR",
    type: text({ min: 1, max: 1024 }),
    default: "./data/distributed",
    describe: "Secrets, logs and the outbox. Engines that are started here keep nothing.",
  },
  demo: { env: "DEMO", type: flag(), default: "true", describe: "Whether a demo owner and a demo socket are made." },
  otlp: {
    env: "OTEL_EXPORTER_OTLP_ENDPOINT",
    type: text({ min: 1, max: 512 }),
    default: null,
    describe: "OTLP/HTTP collector for all services.",
  },
});

const help = `npm run start:distributed: NATS, Redis and MongoDB, then every service in processes of its own.

Engines are taken from NATS_URL, REDIS_URL and MONGODB_URL, else from Docker, else from programs on this machine.
A NATS server that you name must have the users of nats.conf in DATA_DIR.

Settings, from the environment:

${renderConfigHelp(config)}
`;

if (!isAnswered("portcullis", help))
  runProcess("portcullis", start, { portSetting: "PORT", folderSetting: "DATA_DIR", stopMsMax: 12_000 });

async function start({ closer }: Parameters<Parameters<typeof runProcess>[1]>[0]): Promise<undefined> {
  const { port: wanted, host, dataDir, demo, otlp } = readConfig(config, environment);
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const { url, bootstrapToken, outboxKey, replicas } = await startDistributed({
    dataDir,
    port: wanted,
    host,
    closer,
    say,
    settings: otlp === null ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: otlp },
  });
  const lines = [
    "",
    `Portcullis is ready: ${url}`,
    `  API and its documentation  ${url}/docs`,
    `  what is sent (the outbox)  ${url}/outbox#${outboxKey}`,
    `  processes                  ${replicas.length}, logs in ${join(dataDir, "logs")}`,
    "",
  ];
  if (demo) {
    lines.push(
      await demoOf(url, dataDir, bootstrapToken),
      "",
      "Try next:",
      `  DATA_DIR=${dataDir} npm run connect     in another terminal: pass the gates of the demo socket yourself, then chat`,
    );
  } else lines.push(describeNobody(url, bootstrapToken), "");
  lines.push("Ctrl-C ends it.", "");
  process.stdout.write(lines.join("\n"));
  return undefined;
}

/** Engines of ours start empty, engines of yours may know the demo of an earlier run. */
async function demoOf(url: string, dataDir: string, bootstrapToken: string): Promise<string> {
  try {
    return describeDemo(await makeDemo(url, dataDir, bootstrapToken), dataDir, true);
  } catch (error) {
    const known = await readDemo(dataDir);
    if (!(error instanceof ApiError) || error.status !== 403 || known === null) throw error;
    return describeDemo(known, dataDir, false);
  }
}
