import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CodecVectors, ScheduleVector } from "../../../test/vectors/build.ts";
import {
  base64url,
  ProtocolError,
  parseBundle,
  parseClientPlaintext,
  parseDenied,
  parseHandshakeId,
  parseHello,
  parseMessageDown,
  parseMessageUp,
  parseOpen,
  parseOpenPayload,
  parseRecord,
  parseServerPlaintext,
  unpad,
} from "../src/mod.ts";

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../test/vectors/${name}`, import.meta.url), "utf8"));
const schedule: ScheduleVector[] = read("schedule.json");
const codec: CodecVectors = read("codec.json");

const textParsers = { base64url: base64url.decode, parseHello, parseOpen, parseDenied, parseHandshakeId };
const byteParsers = {
  parseBundle,
  parseOpenPayload,
  parseServerPlaintext,
  parseClientPlaintext,
  parseRecord,
  parseMessageUp,
  parseMessageDown,
  unpad,
};

function onlyProtocolErrors(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
  }
}

const goodTexts = [
  ...schedule.flatMap(({ hello, open }) => [hello.frame, open.frame]),
  ...codec.denied.map((d) => d.frame),
];
const goodBytes = [
  ...schedule.flatMap((vector) => [
    Buffer.from(vector.hello.bundle),
    Buffer.from(vector.open.payload),
    Buffer.from(vector.open.padded, "hex"),
    ...[...vector.records, vector.accepted].flatMap(({ plaintext, record }) => [
      Buffer.from(plaintext),
      Buffer.from(record, "hex"),
    ]),
  ]),
  ...[...codec.messageUp, ...codec.messageDown].map(({ frame }) => Buffer.from(frame, "hex")),
];

/** A frame that was good, with some stretch replaced: gets further into a parser than noise does. */
const damaged = <Unit>(good: fc.Arbitrary<readonly Unit[]>, units: fc.Arbitrary<readonly Unit[]>) =>
  fc.tuple(good, fc.nat(), fc.nat(8), units).map(([frame, at, removed, inserted]) => {
    const start = at % (frame.length + 1);
    return [...frame.slice(0, start), ...inserted, ...frame.slice(start + removed)];
  });

const texts = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.json(),
  fc.jsonValue().map((value) => JSON.stringify({ t: "open", suite: value, enc: value, psk: value, box: value })),
  damaged(
    fc.constantFrom(...goodTexts).map((text) => text.split("")),
    fc.array(fc.string({ maxLength: 3 }), { maxLength: 3 }),
  ).map((units) => units.join("")),
);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 600, size: "max" }),
  fc.json().map((text) => new TextEncoder().encode(text)),
  damaged(
    fc.constantFrom(...goodBytes).map((frame) => [...frame]),
    fc.uint8Array({ maxLength: 6 }).map((a) => [...a]),
  ).map((units) => Uint8Array.from(units)),
);

describe("no input makes a parser throw anything but ProtocolError", () => {
  for (const [name, parse] of Object.entries(textParsers)) {
    it(name, () => {
      void fc.assert(
        fc.property(texts, (text) => onlyProtocolErrors(() => parse(text))),
        { numRuns: 400 },
      );
    });
  }
  for (const [name, parse] of Object.entries(byteParsers)) {
    it(name, () => {
      void fc.assert(
        fc.property(bytes, (frame) => onlyProtocolErrors(() => parse(frame))),
        { numRuns: 400 },
      );
    });
  }
});
