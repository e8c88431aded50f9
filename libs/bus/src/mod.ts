export { type Caller, type CallerOptions, type CallOptions, createCaller, type RoundTrip } from "./calls/caller.ts";
export {
  type CallInfo,
  type CallLog,
  type Claim,
  createServer,
  type ServeOptions,
  type Server,
  type ServerOptions,
} from "./calls/server.ts";
export { payloadBytesMax } from "./message.ts";
export { busNameOf, endpointNameOf, inboxPrefixOf, recipientOf } from "./names.ts";
export {
  type Bus,
  type BusStatus,
  BusUnavailableError,
  type BusUnavailableReason,
  type Delivered,
  type Endpoint,
  type Message,
  type ServiceDescription,
  type ServiceRegistration,
  type SubscribeOptions,
  type Subscription,
} from "./port.ts";
export {
  createServiceSeal,
  freshForMs,
  generateServiceKeyPair,
  type SealContext,
  type SealDirectory,
  SealError,
  type ServiceSeal,
  type ServiceSealOptions,
} from "./seal.ts";
export type { BusErrorListener } from "./tasks.ts";
