import { utf8 } from "@portcullis/protocol";

export type Parameters = Readonly<Record<string, string>>;

const entriesMax = 32;
/** Names and values, in UTF-8: they are stored with the handshake and the session, and told to the owner's program. */
const bytesMax = 8 * 1024;

/**
 * What was stated before, and what is stated now: a name that was there gets the new value. A statement with which it would become
 * too much adds nothing at all, so that nobody has to guess which half of it counts.
 */
export function mergeParameters(before: Parameters, stated: Parameters): Parameters {
  const merged = new Map([...Object.entries(before), ...Object.entries(stated)]);
  let bytes = 0;
  for (const [name, value] of merged) bytes += utf8(name).length + utf8(value).length;
  return merged.size > entriesMax || bytes > bytesMax ? before : Object.fromEntries(merged);
}
