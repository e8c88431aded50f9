export { type KeyRing, type KeyRingOptions, openKeyRing } from "./key-ring.ts";
export { createLeaseClock } from "./lease-clock.ts";
export { AlteredRingError } from "./opened-keys.ts";
export type { Entry, Ring } from "./ring.ts";
export { erasableAfterMs, isUnderWay, type RotationOptions, retire, rewrapRing, rotate } from "./rotation.ts";
export { type Reseal, type Resealed, type SealedStore, sealedStore } from "./sealed-store.ts";
export { countOf, type RingStatus, statusOf } from "./status.ts";
