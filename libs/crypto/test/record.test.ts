import { ProtocolError, parseRecord, utf8 } from "@portcullis/protocol";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CryptoError, createRecordWriter, openRecord, sealRecord } from "../src/mod.ts";
import { alterations, expectRefused } from "./support.ts";

const secret = new Uint8Array(32).fill(1);
const writer = new Uint8Array(16).fill(2);
const plaintext = utf8('{"n":1,"t":"cancel"}');

describe("records", () => {
  it("open to what was sealed, and show only a bucket's length", async () => {
    const up = await sealRecord({ type: 0x10, secret, generation: 0, counter: 0, plaintext });
    const down = await sealRecord({ type: 0x21, secret, writer, generation: 3, counter: 2 ** 23 - 1, plaintext });
    expect(await openRecord({ secret, record: up })).toEqual(plaintext);
    expect(await openRecord({ secret, record: parseRecord(down) })).toEqual(plaintext);
    expect([up.length, down.length]).toEqual([13 + 256 + 16, 29 + 256 + 16]);
    const longer = await sealRecord({ type: 0x10, secret, generation: 0, counter: 1, plaintext: new Uint8Array(252) });
    expect(longer.length).toBe(up.length);
  });

  it("an altered byte anywhere, header included, does not open", async () => {
    for (const header of [{ type: 0x10 as const }, { type: 0x11 as const, writer }]) {
      const record = await sealRecord({ ...header, secret, generation: 0, counter: 5, plaintext });
      let refused = 0;
      for (const altered of alterations(record)) {
        const error = await openRecord({ secret, record: altered }).then(
          () => null,
          (caught: unknown) => caught,
        );
        expect(error instanceof CryptoError || error instanceof ProtocolError).toBe(true);
        refused++;
      }
      expect(refused).toBe(record.length);
    }
  });

  it("another secret, type, writer, generation or counter does not open", async () => {
    const record = await sealRecord({ type: 0x11, secret, writer, generation: 0, counter: 5, plaintext });
    const { ciphertext } = parseRecord(record);
    await expectRefused("record", () => openRecord({ secret: new Uint8Array(32), record }));
    const others = [
      { type: 0x21 as const, writer, generation: 0, counter: 5 },
      { type: 0x11 as const, writer: new Uint8Array(16), generation: 0, counter: 5 },
      { type: 0x11 as const, writer, generation: 1, counter: 5 },
      { type: 0x11 as const, writer, generation: 0, counter: 6 },
      { type: 0x10 as const, generation: 0, counter: 5 },
    ];
    for (const other of others) {
      const { header } = parseRecord(await sealRecord({ ...other, secret, plaintext }));
      await expectRefused("record", () => openRecord({ secret, record: { ...other, header, ciphertext } }));
    }
  });

  it("a record whose padding is not the documented one is refused although it was sealed right", async () => {
    const key = await crypto.subtle.importKey("raw", new Uint8Array(await recordKeyBytes(secret)), "AES-GCM", false, [
      "encrypt",
    ]);
    const { header } = parseRecord(await sealRecord({ type: 0x10, secret, generation: 0, counter: 0, plaintext }));
    const seal = async (padded: Uint8Array) =>
      new Uint8Array([
        ...header,
        ...new Uint8Array(
          await crypto.subtle.encrypt(
            { name: "AES-GCM", iv: new Uint8Array(12), additionalData: new Uint8Array(header) },
            key,
            new Uint8Array(padded),
          ),
        ),
      ]);
    expect(await openRecord({ secret, record: await seal(new Uint8Array(256)) })).toEqual(new Uint8Array());
    await expectRefused("record", async () =>
      openRecord({ secret, record: await seal(new Uint8Array(256).fill(1, 255)) }),
    );
    await expectRefused("record", async () => openRecord({ secret, record: await seal(new Uint8Array(1024)) }));
  });

  it("a key is never used past 2^23 records", async () => {
    for (const counter of [2 ** 23, -1, 0.5, Number.NaN]) {
      await expectRefused("counter", () => sealRecord({ type: 0x10, secret, generation: 0, counter, plaintext }));
    }
  });

  it("whatever is received, only the two documented errors come out", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 400, size: "max" }),
        fc.constantFrom(0x10, 0x11, 0x20, 0x21),
        async (bytes, type) => {
          const record = Uint8Array.of(type, ...bytes);
          const error = await openRecord({ secret, record }).catch((caught: unknown) => caught);
          expect(error instanceof CryptoError || error instanceof ProtocolError).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });
});

async function recordKeyBytes(from: Uint8Array): Promise<Uint8Array> {
  const { expand } = await import("../src/mod.ts");
  return expand(from, "key");
}

describe("a replica's writer", () => {
  it("never seals twice under one key and nonce, however many calls run at once", async () => {
    const own = createRecordWriter();
    const frames = await Promise.all(Array.from({ length: 200 }, () => own.seal(0x11, secret, plaintext)));
    const used = frames.map((frame) => {
      const record = parseRecord(frame);
      return "writer" in record ? `${Buffer.from(record.writer).toString("hex")} ${record.counter}` : "none";
    });
    expect(new Set(used).size).toBe(200);
    for (const frame of frames.slice(0, 3)) expect(await openRecord({ secret, record: frame })).toEqual(plaintext);
  });

  it("two replicas share no id, so a shared secret gives them different keys", async () => {
    const [one, two] = [createRecordWriter(), createRecordWriter()];
    expect(one.id).not.toEqual(two.id);
    const [a, b] = [await one.seal(0x21, secret, plaintext), await two.seal(0x21, secret, plaintext)];
    expect(parseRecord(a).counter).toBe(parseRecord(b).counter);
    expect(a.slice(29)).not.toEqual(b.slice(29));
  });

  it("draws a new id when its counter is used up", async () => {
    const own = createRecordWriter(undefined, 2);
    const first = own.id;
    const frames = [];
    for (let index = 0; index < 5; index++) frames.push(parseRecord(await own.seal(0x11, secret, plaintext)));
    expect(frames.map(({ counter }) => counter)).toEqual([0, 1, 0, 1, 0]);
    expect(new Set(frames.map((frame) => ("writer" in frame ? frame.writer.toString() : ""))).size).toBe(3);
    expect(own.id).not.toEqual(first);
  });

  it("its id cannot be changed from outside", async () => {
    const own = createRecordWriter(() => new Uint8Array(16).fill(9));
    own.id.fill(0);
    expect(own.id).toEqual(new Uint8Array(16).fill(9));
  });
});
