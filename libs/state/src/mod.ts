export type { CountedWrite, Entry, State } from "./port.ts";
export { openRooms, type Rooms } from "./rooms.ts";
export { scopedState } from "./scoped.ts";
