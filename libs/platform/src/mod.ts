export { claimIn } from "./assemble.ts";
export {
  type DistributedConfig,
  distributedConfig,
  distributedConfigOf,
  type EmbeddedConfig,
  embeddedConfig,
  environment,
} from "./config.ts";
export { type DataKeys, openEmbeddedDataKeys, openServiceDataKeys } from "./data-keys.ts";
export { openDistributed } from "./distributed.ts";
export { type Embedded, type EmbeddedOptions, openEmbedded } from "./embedded.ts";
export { type KeysCommandOptions, keysCommand, keysHelp } from "./keys-command.ts";
export type { Platform } from "./platform.ts";
export { readServiceConfig, runService, version } from "./run-service.ts";
