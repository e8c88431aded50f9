/** Whether to come back, and what a person may be told. The reason text of the close frame is `name`, nothing more. */
export interface CloseCode {
  readonly code: number;
  readonly name: string;
  /** True: reconnect with a fresh hello, after the hint of the last `denied` or `goodbye`, else with backoff and jitter. */
  readonly retry: boolean;
  /** Public: the same for every cause that shares the code. */
  readonly text: string;
}

/**
 * 4000-4499 come back, 4500-4999 do not; the codes below 4000 are RFC 6455's. A raw close never says "wipe": only a sealed
 * `revoked` or `denied` does, since whoever sits between can close a connection with any code.
 */
const table = {
  closed: { code: 1000, name: "closed", retry: false, text: "The connection was closed." },
  "going-away": { code: 1001, name: "going-away", retry: true, text: "The server is going away." },
  restart: { code: 1012, name: "restart", retry: true, text: "The server restarts. Come back after a random wait." },
  "slow-consumer": { code: 4000, name: "slow-consumer", retry: true, text: "Messages were read too slowly." },
  unavailable: { code: 4001, name: "unavailable", retry: true, text: "Not available at the moment." },
  "expired-bundle": {
    code: 4002,
    name: "expired-bundle",
    retry: true,
    text: "The hello is too old. Take a fresh one.",
  },
  "session-expired": { code: 4003, name: "session-expired", retry: true, text: "The session has expired." },
  deadline: { code: 4008, name: "deadline", retry: true, text: "The time to answer has passed." },
  rate: { code: 4029, name: "rate", retry: true, text: "Too much in too short a time." },
  malformed: { code: 4500, name: "malformed", retry: false, text: "The frame is not valid." },
  "out-of-order": { code: 4501, name: "out-of-order", retry: false, text: "The frame does not belong here." },
  "too-large": { code: 4502, name: "too-large", retry: false, text: "The frame is too large." },
  denied: { code: 4503, name: "denied", retry: false, text: "Denied." },
  revoked: { code: 4504, name: "revoked", retry: false, text: "The session was ended by the owner." },
  unsupported: { code: 4505, name: "unsupported", retry: false, text: "Version or suite not supported." },
  replaced: { code: 4506, name: "replaced", retry: false, text: "The session goes on over another connection." },
} as const satisfies Record<string, CloseCode>;

for (const entry of Object.values(table)) Object.freeze(entry);

export const closeCodes: typeof table = Object.freeze(table);
export type CloseCodeName = keyof typeof closeCodes;
export const closeCodeNames = Object.freeze(Object.keys(closeCodes)) as readonly CloseCodeName[];

const byCode: ReadonlyMap<number, CloseCode> = new Map(Object.values(closeCodes).map((entry) => [entry.code, entry]));

/** Undefined for a code that is not Portcullis's; the range still says whether to come back. */
export function closeCodeOf(code: number): CloseCode | undefined {
  return byCode.get(code);
}
