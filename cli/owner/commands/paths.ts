import type { Given } from "./owner-command.ts";

/** One segment of a path. */
export const at = (value: string | undefined) => encodeURIComponent(value ?? "");
/** Of a command whose first argument is a socket. */
export const socketPath = ({ args: [id] }: Given) => `/v1/sockets/${at(id)}`;
/** Of one whose second is a member. */
export const memberPath = (given: Given) => `${socketPath(given)}/members/${at(given.args[1])}`;
