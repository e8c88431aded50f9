import { z } from "zod";

/**
 * Types of options. Each takes the text of an environment variable and says in its description what it expects, as the end
 * of the sentence `"abc" is not ...`.
 */
export type TextType<T> = z.ZodType<T, string>;

const alwaysSecret = new WeakSet<object>();

/** Whether values of this type may only belong to options that are flagged secret. */
export function isAlwaysSecret(type: object): boolean {
  return alwaysSecret.has(type);
}

/**
 * A type of one's own.
 * @param expected end of the sentence `"abc" is not ...`.
 * @param parse gives undefined for whatever does not fit.
 */
export function textType<T>(expected: string, parse: (text: string) => T | undefined): TextType<T> {
  return z
    .string()
    .transform((text, context): T => {
      const value = parse(text);
      if (value !== undefined) return value;
      context.addIssue({ code: "custom", message: `is not ${expected}` });
      return z.NEVER;
    })
    .describe(expected);
}

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** A whole number in decimal digits. Bounds are inclusive. */
export function integer({ min, max }: Bounds): TextType<number> {
  return textType(`a number between ${min} and ${max}`, (text) =>
    within(/^-?\d{1,15}$/.test(text) ? Number(text) : undefined, min, max),
  );
}

/** A share between 0 and 1, both included: `0.25`. */
export function fraction(): TextType<number> {
  return textType("a number between 0 and 1", (text) =>
    within(/^\d(\.\d{1,9})?$/.test(text) ? Number(text) : undefined, 0, 1),
  );
}

/** A TCP port; 0 lets the system choose one. */
export function port(): TextType<number> {
  return integer({ min: 0, max: 65_535 });
}

const durationUnits: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** `250ms`, `30s`, `5m`, `12h`, `7d` or `0`, as milliseconds. Bounds are written the same way and inclusive. */
export function duration(bounds: { readonly min: string; readonly max: string }): TextType<number> {
  const { min, max } = parsedBounds(bounds, durationOf);
  return textType(`a duration between ${bounds.min} and ${bounds.max}, like 250ms, 30s, 5m, 12h or 7d`, (text) =>
    within(durationOf(text), min, max),
  );
}

function durationOf(text: string): number | undefined {
  return text === "0" ? 0 : scaled(text, /^(\d{1,12})(ms|s|m|h|d)$/, durationUnits);
}

const byteUnits: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["KiB", 1_024],
  ["MiB", 1_024 ** 2],
  ["GiB", 1_024 ** 3],
]);

/** `65536`, `64KiB`, `1MiB`, `2GiB`, as bytes. Bounds are written the same way and inclusive. */
export function bytes(bounds: { readonly min: string; readonly max: string }): TextType<number> {
  const { min, max } = parsedBounds(bounds, bytesOf);
  return textType(`a size between ${bounds.min} and ${bounds.max}, like 65536, 64KiB, 1MiB or 2GiB`, (text) =>
    within(bytesOf(text), min, max),
  );
}

function bytesOf(text: string): number | undefined {
  return scaled(text, /^(\d{1,15})((?:[KMG]iB)?)$/, byteUnits);
}

/**
 * An absolute URL, kept as it was written.
 * @param protocols without the colon: `["http", "https"]`.
 */
export function url(protocols: readonly string[]): TextType<string> {
  const schemes = protocols.map((protocol) => `${protocol}://`).join(" or ");
  return textType(`a URL that starts with ${schemes}`, (text) => {
    const matched = protocols.some((protocol) => text.startsWith(`${protocol}://`));
    return matched && text.length <= 2_048 && !/[\s\p{Cc}]/u.test(text) && URL.canParse(text) ? text : undefined;
  });
}

/** An origin: scheme, host and port, and nothing behind them. @param example `https://portcullis.example.com` */
export function origin(schemes: readonly string[], example: string): TextType<string> {
  return textType(`an origin like ${example}, without a path`, (text) => {
    if (!URL.canParse(text)) return undefined;
    const { protocol, host, pathname, search, hash, username, password } = new URL(text);
    const bare = pathname === "/" && search === "" && hash === "" && username === "" && password === "";
    return schemes.includes(protocol) && host !== "" && bare ? `${protocol}//${host}` : undefined;
  });
}

/** `true` or `false`, nothing else. */
export function flag(): TextType<boolean> {
  return textType("true or false", (text) => (text === "true" ? true : text === "false" ? false : undefined));
}

/** One of a few words. */
export function choice<const W extends readonly string[]>(words: W): TextType<W[number]> {
  return textType(`one of ${words.join(", ")}`, (text) => words.find((word) => word === text));
}

/** Any text without control characters, by number of characters. */
export function text({ min, max }: Bounds): TextType<string> {
  return textType(`a text of ${min} to ${max} characters`, (value) =>
    value.length >= min && value.length <= max && !/\p{Cc}/u.test(value) && value.isWellFormed() ? value : undefined,
  );
}

const listItemsMax = 100;

/** Items between commas, at most 100, none empty; blanks around an item do not count. */
export function list<T>(item: TextType<T>): TextType<readonly T[]> {
  return textType(`a list between commas, each of it ${item.description ?? "valid"}`, (value) => {
    const parts = value.split(",");
    if (parts.length > listItemsMax) return undefined;
    const items: T[] = [];
    for (const part of parts) {
      const parsed = item.safeParse(part.trim());
      if (part.trim() === "" || !parsed.success) return undefined;
      items.push(parsed.data);
    }
    return Object.freeze(items);
  });
}

const secretKeyBytes = 32;

/** 32 bytes as 43 characters of base64url without padding (RFC 4648 section 5). Only for options flagged secret. */
export function secretKey(): TextType<Uint8Array> {
  const type = textType(`a key of ${secretKeyBytes} bytes as 43 characters of base64url`, (value) => {
    const key = Buffer.from(value, "base64url");
    // Node skips what it cannot decode; only a text that encodes back to itself is a key without loss.
    return key.length === secretKeyBytes && key.toString("base64url") === value ? new Uint8Array(key) : undefined;
  });
  alwaysSecret.add(type);
  return type;
}

function scaled(text: string, pattern: RegExp, units: ReadonlyMap<string, number>): number | undefined {
  const match = pattern.exec(text);
  const factor = units.get(match?.[2] ?? "?");
  if (match?.[1] === undefined || factor === undefined) return undefined;
  const value = Number(match[1]) * factor;
  return Number.isSafeInteger(value) ? value : undefined;
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

function parsedBounds(
  bounds: { readonly min: string; readonly max: string },
  parse: (text: string) => number | undefined,
): Bounds {
  const min = parse(bounds.min);
  const max = parse(bounds.max);
  if (min === undefined || max === undefined || min > max)
    throw new TypeError(`not bounds: ${bounds.min} to ${bounds.max}`);
  return { min, max };
}

/** Below which hosts are sockets'. */
export function domainName() {
  return textType("a host name without a port", (value) =>
    /^(?=.{1,190}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(value) ? value : undefined,
  );
}
