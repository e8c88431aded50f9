export type { NatsBusOptions } from "./connect.ts";
export { connectNatsBus } from "./connect.ts";
