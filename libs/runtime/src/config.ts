import type { z } from "zod";
import { isAlwaysSecret } from "./config-types.ts";
import { StartupError } from "./startup-error.ts";

/** One option of a service, set by one environment variable. */
export interface Option<T = unknown> {
  /** Name of the environment variable. */
  readonly env: string;
  readonly type: z.ZodType<T, string>;
  /** As one would write it in the environment. `null`: may be unset, the value is then null. Absent: required. */
  readonly default?: string | null;
  /** What it does, its unit, and what zero means where zero is allowed; bounds are added from the type. */
  readonly describe: string;
  /** The value never appears in a message, a description or a log line. */
  readonly secret?: boolean;
}

// A record of options of any type: the reading side only hands values on, so `unknown` is enough.
export type Options = Readonly<Record<string, Option>>;

type ValueOf<O extends Option> =
  O["type"] extends z.ZodType<infer T, string> ? T | (O extends { readonly default: null } ? null : never) : never;

/** What `readConfig` returns for these options. */
export type ConfigOf<F extends Options> = { readonly [K in keyof F]: ValueOf<F[K]> };

export interface ConfigDefinition<F extends Options> {
  readonly options: F;
  /** Variables that start so must be known. */
  readonly prefix: string | null;
  /** Variables of that prefix that belong to somebody else in the same environment. */
  readonly alsoKnown: readonly string[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything that is wrong with the settings, one line per problem. */
export class ConfigError extends StartupError {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

const envPattern = /^[A-Z][A-Z0-9_]{0,63}$/;

/**
 * @param settings.prefix for example `PORTCULLIS_`: an unknown variable of that prefix is a typing error and refused.
 * @throws {TypeError} when the definition contradicts itself (a default that its own type refuses, a name twice).
 */
export function defineConfig<const F extends Options>(
  options: F,
  settings: { readonly prefix?: string; readonly alsoKnown?: readonly string[] } = {},
): ConfigDefinition<F> {
  const seen = new Set<string>();
  for (const option of Object.values<Option>(options)) {
    if (!envPattern.test(option.env)) throw new TypeError(`${option.env} is no name for an environment variable`);
    if (seen.has(option.env)) throw new TypeError(`${option.env} is defined twice`);
    seen.add(option.env);
    if (option.describe.trim() === "") throw new TypeError(`${option.env} is not described`);
    if (isAlwaysSecret(option.type) && option.secret !== true)
      throw new TypeError(`${option.env} holds a key and must be secret`);
    if (typeof option.default !== "string") continue;
    if (option.secret === true) throw new TypeError(`${option.env} is secret: a default would be everybody's secret`);
    if (!option.type.safeParse(option.default).success)
      throw new TypeError(`the default of ${option.env} is not valid`);
  }
  return Object.freeze({ options, prefix: settings.prefix ?? null, alsoKnown: settings.alsoKnown ?? [] });
}

/**
 * An empty variable counts as unset; a wrong one is refused, never replaced by the default.
 * @returns frozen.
 * @throws {ConfigError} with every problem at once.
 */
export function readConfig<F extends Options>(definition: ConfigDefinition<F>, environment: Environment): ConfigOf<F> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries<Option>(definition.options)) {
    const given = Object.hasOwn(environment, option.env) ? environment[option.env] : undefined;
    const text = given === undefined || given === "" ? option.default : given;
    if (text === null) {
      values[name] = null;
    } else if (text === undefined) {
      problems.push(`${option.env}: is not set, and must be ${expectedBy(option)}`);
    } else {
      const parsed = option.type.safeParse(text);
      if (parsed.success) values[name] = parsed.data;
      else problems.push(`${option.env}: ${shown(option, text)} is not ${expectedBy(option)}${defaultNote(option)}`);
    }
  }
  problems.push(...unknownVariables(definition, environment));
  if (problems.length > 0) throw new ConfigError(problems);
  // Each value was parsed by the type that ConfigOf reads it from.
  return Object.freeze(values) as ConfigOf<F>;
}

/** The settings in force, by environment variable, fit for a log line: secrets are only said to be set. */
export function describeConfig<F extends Options>(
  definition: ConfigDefinition<F>,
  config: ConfigOf<F>,
): Record<string, string> {
  const described: Record<string, string> = {};
  for (const [name, option] of Object.entries<Option>(definition.options)) {
    const value: unknown = config[name];
    if (value === null || value === undefined) described[option.env] = "(unset)";
    else if (option.secret === true || value instanceof Uint8Array) described[option.env] = "(secret, set)";
    else described[option.env] = withoutUserinfo(Array.isArray(value) ? value.join(",") : String(value));
  }
  return described;
}

/** All options as text for `--help` and the docs, sorted by name. */
export function renderConfigHelp<F extends Options>(definition: ConfigDefinition<F>): string {
  return Object.values<Option>(definition.options)
    .toSorted((a, b) => (a.env < b.env ? -1 : 1))
    .map((option) => {
      const state =
        option.default === undefined
          ? "required"
          : option.default === null
            ? "may be unset"
            : `default ${option.default}`;
      const secret = option.secret === true ? "; secret" : "";
      return `${option.env}\n    ${option.describe}\n    ${capitalised(expectedBy(option))}; ${state}${secret}.\n`;
    })
    .join("\n");
}

function expectedBy(option: Option): string {
  return option.type.description ?? "a valid value";
}

function defaultNote(option: Option): string {
  return typeof option.default === "string" ? ` (default ${option.default})` : "";
}

const shownCharactersMax = 60;

function shown(option: Option, value: string): string {
  if (option.secret === true) return "the value (secret, not shown)";
  const safe = withoutUserinfo(value);
  return JSON.stringify(safe.length > shownCharactersMax ? `${safe.slice(0, shownCharactersMax)}...` : safe);
}

/**
 * A connection string holds a password more often than its option is flagged secret, above all when it is mistyped. All up
 * to the last `@` goes: passwords with an unescaped `@` or `/` are what makes such a text invalid.
 */
function withoutUserinfo(value: string): string {
  return value.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1***@");
}

function unknownVariables<F extends Options>(definition: ConfigDefinition<F>, environment: Environment): string[] {
  const { prefix } = definition;
  if (prefix === null) return [];
  const own = Object.values<Option>(definition.options).map((option) => option.env);
  const known = new Set([...own, ...definition.alsoKnown]);
  return Object.keys(environment)
    .filter((name) => name.startsWith(prefix) && !known.has(name) && environment[name] !== undefined)
    .toSorted()
    .map((name) => {
      const near = nearest(name, own);
      return `${JSON.stringify(name).slice(1, -1)}: is not a setting${near === null ? "" : `; did you mean ${near}?`}`;
    });
}

const distanceMax = 3;

function nearest(name: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = distanceMax + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name.slice(0, 128), candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Levenshtein. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replaced));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function capitalised(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
