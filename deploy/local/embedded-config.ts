import { apiConfig } from "@portcullis/api";
import { edgeConfig } from "@portcullis/edge";
import { factorsConfig } from "@portcullis/factors";
import { identityConfig } from "@portcullis/identity";
import { keysConfig } from "@portcullis/keys";
import { notifyConfig } from "@portcullis/notify";
import { embeddedConfig } from "@portcullis/platform";
import {
  defineConfig,
  type Environment,
  flag,
  type Option,
  type Options,
  port,
  readConfig,
  renderConfigHelp,
  StartupError,
} from "@portcullis/runtime";

const launcherConfig = defineConfig({
  edgePort: {
    env: "EDGE_PORT",
    type: port(),
    default: null,
    describe: "Where WebSockets are taken; unset: on PORT, by upgrade.",
  },
  demo: {
    env: "DEMO",
    type: flag(),
    default: "true",
    describe: "Whether the first run makes a demo owner and a demo socket.",
  },
});

/** Each option once, by the name of its variable: several services read the same one. The launcher's own come first. */
function everything() {
  const definitions = [
    launcherConfig,
    embeddedConfig,
    apiConfig,
    edgeConfig,
    identityConfig,
    factorsConfig,
    keysConfig,
    notifyConfig,
  ];
  const options: Record<string, Option> = {};
  for (const definition of definitions) {
    for (const option of Object.values<Option>(definition.options)) options[option.env] ??= option;
  }
  return defineConfig<Options>(options);
}

/** @throws {ConfigError} with the problems of all services at once. @throws {StartupError} a key service is asked for */
export function readEmbeddedConfig(environment: Environment) {
  // Whoever sets it believes that its data keys are in the key service.
  if ((environment.KMS || "local") !== "local")
    throw new StartupError(
      "KMS: npm start has its data keys wrapped by master.key alone; leave it unset, or run the services",
    );
  readConfig(everything(), environment);
  const platform = readConfig(embeddedConfig, environment);
  const api = readConfig(apiConfig, environment);
  const launcher = readConfig(launcherConfig, environment);
  const { EDGE_PORT, ...withoutEdgePort } = environment;
  return {
    platform,
    launcher,
    api: {
      ...api,
      socketsUrl: api.socketsUrl ?? (launcher.edgePort === null ? null : `ws://localhost:${launcher.edgePort}`),
    },
    edge: { ...readConfig(edgeConfig, withoutEdgePort), port: launcher.edgePort ?? api.port },
    identity: {
      ...readConfig(identityConfig, environment),
      publicUrl: api.publicUrl ?? `http://localhost:${api.port}`,
    },
    factors: readConfig(factorsConfig, environment),
    keys: readConfig(keysConfig, environment),
    notify: {
      ...readConfig(notifyConfig, environment),
      outboxDir: environment.OUTBOX_DIR || `${platform.dataDir}/outbox`,
    },
  };
}

export type EmbeddedSettings = ReturnType<typeof readEmbeddedConfig>;

export const embeddedHelp = (): string => renderConfigHelp(everything());
