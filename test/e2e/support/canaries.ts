import { randomBytes } from "node:crypto";

/** Planted secrets, and the search for them. */
export interface Canaries {
  /** @returns a fresh secret of letters and digits, remembered under `name`. */
  make(name: string): string;
  /** Remembers a secret that somebody else made. */
  plant<T extends string | Uint8Array>(name: string, value: T): T;
  /** Names of those that are in `bytes` in any form, and the form. */
  in(bytes: Uint8Array): string[];
  readonly names: readonly string[];
}

interface Form {
  readonly form: string;
  readonly bytes: Buffer;
}

export function createCanaries(): Canaries {
  const planted = new Map<string, { readonly forms: readonly Form[]; readonly digits: boolean }>();
  const canaries: Canaries = {
    make: (name) => canaries.plant(name, `canary${randomBytes(12).toString("hex")}`),
    plant(name, value) {
      const digits = typeof value === "string" && /^[0-9]{1,12}$/.test(value);
      planted.set(name, { forms: formsOf(Buffer.from(value)), digits });
      return value;
    },
    in(bytes) {
      const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return [...planted].flatMap(([name, { forms, digits }]) =>
        forms
          .filter(({ form, bytes }) => isIn(haystack, bytes, digits && form === "raw"))
          .map(({ form }) => `${name} (${form})`),
      );
    },
    get names() {
      return [...planted.keys()];
    },
  };
  return canaries;
}

/** As it is, as hex, and as base64 wherever it may begin within a longer text. */
function formsOf(value: Buffer): Form[] {
  const forms: Form[] = [
    { form: "raw", bytes: value },
    { form: "hex", bytes: Buffer.from(value.toString("hex")) },
    { form: "HEX", bytes: Buffer.from(value.toString("hex").toUpperCase()) },
  ];
  for (const before of [0, 1, 2]) {
    for (const encoding of ["base64", "base64url"] as const) {
      const whole = Buffer.concat([Buffer.alloc(before), value])
        .toString(encoding)
        .replaceAll("=", "");
      // The characters at both ends also hold bits of what stands beside it.
      const from = Math.ceil((before * 8) / 6);
      const to = Math.floor(((before + value.length) * 8) / 6);
      forms.push({ form: `${encoding} +${before}`, bytes: Buffer.from(whole.slice(from, to)) });
    }
  }
  return forms;
}

/** @param alone six digits are a code only where no digit stands beside them: elsewhere they are a part of some number. */
function isIn(haystack: Buffer, needle: Buffer, alone: boolean): boolean {
  const isDigit = (byte: number | undefined) => byte !== undefined && byte >= 0x30 && byte <= 0x39;
  for (let at = haystack.indexOf(needle); at !== -1; at = haystack.indexOf(needle, at + 1)) {
    if (!alone || (!isDigit(haystack[at - 1]) && !isDigit(haystack[at + needle.length]))) return true;
  }
  return false;
}
