export { claimIn } from "./assemble.ts";
export {
  type DistributedConfig,
  distributedConfig,
  distributedConfigOf,
  type EmbeddedConfig,
  embeddedConfig,
  environment,
} from "./config.ts";
export { openDistributed } from "./distributed.ts";
export { type Embedded, type EmbeddedOptions, openEmbedded } from "./embedded.ts";
export type { Platform } from "./platform.ts";
export { readServiceConfig, runService, version } from "./run-service.ts";
