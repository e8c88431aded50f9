import type { Message } from "./port.ts";
import { BusUnavailableError } from "./port.ts";

/** The largest payload in bytes that any adapter carries: a 1 MiB broadcast, its seal and room to spare. */
export const payloadBytesMax = 2 * 1024 * 1024;

const headersMax = 32;
const headerName = /^[a-z0-9-]{1,64}$/;
// No space at either end: NATS trims values, the memory bus would not, and the adapters must not differ.
const headerValue = /^[\x21-\x7e](?:[\x20-\x7e]{0,1022}[\x21-\x7e])?$/;

/**
 * What every adapter demands of a message before it leaves, so that a message which passes in one form passes in all.
 *
 * @throws {TypeError} a header name or value is unfit, or there are more than 32
 * @throws {BusUnavailableError} `refused`: the payload is larger than `payloadBytesMax`
 */
export function checkMessage(subject: string, message: Message): void {
  const entries = Object.entries(message.headers);
  if (entries.length > headersMax) throw new TypeError(`${subject}: more than ${headersMax} headers`);
  for (const [name, value] of entries) {
    if (!headerName.test(name)) throw new TypeError(`${subject}: a header name is not [a-z0-9-]{1,64}`);
    if (!headerValue.test(value)) throw new TypeError(`${subject}: header ${name} is not short printable ASCII`);
  }
  if (message.data.byteLength > payloadBytesMax) throw new BusUnavailableError(subject, "refused");
}
