import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CodecVectors, ScheduleVector } from "../../../test/vectors/build.ts";
import type { E2eVectors } from "../../../test/vectors/build-e2e.ts";
import {
  base64url,
  ProtocolError,
  parseApplicationDown,
  parseApplicationUp,
  parseBundle,
  parseClientPlaintext,
  parseContent,
  parseDenied,
  parseHandshakeId,
  parseHello,
  parseIdentityStatement,
  parseMessageDown,
  parseMessageUp,
  parseOpen,
  parseOpenPayload,
  parsePrekeyStatement,
  parseRecord,
  parseSealedBody,
  parseServerPlaintext,
  unpad,
} from "../src/mod.ts";

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../test/vectors/${name}`, import.meta.url), "utf8"));
const schedule: ScheduleVector[] = read("schedule.json");
const codec: CodecVectors = read("codec.json");
const { entry, messages }: E2eVectors = read("e2e.json");

const textParsers = { base64url: base64url.decode, parseHello, parseOpen, parseDenied, parseHandshakeId };
const byteParsers = {
  parseBundle,
  parseOpenPayload,
  parseServerPlaintext,
  parseClientPlaintext,
  parseRecord,
  parseMessageUp,
  parseMessageDown,
  parseSealedBody,
  parseContent,
  parseIdentityStatement,
  parsePrekeyStatement,
  parseApplicationUp,
  parseApplicationDown,
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
  ...messages.flatMap(({ body, content, sig }) => [body, content + sig].map((text) => Buffer.from(text, "hex"))),
  ...[...entry.history, entry.prekey].map(({ statement }) => Buffer.from(statement, "base64url")),
  ...[
    { t: "directory", ref: "r", name: entry.name },
    { t: "publish", ref: "r", name: entry.name, identity: entry.history[1], prekey: entry.prekey },
    { t: "entry", ref: "r", name: entry.name, history: entry.history, prekey: entry.prekey },
  ].map((control) => Buffer.from(JSON.stringify(control))),
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

it("what the end-to-end layer says is taken as it was said, and with one field more or less it is not", () => {
  const { name, history, prekey } = entry;
  const down = { t: "entry", ref: "r", name, history, prekey };
  const ups = [
    { t: "directory", ref: "r", name },
    { t: "publish", ref: "r", name, identity: history[1], prekey },
  ];
  const bytesOf = (control: object) => new TextEncoder().encode(JSON.stringify(control));
  expect(parseApplicationDown(bytesOf(down))).toEqual(down);
  for (const up of ups) expect(parseApplicationUp(bytesOf(up))).toEqual(up);
  const { ref: _ref, ...without } = down;
  const nine = Array.from({ length: 9 }, () => history[0]);
  for (const bad of [without, { ...down, more: 1 }, { ...down, history: [] }, { ...down, history: nine }, ups[0] ?? {}])
    expect(() => parseApplicationDown(bytesOf(bad))).toThrow(ProtocolError);
  expect(() => parseApplicationUp(bytesOf(down))).toThrow(ProtocolError);
});
