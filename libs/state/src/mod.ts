export type { Entry, State } from "./port.ts";
