import type { CollectionDefinition, Filter, FindOptions, Indexed } from "./port.ts";

/** An index with the name that both adapters give it. */
export interface DeclaredIndex {
  readonly name: string;
  readonly fields: readonly string[];
  readonly unique: boolean;
}

export interface Query {
  /** Sorted by field, so that the same filter always makes the same statement. */
  readonly equals: readonly (readonly [field: string, value: Indexed])[];
  readonly sort: { readonly field: string; readonly descending: boolean } | null;
  readonly limit: number;
  readonly after: string | null;
}

/** A body as it is stored: the same text in every adapter, so that they cannot disagree on what a value is. */
export interface Encoded<T> {
  readonly body: T;
  readonly json: string;
  /** Declared fields that are neither null nor absent. */
  readonly values: Readonly<Record<string, Exclude<Indexed, null>>>;
  readonly expiresAtMs: number | null;
}

/** A checked definition: what the adapters share, so that they cannot drift apart. */
export interface Declared<T extends object> {
  readonly name: string;
  readonly indexes: readonly DeclaredIndex[];
  /** Fields of all indexes. */
  readonly fields: readonly string[];
  readonly expiresAtField: string | null;
  encode(body: T): Encoded<T>;
  decode(json: string): T;
  /** The declared fields of a stored body, whatever the schema says to the rest of it. */
  values(json: string): Encoded<T>["values"];
  query(filter: Filter, options?: FindOptions): Query;
}

const limitDefault = 100;
const limitMax = 1000;
const idCharactersMax = 256;

/** @throws {TypeError} on names that an adapter could not carry. */
export function declare<T extends object>(definition: CollectionDefinition<T>): Declared<T> {
  const { name, schema } = definition;
  if (!/^[a-z][a-z0-9_]{0,47}$/.test(name)) throw new TypeError(`collection ${JSON.stringify(name)}: not a valid name`);
  const expiresAtField = definition.expiresAtField ?? null;
  const indexes = definition.indexes.map(({ fields, unique = false }) => {
    if (fields.length === 0) throw new TypeError(`${name}: an index has no fields`);
    return { name: `${unique ? "unique" : "plain"}_${fields.join("_")}`, fields, unique };
  });
  const fields = [...new Set(indexes.flatMap((index) => index.fields))];
  const named = expiresAtField === null ? fields : [...new Set([...fields, expiresAtField])];
  for (const field of named) {
    // Names go into statements and paths, so they are letters and digits only.
    if (!/^[a-z][A-Za-z0-9]{0,47}$/.test(field)) throw new TypeError(`${name}.${field}: not a valid field name`);
  }
  // Column names in SQLite know no case.
  if (new Set(named.map((field) => field.toLowerCase())).size !== named.length) {
    throw new TypeError(`${name}: two indexed fields differ only in case`);
  }

  const declaredField = (field: string) => {
    if (!fields.includes(field)) throw new TypeError(`${name}.${field} is not in a declared index`);
    return field;
  };

  const valuesIn = (plain: Readonly<Record<string, unknown>>) => {
    const values: Record<string, Exclude<Indexed, null>> = {};
    for (const field of fields) {
      const value = indexed(`${name}.${field}`, plain[field] ?? null);
      if (value !== null) values[field] = value;
    }
    return values;
  };

  return {
    name,
    indexes,
    fields,
    expiresAtField,

    encode(body) {
      const json = JSON.stringify(schema.parse(body));
      const plain: Readonly<Record<string, unknown>> = JSON.parse(json);
      const expiresAtMs = expiresAtField === null ? null : (plain[expiresAtField] ?? null);
      if (expiresAtMs !== null && typeof expiresAtMs !== "number") {
        throw new TypeError(`${name}.${expiresAtField} must be epoch milliseconds or null`);
      }
      return { body: schema.parse(plain), json, values: valuesIn(plain), expiresAtMs };
    },

    values: (json) => valuesIn(JSON.parse(json)),

    decode: (json) => schema.parse(JSON.parse(json)),

    query(filter, options = {}) {
      const equals = Object.entries(filter)
        .map(([field, value]) => [declaredField(field), indexed(`${name}.${field}`, value)] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1));
      const limit = options.limit ?? limitDefault;
      if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) {
        throw new RangeError(`a limit is 1 to ${limitMax}, not ${limit}`);
      }
      const { sort, after = null } = options;
      if (sort && after !== null) throw new TypeError("pages go by id: sort and after do not go together");
      if (after !== null) checkId(after);
      return {
        equals,
        sort: sort ? { field: declaredField(sort.field), descending: sort.direction === "descending" } : null,
        limit,
        after,
      };
    },
  };
}

/** @throws {TypeError} on an id that an adapter could not carry. */
export function checkId(id: string): string {
  if (typeof id !== "string" || id.length === 0 || id.length > idCharactersMax) {
    throw new TypeError(`an id is a string of 1 to ${idCharactersMax} characters`);
  }
  return wellFormed("the id", id);
}

function indexed(what: string, value: unknown): Indexed {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value === "string") return wellFormed(what, value);
  // Not `undefined` either: a filter whose value went missing must not silently match what has none.
  throw new TypeError(`${what} must be a string, a finite number, a boolean or null to be indexed`);
}

/** Lone surrogates and NUL do not survive every engine, and two strings that become one would break a unique index. */
function wellFormed(what: string, text: string): string {
  if (!text.isWellFormed() || text.includes("\0")) throw new TypeError(`${what} holds a lone surrogate or a NUL`);
  return text;
}
