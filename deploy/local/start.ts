import { mkdir } from "node:fs/promises";
import { environment, version } from "@portcullis/platform";
import { createHealth, createLogger, isAnswered, runProcess, startTelemetry } from "@portcullis/runtime";
import { startEmbedded } from "./embedded.ts";
import { embeddedHelp, readEmbeddedConfig } from "./embedded-config.ts";
import { describeDemo, describeNobody, makeDemo, readDemo } from "./first-run.ts";
import { readOutboxKey } from "./outbox-key.ts";

const help = `npm start: all of Portcullis in one process, with everything it keeps in one folder.

Settings, from the environment:

${embeddedHelp()}
`;

if (!isAnswered("portcullis", help))
  runProcess("portcullis", start, { portSetting: "PORT", folderSetting: "DATA_DIR" });

async function start({
  closer,
  signal,
  useLogger,
}: Parameters<Parameters<typeof runProcess>[1]>[0]): Promise<undefined> {
  const given = readEmbeddedConfig(environment);
  const { dataDir, logLevel, logFormat, otlpEndpoint, sampling } = given.platform;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const outboxKey = given.notify.outboxKey ?? (await readOutboxKey(dataDir));
  const settings = { ...given, notify: { ...given.notify, outboxKey } };
  const log = createLogger({ service: "portcullis", level: logLevel, format: logFormat });
  useLogger(log);
  const telemetry = startTelemetry({
    service: "portcullis",
    version,
    instance: "embedded",
    otlpEndpoint,
    sampling,
    log,
  });
  closer.add("telemetry", () => telemetry.shutdown());
  const health = createHealth();
  signal.addEventListener("abort", () => health.stopping());

  const { url, port, edgePort, bootstrapToken } = await startEmbedded(settings, { dataDir, log, health, closer });
  const known = await readDemo(dataDir);
  const isNew = known === null && settings.launcher.demo && bootstrapToken !== null;
  const demo = isNew ? await makeDemo(`http://127.0.0.1:${port}`, dataDir, bootstrapToken, url) : known;

  const lines = [
    "",
    `Portcullis is ready: ${url}`,
    `  API and its documentation  ${url}/docs`,
    `  sockets                    ws://localhost:${edgePort}/{label}/{path}`,
    `  what is sent (the outbox)  ${url}/outbox#${outboxKey}`,
    "",
  ];
  if (demo !== null) lines.push(describeDemo(demo, dataDir, isNew), "");
  else if (bootstrapToken !== null) lines.push(describeNobody(url, bootstrapToken), "");
  lines.push(
    "Try next:",
    ...(demo === null
      ? []
      : [
          "  npm run connect     in another terminal: pass the gates of the demo socket yourself, then chat",
          "  npm run example:browser   the same in a browser, by <portcullis-gate>",
        ]),
    "  npm run demo        watch two members get in, and impostors stay out",
    "Ctrl-C ends it.",
    "",
  );
  process.stdout.write(lines.join("\n"));
  return undefined;
}
