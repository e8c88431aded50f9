import type { MsgHdrs } from "@nats-io/nats-core";
import { headers } from "@nats-io/nats-core";

/** Written as they are, lower-case: nats.js compares names exactly. Without any, not even an empty block of them is sent. */
export function toNatsHeaders(record: Readonly<Record<string, string>>): { headers?: MsgHdrs } {
  const entries = Object.entries(record);
  if (entries.length === 0) return {};
  const result = headers();
  for (const [name, value] of entries) result.append(name, value);
  return { headers: result };
}

/** The first value of each; names in lower case, whatever a foreign client wrote. */
export function fromNatsHeaders(given: MsgHdrs | undefined): Readonly<Record<string, string>> {
  const record: Record<string, string> = Object.create(null);
  for (const [name, values] of given ?? []) {
    const [first] = values;
    const key = name.toLowerCase();
    if (first !== undefined && !(key in record)) record[key] = first;
  }
  return Object.freeze(record);
}
