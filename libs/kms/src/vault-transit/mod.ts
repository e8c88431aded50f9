export { createVaultTransit, tokenIn, type VaultTransitOptions } from "./vault-transit.ts";
