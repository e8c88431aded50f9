export type { CountedWrite, Entry, State } from "./port.ts";
