export { type Closer, createCloser, type Stop } from "./closer.ts";
export { isAnswered } from "./command-line.ts";
export {
  type ConfigDefinition,
  ConfigError,
  type ConfigOf,
  defineConfig,
  describeConfig,
  type Environment,
  type Option,
  type Options,
  readConfig,
  renderConfigHelp,
} from "./config.ts";
export {
  type Bounds,
  bytes,
  choice,
  domainName,
  duration,
  flag,
  fraction,
  integer,
  list,
  origin,
  port,
  secretKey,
  type TextType,
  text,
  textType,
  url,
} from "./config-types.ts";
export { type Destination, destinationOf } from "./destination.ts";
export { openUnder, type Root, rootIdIn, rootOf, sealUnder, subkeyOf, VaultError } from "./envelope.ts";
export { errorClass, errorCode, errorName } from "./error-class.ts";
export { aliveReport, createHealth, type Health, type HealthOptions, type HealthReport } from "./health.ts";
export { type HealthServer, probeListener, startHealthServer } from "./health-server.ts";
export { type HttpConnectionLimits, type HttpConnections, limitHttpConnections } from "./http-connections.ts";
export { type Clock, createIds, type Ids, type Random, systemClock, systemRandom } from "./ids.ts";
export { type ProcessContext, type RunOptions, runProcess } from "./lifecycle.ts";
export { listen, portOf } from "./listen.ts";
export {
  createLogger,
  type LogFields,
  type LogFormat,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  logFormats,
  logLevels,
} from "./log.ts";
export { type Address, network, networkMatcher, networkOf, parseAddress } from "./network.ts";
export { type OutboundRule, outboundAllow, outboundRule, outboundUrl } from "./outbound.ts";
export { connectionProblem, type UntilReadyOptions, untilReady } from "./retry.ts";
export {
  createSafeFetch,
  type OutboundAnswer,
  OutboundError,
  type OutboundFailure,
  type OutboundRequest,
  type Resolve,
  type SafeFetch,
  type SafeFetchOptions,
} from "./safe-fetch.ts";
export { asStartupError, StartupError, type StartupHints } from "./startup-error.ts";
export { startTelemetry, type Telemetry, type TelemetryOptions } from "./telemetry.ts";
export {
  extractTrace,
  injectTrace,
  meterFor,
  type SpanKindName,
  type SpanOptions,
  timed,
  tracerFor,
  withSpan,
} from "./tracing.ts";
export {
  createDecoy,
  createVault,
  fixedKeys,
  type Vault,
  type VaultKeys,
  VaultShutError,
} from "./vault.ts";
