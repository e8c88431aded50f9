import { type RecordedFlow, texturesOf } from "./recording.ts";

/** Something that must not be seen, or, as a control, that must. */
export interface Canary {
  /** What it is; never what it says. */
  readonly name: string;
  /** The secret in every form that a program might hold it in, for example key bytes and their text. */
  readonly values: readonly (string | Buffer)[];
}

export interface Sighting {
  readonly canary: string;
  readonly form: string;
  readonly connection: number;
  readonly direction: "up" | "down";
}

interface Form {
  readonly form: string;
  readonly bytes: Buffer;
}

/** @returns each canary at most once per direction of a connection. */
export function searchFor(canaries: readonly Canary[], recording: readonly RecordedFlow[]): Sighting[] {
  const wanted = canaries.map(({ name, values }) => ({ name, forms: values.flatMap(formsOf) }));
  return recording.flatMap((flow) => {
    const places = texturesOf(flow);
    return wanted.flatMap(({ name, forms }): Sighting[] => {
      const seen = forms.find(({ bytes }) => places.some((place) => place.includes(bytes)));
      const { connection, direction } = flow;
      return seen === undefined ? [] : [{ canary: name, form: seen.form, connection, direction }];
    });
  });
}

/** @throws {Error} on an empty value, which would be found everywhere or nowhere. */
export function formsOf(value: string | Buffer): Form[] {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  if (bytes.length < 4) throw new Error("a canary is too short to be searched for");
  const hex = bytes.toString("hex");
  return [
    { form: "raw", bytes },
    { form: "hex", bytes: Buffer.from(hex) },
    { form: "hex", bytes: Buffer.from(hex.toUpperCase()) },
    ...[0, 1, 2].flatMap((before) => base64Inside(bytes, before)),
  ];
}

/** Base64 of something longer that holds `bytes` after 3n + `before` others: only the characters that are theirs alone. */
function base64Inside(bytes: Buffer, before: number): Form[] {
  const first = Math.ceil((before * 8) / 6);
  const last = Math.floor(((before + bytes.length) * 8) / 6);
  const text = Buffer.concat([Buffer.alloc(before), bytes])
    .toString("base64")
    .slice(first, last);
  return [
    { form: "base64", bytes: Buffer.from(text) },
    { form: "base64url", bytes: Buffer.from(text.replaceAll("+", "-").replaceAll("/", "_")) },
  ];
}
