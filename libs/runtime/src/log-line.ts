/** The longest line that is written, in bytes with its newline. */
export const lineBytesMax = 4_096;

const textCharactersMax = 1_024;
/** What a reader needs to find the rest; kept when a line is too long. */
const keptNames = ["level", "time", "service", "instance", "trace_id", "span_id", "msg"];

type Line = Readonly<Record<string, unknown>>;

/** Cuts a text, and says so. */
export function bounded(text: string, charactersMax = textCharactersMax): string {
  // Half a surrogate pair is no text: an encoder would replace it or fail.
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax).toWellFormed()}...`;
}

/**
 * @param json one line as pino made it, with its newline.
 * @returns the same, or with everything but the essentials cut and `"cut":true` where it was longer than `lineBytesMax`.
 */
export function boundedJsonLine(json: string): string {
  if (Buffer.byteLength(json) <= lineBytesMax) return json;
  return `${JSON.stringify(essentials(JSON.parse(json)))}\n`;
}

function essentials(line: Line): Line {
  const kept: Record<string, unknown> = {};
  for (const name of keptNames) {
    const value = line[name];
    // Escaped, a character takes up to six bytes; these limits together stay within a line even so.
    if (value !== undefined) kept[name] = typeof value === "string" ? bounded(value, name === "msg" ? 256 : 64) : value;
  }
  const { err } = line;
  if (isLine(err)) {
    kept.err = {
      name: cutValue(err.name, 64),
      message: cutValue(err.message, 128),
      code: cutValue(err.code, 64),
    };
  }
  kept.cut = true;
  return kept;
}

function cutValue(value: unknown, charactersMax: number): unknown {
  return typeof value === "string" ? bounded(value, charactersMax) : value;
}

/**
 * The same line for people: `12:00:00.000 warn edge: waiting for nats  port=4222 trace_id=...`. Control characters are
 * escaped: what a stranger sends must neither forge a second line nor talk to a terminal.
 */
export function textLine(json: string): string {
  const { level, time, service, msg, err, ...rest } = JSON.parse(json) as Line;
  const clock = String(time).slice(11, 23);
  const parts = [`${clock} ${plain(String(level))} ${plain(String(service))}: ${plain(String(msg ?? ""))}`];
  for (const [name, value] of Object.entries(rest)) parts.push(` ${plain(name)}=${fieldText(value)}`);
  if (isLine(err)) {
    parts.push(` err=${fieldText(err.name)} code=${fieldText(err.code)} message=${fieldText(err.message)}`);
    if (typeof err.stack === "string") parts.push(` stack=${fieldText(err.stack)}`);
  }
  return `${cutBytes(parts.join(""), lineBytesMax - 1)}\n`;
}

function fieldText(value: unknown): string {
  if (typeof value !== "string") return String(value);
  return /^[A-Za-z0-9_.:/@+-]+$/.test(value) ? value : plain(JSON.stringify(value));
}

// C0, DEL, C1, line and paragraph separators, and the marks that change the direction of text (CVE-2021-42574).
const unprintable = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

function plain(value: string): string {
  return value.replace(unprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function cutBytes(value: string, bytesMax: number): string {
  const encoded = Buffer.from(value, "utf8");
  if (encoded.length <= bytesMax) return value;
  // Decoding replaces a character that the cut fell into; the mark takes three bytes, as does the replacement.
  return `${encoded.subarray(0, bytesMax - 6).toString("utf8")}...`;
}

function isLine(value: unknown): value is Line {
  return typeof value === "object" && value !== null;
}
