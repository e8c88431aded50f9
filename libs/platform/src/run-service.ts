import type { ServiceName } from "@portcullis/contracts";
import {
  type ConfigDefinition,
  type ConfigOf,
  createHealth,
  createIds,
  createLogger,
  defineConfig,
  type Environment,
  isAnswered,
  type Options,
  readConfig,
  renderConfigHelp,
  runProcess,
  startHealthServer,
  startTelemetry,
} from "@portcullis/runtime";
import { type DistributedConfig, distributedConfig, distributedConfigOf, environment } from "./config.ts";
import { openDistributed } from "./distributed.ts";
import type { Platform } from "./platform.ts";

export const version = "0.1.0";

export interface ServiceOptions<F extends Options> {
  readonly service: ServiceName;
  readonly definition: ConfigDefinition<F>;
  /**
   * Where the service answers `/healthz` and `/readyz` by itself as soon as `start` has opened that port; until then, while
   * engines are waited for, they are answered there for it. Without: on HEALTH_PORT, all the time.
   */
  readonly ownHttp?: (config: ConfigOf<F>) => { readonly host: string; readonly port: number };
  readonly portSetting?: string;
  readonly start: (platform: Platform, config: ConfigOf<F>) => Promise<unknown>;
}

/**
 * What the platform and the service itself are told.
 *
 * @throws {ConfigError} with all problems of both at once, settings included that only this service cannot do without
 */
export function readServiceConfig<F extends Options>(
  service: ServiceName,
  definition: ConfigDefinition<F>,
  environment: Environment,
): { readonly base: DistributedConfig; readonly config: ConfigOf<F> } {
  const { options } = distributedConfigOf(service, environment.KMS);
  readConfig(defineConfig<Options>({ ...options, ...definition.options }), environment);
  return { base: readConfig(distributedConfig, environment), config: readConfig(definition, environment) };
}

/** A service as a process of its own: configuration, telemetry, engines, health, then the service, and the way back. */
export function runService<F extends Options>({
  service,
  definition,
  ownHttp,
  portSetting = "HEALTH_PORT",
  start,
}: ServiceOptions<F>): void {
  const help = `portcullis ${service}: settings, from the environment\n\n${renderConfigHelp(definition)}\n${renderConfigHelp(distributedConfig)}`;
  if (isAnswered(service, help)) return;
  runProcess(
    service,
    async ({ closer, signal, useLogger }) => {
      const { base, config } = readServiceConfig(service, definition, environment);
      const instance = base.instance ?? `${service}-${createIds().id().slice(0, 6)}`;
      const log = createLogger({ service, instance, level: base.logLevel, format: base.logFormat });
      useLogger(log);
      const telemetry = startTelemetry({
        service,
        version,
        instance,
        otlpEndpoint: base.otlpEndpoint,
        sampling: base.sampling,
        log,
      });
      closer.add("telemetry", () => telemetry.shutdown());
      const health = createHealth();
      signal.addEventListener("abort", () => health.stopping());
      // Until the service answers: engines that are there are not enough to send it work.
      const started = health.add(service, () => Promise.reject(new Error("not started yet")));
      const standIn = ownHttp !== undefined;
      const { host, port } = ownHttp?.(config) ?? { host: base.healthHost, port: base.healthPort };
      const server = await startHealthServer({ host, port, health, standIn });
      closer.add("health", () => server.close());
      if (!standIn) log.info("health", { port: server.port });
      const platform = await openDistributed({ service, instance, config: base, log, health, closer, signal });
      if (standIn) await server.close();
      await start(platform, config);
      started();
      log.info("ready");
      return undefined;
    },
    { portSetting },
  );
}
