export type { MemoryBusNetwork, MemoryBusNetworkOptions } from "./network.ts";
export { createMemoryBus, memoryBusNetwork } from "./network.ts";
export type { MemoryBusOptions, Observed } from "./wire.ts";
