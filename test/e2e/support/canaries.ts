import { randomBytes } from "node:crypto";

/** Planted secrets, and the search for them. */
export interface Canaries {
  /** @returns a fresh secret of letters and digits, remembered under `name`. */
  make(name: string): string;
  /** Remembers a secret that somebody else made, of at least four bytes. One name may have several. */
  plant<T extends string | Uint8Array>(name: string, value: T): T;
  /** Names of those that are in `bytes` in any form, and the form. */
  in(bytes: Uint8Array): string[];
  readonly names: readonly string[];
}

interface Form {
  /** `name (form)`, as it is told. */
  readonly told: string;
  readonly bytes: Buffer;
  /** Digits only: they are a code where no digit stands beside them, and elsewhere a part of some number. */
  readonly alone: boolean;
}

/** By which a place in the bytes is looked up. */
const prefixBytes = 4;

export function createCanaries(): Canaries {
  const planted = new Map<string, readonly Form[]>();
  const canaries: Canaries = {
    make: (name) => canaries.plant(name, `canary${randomBytes(12).toString("hex")}`),
    plant(name, value) {
      planted.set(name, [...(planted.get(name) ?? []), ...formsOf(name, value)]);
      return value;
    },
    in(bytes) {
      const forms = [...planted.values()].flat();
      const found = search(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), forms);
      return [...new Set(forms.filter((form) => found.has(form)).map(({ told }) => told))];
    },
    get names() {
      return [...planted.keys()];
    },
  };
  return canaries;
}

/** Each place is looked at once, however much is looked for: a world has hundreds of keys, and megabytes that cross its bus. */
function search(haystack: Buffer, forms: readonly Form[]): ReadonlySet<Form> {
  const byPrefix = new Map<number, Form[]>();
  for (const form of forms) {
    const prefix = form.bytes.readUInt32LE();
    byPrefix.set(prefix, [...(byPrefix.get(prefix) ?? []), form]);
  }
  const found = new Set<Form>();
  for (let at = 0; at + prefixBytes <= haystack.length; at += 1) {
    for (const form of byPrefix.get(haystack.readUInt32LE(at)) ?? []) {
      if (isAt(haystack, at, form)) found.add(form);
    }
  }
  return found;
}

function isAt(haystack: Buffer, at: number, { bytes, alone }: Form): boolean {
  const end = at + bytes.length;
  if (end > haystack.length || haystack.compare(bytes, 0, bytes.length, at, end) !== 0) return false;
  const isDigit = (byte: number | undefined) => byte !== undefined && byte >= 0x30 && byte <= 0x39;
  return !alone || (!isDigit(haystack[at - 1]) && !isDigit(haystack[end]));
}

/** As it is, and in whatever clothes JavaScript puts on it: each form once. */
function formsOf(name: string, value: string | Uint8Array): Form[] {
  const bytes = Buffer.from(value);
  if (bytes.length < prefixBytes) throw new RangeError("too short to be looked for");
  const texts: [form: string, text: string][] = [
    ["hex", bytes.toString("hex")],
    ["HEX", bytes.toString("hex").toUpperCase()],
    ...base64Of(bytes),
    ...(typeof value === "string" ? writtenText(value) : writtenBytes(bytes)),
  ];
  const digits = typeof value === "string" && /^[0-9]{1,12}$/.test(value);
  const forms = new Map([[bytes.toString("latin1"), { told: `${name} (raw)`, bytes, alone: digits }]]);
  for (const [form, text] of texts) {
    const written = Buffer.from(text);
    const key = written.toString("latin1");
    if (!forms.has(key)) forms.set(key, { told: `${name} (${form})`, bytes: written, alone: false });
  }
  return [...forms.values()];
}

/** Wherever it may begin within a longer text. */
function base64Of(bytes: Buffer): [form: string, text: string][] {
  return [0, 1, 2].flatMap((before) => {
    // The characters at both ends also hold bits of what stands beside it.
    const from = Math.ceil((before * 8) / 6);
    const to = Math.floor(((before + bytes.length) * 8) / 6);
    const shifted = Buffer.concat([Buffer.alloc(before), bytes]);
    const base64 = shifted.toString("base64").slice(from, to);
    return [
      [`base64 +${before}`, base64],
      [`base64url +${before}`, shifted.toString("base64url").slice(from, to)],
      [`base64 in a URL +${before}`, encodeURIComponent(base64)],
    ] satisfies [string, string][];
  });
}

/** As within JSON, within JSON that is a text in JSON, and in a URL or a form. */
function writtenText(text: string): [form: string, text: string][] {
  const inJson = JSON.stringify(text).slice(1, -1);
  const ascii = inJson.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return [
    ["JSON", inJson],
    ["JSON in ASCII", ascii],
    ["JSON in JSON", JSON.stringify(inJson).slice(1, -1)],
    ["URL", encodeURIComponent(text)],
    ["form", new URLSearchParams([["", text]]).toString().slice(1)],
  ];
}

/** As `console.log` has a Buffer, and as JSON has it and a Uint8Array. */
function writtenBytes(bytes: Buffer): [form: string, text: string][] {
  const numbers = [...bytes];
  return [
    ["Buffer, inspected", numbers.map((byte) => byte.toString(16).padStart(2, "0")).join(" ")],
    ["Buffer in JSON", numbers.join(",")],
    ["Uint8Array in JSON", numbers.map((byte, index) => `"${index}":${byte}`).join(",")],
  ];
}
