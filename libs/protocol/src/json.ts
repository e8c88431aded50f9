import type * as z from "zod/mini";
import { utf8 } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws {ProtocolError} `malformed` on anything but well-formed UTF-8. */
export function textOf(bytes: Uint8Array, field: string): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ProtocolError("malformed", field);
  }
}

/** Below these the sender names the fields. */
const freeNames: ReadonlySet<PropertyKey> = new Set(["prompt", "parameters", "suites"]);

/** `malformed`, with the path of the first offending field: zod's own issues quote what was received and go no further. */
export function check<Output>(schema: z.ZodMiniType<Output>, value: unknown, field: string): Output {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const path = result.error.issues[0]?.path ?? [];
  const free = path.findIndex((step) => freeNames.has(step));
  const known = free < 0 ? path : path.slice(0, free + 1);
  throw new ProtocolError("malformed", [field, ...known.map(String)].join("."));
}

const names = /"((?:[^"\\]|\\.)*)"\s*(:?)|[{}]/gs;

/**
 * RFC 8259 section 4 leaves open what a name means that comes twice, and readers differ: what one of them checked is not what
 * the next one uses.
 *
 * @param text valid JSON, in which a string before a colon is a name.
 */
function repeatsName(text: string): boolean {
  const open: Set<string>[] = [];
  for (const [token, written = "", colon] of text.matchAll(names)) {
    if (token === "{") open.push(new Set());
    else if (token === "}") open.pop();
    else if (colon === ":") {
      const name: string = written.includes("\\") ? JSON.parse(`"${written}"`) : written;
      const known = open.at(-1);
      if (known?.has(name) === true) return true;
      known?.add(name);
    }
  }
  return false;
}

export function parseJson<Output>(schema: z.ZodMiniType<Output>, text: string, field: string): Output {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolError("malformed", field);
  }
  if (repeatsName(text)) throw new ProtocolError("malformed", field);
  return check(schema, value, field);
}

/** Cheap first: a text of more code units than bytes allowed is too large without being encoded. */
export function assertTextBytes(text: string, bytesMax: number, field: string): void {
  if (text.length > bytesMax || utf8(text).length > bytesMax) throw new ProtocolError("too-large", field);
}
