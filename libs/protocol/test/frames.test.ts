import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { CodecVectors, ScheduleVector } from "../../../test/vectors/build.ts";
import {
  base64url,
  encodeBundle,
  encodeDenied,
  encodeHello,
  encodeMessageDown,
  encodeMessageUp,
  encodeOpen,
  encodeOpenPayload,
  encodePlaintext,
  encodeRecordHeader,
  formatHandshakeId,
  limits,
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
  utf8,
} from "../src/mod.ts";

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../test/vectors/${name}`, import.meta.url), "utf8"));
const codec: CodecVectors = read("codec.json");
const schedule: ScheduleVector[] = read("schedule.json");
const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
const [first] = schedule;
if (first === undefined) throw new Error("no vectors");

function refusal(act: () => unknown): ProtocolError {
  try {
    act();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
  throw new Error("was not refused");
}
const refuses = (act: () => unknown) => expect(refusal(act).code);

describe("frames of the vectors", () => {
  it("hello and open parse to their parts and encode to the same text", () => {
    for (const { hello, open, suite } of schedule) {
      const parsed = parseHello(hello.frame);
      expect(Buffer.from(parsed.bundle).toString()).toBe(hello.bundle);
      expect(parsed.hid).toBe(hello.hid);
      expect(encodeHello(parsed)).toBe(hello.frame);
      const opened = parseOpen(open.frame);
      expect(opened).toEqual({ suite, enc: hex(open.enc), psk: open.pskId, box: hex(open.box) });
      expect(encodeOpen(opened)).toBe(open.frame);
      expect(encodeOpenPayload(parseOpenPayload(utf8(open.payload)))).toEqual(utf8(open.payload));
    }
  });

  it("plaintexts parse and encode to the same bytes", () => {
    for (const vector of schedule) {
      for (const { from, plaintext } of [...vector.records, vector.accepted]) {
        const parsed =
          from === "client" ? parseClientPlaintext(utf8(plaintext)) : parseServerPlaintext(utf8(plaintext));
        expect(encodePlaintext(parsed)).toEqual(utf8(plaintext));
        const other = from === "client" ? parseServerPlaintext : parseClientPlaintext;
        refuses(() => other(utf8(plaintext))).toBe("malformed");
      }
    }
  });

  it("records split into header and ciphertext", () => {
    for (const vector of schedule) {
      for (const expected of [...vector.records, vector.accepted, ...vector.applicationRecords]) {
        const record = parseRecord(hex(expected.record));
        expect(record.header).toEqual(hex(expected.header));
        expect(encodeRecordHeader(record)).toEqual(hex(expected.header));
        expect([record.type, record.generation, record.counter]).toEqual([
          expected.type,
          expected.generation,
          expected.counter,
        ]);
        expect("writer" in record ? Buffer.from(record.writer).toString("hex") : undefined).toBe(expected.writer);
      }
    }
  });

  it("messages and denied parse and encode to the same bytes", () => {
    for (const { counter, body, frame } of codec.messageUp) {
      expect(parseMessageUp(hex(frame))).toEqual({ counter, head: {}, body: hex(body) });
      expect(encodeMessageUp({ counter, body: hex(body) })).toEqual(hex(frame));
    }
    for (const { sequence, head, body, frame } of codec.messageDown) {
      expect(parseMessageDown(hex(frame))).toEqual({ sequence, head, body: hex(body) });
      expect(encodeMessageDown({ sequence, head, body: hex(body) })).toEqual(hex(frame));
    }
    for (const { frame, ...denied } of codec.denied) {
      expect(parseDenied(frame)).toEqual(denied);
      expect(encodeDenied({ code: "denied", retryAfterMs: 30000 })).toBe(frame);
    }
  });
});

describe("hello and bundle", () => {
  const good = parseHello(first.hello.frame);
  const fields = JSON.parse(first.hello.frame);
  const withField = (change: object) => () => parseHello(JSON.stringify({ ...fields, ...change }));

  it("refuse unknown, missing and ill-sized fields", () => {
    refuses(withField({ extra: 1 })).toBe("malformed");
    refuses(withField({ t: "open" })).toBe("malformed");
    refuses(withField({ nonce: undefined })).toBe("malformed");
    refuses(withField({ nonce: base64url.encode(new Uint8Array(31)) })).toBe("malformed");
    refuses(withField({ sig: base64url.encode(new Uint8Array(63)) })).toBe("malformed");
    refuses(withField({ bundle: "" })).toBe("malformed");
    refuses(withField({ bundle: "A".repeat(limits.helloBytes) })).toBe("too-large");
    refuses(withField({ hid: `edge.${"A".repeat(21)}B` })).toBe("malformed");
    refuses(() => parseHello("\ufeff{}")).toBe("malformed");
    refuses(() => parseHello('{"t":"hello","__proto__":{}}')).toBe("malformed");
    expect(() => encodeHello({ ...good, nonce: new Uint8Array(16) })).toThrow(ProtocolError);
  });

  it("refuse a bundle without a version or suite in common, and pass over suites that are newer", () => {
    const bundle = JSON.parse(first.hello.bundle);
    const parse = (change: object) => () => parseBundle(utf8(JSON.stringify({ ...bundle, ...change })));
    refuses(parse({ v: ["portcullis.v2"] })).toBe("unsupported");
    refuses(parse({ suites: { ffff: "AAAA" } })).toBe("unsupported");
    refuses(parse({ suites: {} })).toBe("unsupported");
    refuses(parse({ suites: { "0020": "AAAA" } })).toBe("malformed");
    refuses(parse({ exp: -1 })).toBe("malformed");
    refuses(parse({ idKey: "AAAA" })).toBe("malformed");
    refuses(parse({ more: true })).toBe("malformed");
    expect(
      parse({ v: ["portcullis.v2", "portcullis.v1"], suites: { ...bundle.suites, ffff: "AAAA" } })().suites,
    ).toEqual(parseBundle(utf8(first.hello.bundle)).suites);
    expect(() => encodeBundle({ kid: "", suites: {}, idKey: new Uint8Array(32), exp: 1 })).toThrow(ProtocolError);
  });

  it("a handshake id names its edge", () => {
    const hid = formatHandshakeId("edge_7", new Uint8Array(16).fill(255));
    expect(hid).toBe("edge_7._____________________w");
    expect(parseHandshakeId(hid)).toEqual({ edgeId: "edge_7", random: new Uint8Array(16).fill(255) });
    for (const edgeId of ["", "a.b", "x".repeat(33), "ä"]) {
      expect(() => formatHandshakeId(edgeId, new Uint8Array(16))).toThrow(ProtocolError);
    }
  });
});

describe("open", () => {
  const fields = JSON.parse(first.open.frame);
  const parse = (change: object) => () => parseOpen(JSON.stringify({ ...fields, ...change }));

  it("refuses unknown suites, reserved PSK ids, wrong lengths and unpadded boxes", () => {
    refuses(parse({ suite: "0010" })).toBe("unsupported");
    refuses(parse({ suite: "647A" })).toBe("malformed");
    refuses(parse({ suite: "647a" })).toBe("malformed");
    for (const psk of [
      "r:",
      "r:a.b",
      `r:${"A".repeat(65)}`,
      "x:AAAAAAAAAAAAAAAA",
      "h:x",
      `h:edge.${"A".repeat(21)}B`,
      `h:${"e".repeat(33)}.${"A".repeat(22)}`,
      "k:",
      "k:short",
      " ",
      "k:AAAAAAAAAAAAAAAAA",
    ]) {
      refuses(parse({ psk })).toBe("malformed");
    }
    refuses(parse({ enc: base64url.encode(new Uint8Array(33)) })).toBe("malformed");
    refuses(parse({ box: base64url.encode(new Uint8Array(256 + 15)) })).toBe("malformed");
    refuses(parse({ box: base64url.encode(new Uint8Array(16)) })).toBe("malformed");
    refuses(parse({ box: base64url.encode(new Uint8Array(limits.boxBytes + 1)) })).toBe("too-large");
    refuses(parse({ box: "A".repeat(limits.openBytes) })).toBe("too-large");
    refuses(parse({ extra: "" })).toBe("malformed");
  });

  it("the largest open fits its own limit", () => {
    const frame = encodeOpen({
      suite: "647a",
      enc: new Uint8Array(1120),
      psk: "k:AAAAAAAAAAAAAAAA",
      box: new Uint8Array(limits.boxBytes),
    });
    expect(frame.length).toBeLessThanOrEqual(limits.openBytes);
  });

  it("its payload is strict", () => {
    const payload = { dst: { label: "a", path: "b", query: "", id: null } };
    const parsePayload = (value: object) => () => parseOpenPayload(utf8(JSON.stringify(value)));
    expect(parsePayload(payload)()).toEqual(payload);
    refuses(parsePayload({ ...payload, ticket: "x" })).toBe("malformed");
    refuses(parsePayload({ dst: { ...payload.dst, id: "" } })).toBe("malformed");
    refuses(parsePayload({ dst: { ...payload.dst, path: "x".repeat(limits.pathChars + 1) } })).toBe("malformed");
    refuses(parsePayload({ dst: { ...payload.dst, path: "\ud800" } })).toBe("malformed");
    refuses(parsePayload({ ...payload, answers: [] })).toBe("malformed");
    refuses(parsePayload({ ...payload, answers: [{ gate: "otp", value: "x".repeat(4097) }] })).toBe("malformed");
    refuses(parsePayload({ ...payload, parameters: { a: 1 } })).toBe("malformed");
    const many = Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`p${index}`, ""]));
    refuses(parsePayload({ ...payload, parameters: many })).toBe("malformed");
    refuses(() => parseOpenPayload(new Uint8Array(8189))).toBe("too-large");
  });
});

describe("records and messages", () => {
  const record = hex(first.records[0]?.record ?? "");

  it("reserved and plain types are out of order, other layouts malformed", () => {
    for (const type of [0, 0x12, 0x30, 0x3f, 0x40, 0x41, 0xff]) {
      const altered = record.slice();
      altered[0] = type;
      refuses(() => parseRecord(altered)).toBe("out-of-order");
    }
    refuses(() => parseRecord(new Uint8Array())).toBe("malformed");
    refuses(() => parseRecord(Uint8Array.of(0x10))).toBe("malformed");
    refuses(() => parseRecord(record.slice(0, -1))).toBe("malformed");
    refuses(() => parseRecord(new Uint8Array(limits.handshakeRecordBytes + 1).fill(0x10, 0, 1))).toBe("too-large");
    expect(parseRecord(new Uint8Array(limits.handshakeRecordBytes).fill(0x11, 0, 1)).ciphertext).toHaveLength(8208);
  });

  it("a counter past the key's life is refused on both sides", () => {
    const up = new Uint8Array(13 + 256 + 16).fill(0x10, 0, 1);
    new DataView(up.buffer).setBigUint64(5, 2n ** 23n);
    refuses(() => parseRecord(up)).toBe("malformed");
    new DataView(up.buffer).setBigUint64(5, 2n ** 23n - 1n);
    expect(parseRecord(up).counter).toBe(2 ** 23 - 1);
    expect(() => encodeRecordHeader({ type: 0x10, generation: 0, counter: 2 ** 23 })).toThrow(RangeError);
    expect(() => encodeRecordHeader({ type: 0x11, generation: 0, counter: 0, writer: new Uint8Array(8) })).toThrow(
      RangeError,
    );
  });

  it("messages keep to their type, head and size", () => {
    const down = hex(codec.messageDown[0]?.frame ?? "");
    refuses(() => parseMessageUp(down)).toBe("out-of-order");
    refuses(() => parseMessageUp(Uint8Array.of(0x40, 0))).toBe("malformed");
    const head = { class: "transfer", to: "s1" };
    const addressed = encodeMessageUp({ counter: 7, head, body: Uint8Array.of(1, 2) });
    expect(addressed[0]).toBe(0x42);
    expect(parseMessageUp(addressed)).toEqual({ counter: 7, head, body: Uint8Array.of(1, 2) });
    refuses(() => parseMessageUp(addressed.subarray(0, 10))).toBe("malformed");
    refuses(() => parseMessageUp(addressed.subarray(0, 30))).toBe("malformed");
    refuses(() => encodeMessageUp({ counter: 0, head: { class: "No" }, body: new Uint8Array() })).toBe("malformed");
    refuses(() => parseMessageUp(Uint8Array.of(0x42, ...new Uint8Array(8), 0xff, 0xff))).toBe("too-large");
    refuses(() => parseMessageUp(new Uint8Array(9 + limits.messageBytes + 1).fill(0x40, 0, 1))).toBe("too-large");
    refuses(() => parseMessageUp(Uint8Array.of(0x40, 0xff, 0, 0, 0, 0, 0, 0, 0))).toBe("malformed");
    const longHead = down.slice();
    longHead[9] = 4;
    longHead[10] = 1;
    refuses(() => parseMessageDown(longHead)).toBe("too-large");
    refuses(() => parseMessageDown(down.slice(0, 20))).toBe("malformed");
    expect(() => encodeMessageDown({ sequence: 0, head: { sid: "", msgid: "m" }, body: new Uint8Array() })).toThrow(
      ProtocolError,
    );
  });
});

describe("plaintexts", () => {
  const challenge = {
    n: 1,
    t: "challenge",
    cid: "c",
    options: [{ at: "0", gate: "otp" }],
    attemptsLeft: 1,
    answerMs: 1,
    retry: false,
  };
  const server = (value: object) => () => parseServerPlaintext(utf8(JSON.stringify(value)));
  const client = (value: object) => () => parseClientPlaintext(utf8(JSON.stringify(value)));

  it("are strict and bounded", () => {
    expect(server(challenge)()).toEqual(challenge);
    for (const change of [{ n: 0 }, { n: 1.5 }, { n: 2 ** 32 }, { cid: "" }, { options: [] }, { retry: 1 }, { x: 1 }]) {
      refuses(server({ ...challenge, ...change })).toBe("malformed");
    }
    const accepted = JSON.parse(first.accepted.plaintext);
    for (const change of [
      { sealed: 1 },
      { group: {} },
      { place: -1 },
      { resumeMs: 0 },
      { F: "AAAA" },
      { F: `${"A".repeat(42)}B` },
      { limits: {} },
      { nC: -1 },
    ]) {
      refuses(server({ ...accepted, ...change })).toBe("malformed");
    }
    for (const what of ["kicked", "key-revoked", "member-removed", "socket-deleted", "policy-changed", "expired"]) {
      expect(server({ t: "revoked", what })()).toEqual({ t: "revoked", what });
    }
    refuses(server({ t: "revoked", what: "other" })).toBe("malformed");
    expect(server({ n: 4, t: "goodbye", code: "restart", retryAfterMs: 100 })()).toHaveProperty("code", "restart");
    expect(client({ n: 1, t: "cancel" })()).toEqual({ n: 1, t: "cancel" });
    expect(client({ n: 1, t: "answer", cid: "c", gate: "jwt", value: "x".repeat(4096) })()).toHaveProperty(
      "gate",
      "jwt",
    );
    refuses(client({ n: 1, t: "answer", cid: "c", gate: "otp", value: 287082 })).toBe("malformed");
    refuses(() => parseClientPlaintext(new Uint8Array(8189))).toBe("too-large");
    refuses(() => parseClientPlaintext(Uint8Array.of(0xff))).toBe("malformed");
  });

  it("of a wait are strict and bounded too", () => {
    const wait = {
      n: 2,
      t: "wait",
      cid: "c",
      at: "1",
      gate: "sms",
      prompt: { by: "link", to: "…56", number: "417" },
      status: "sent",
      resendMs: null,
      attemptsLeft: 3,
      answerMs: 1000,
      retry: false,
    };
    expect(server(wait)()).toEqual(wait);
    for (const change of [{ status: "lost" }, { resendMs: -1 }, { resendMs: undefined }, { at: "" }, { x: 1 }])
      refuses(server({ ...wait, ...change })).toBe("malformed");
    expect(client({ n: 1, t: "start", cid: "c", gate: "sms", at: "1" })()).toHaveProperty("t", "start");
    expect(client({ n: 1, t: "resend", cid: "c" })()).toHaveProperty("t", "resend");
    for (const bad of [
      { n: 1, t: "start", cid: "c" },
      { n: 1, t: "start", cid: "c", gate: "sms", value: "1" },
      { n: 1, t: "resend" },
      { n: 1, t: "resend", cid: "c", gate: "sms" },
    ])
      refuses(client(bad)).toBe("malformed");
    refuses(client(wait)).toBe("malformed");
    refuses(server({ n: 1, t: "resend", cid: "c" })).toBe("malformed");
  });

  it("a deep prompt is refused, whoever sends it", () => {
    const deep = (depth: number): unknown => (depth === 0 ? 1 : [deep(depth - 1)]);
    const prompt = (depth: number) => ({
      ...challenge,
      options: [{ at: "0", gate: "otp", prompt: { a: deep(depth) } }],
    });
    expect(server(prompt(7))).not.toThrow();
    refuses(server(prompt(8))).toBe("malformed");
    refuses(() =>
      parseServerPlaintext(utf8(JSON.stringify(prompt(1)).replace("[1]", "[".repeat(3900) + "]".repeat(3900)))),
    ).toBe("malformed");
  });

  it("an error names the field and nothing that was in it", () => {
    const secret = "hunter2hunter2";
    const cases = [
      client({ n: 1, t: "answer", cid: "c", gate: secret, value: secret, [secret]: 1 }),
      () => parseOpenPayload(utf8(JSON.stringify({ dst: {}, parameters: { [secret]: 1 } }))),
      () =>
        parseOpenPayload(
          utf8(JSON.stringify({ dst: { label: "a", path: secret, query: "", id: null }, parameters: { [secret]: 1 } })),
        ),
      () => parseHello(secret),
    ];
    for (const act of cases) {
      const error = refusal(act);
      expect(`${error.message} ${error.field} ${error.stack} ${String(error.cause)}`).not.toContain(secret);
    }
    expect(refusal(client({ n: 1, t: "answer", cid: "c", gate: "otp", value: 1 })).field).toBe("plaintext.value");
  });
});
