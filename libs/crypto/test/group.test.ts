import { limits, ProtocolError, parseGroupRecord, utf8 } from "@portcullis/protocol";
import { describe, expect, it } from "vitest";
import { CryptoError, createRecordWriter, generateIdentity, openGroupRecord, sealGroupRecord } from "../src/mod.ts";
import { alterations, expectRefused } from "./support.ts";

const socketId = "socket-1";
const secret = new Uint8Array(32).fill(1);
const writer = new Uint8Array(16).fill(2);
const plaintext = utf8('{"t":"tick","place":7}');
const { identity: signing } = await generateIdentity();
const header = { epoch: 3, step: 0, writer, counter: 5 };
const seal = (change: object = {}) => sealGroupRecord({ socketId, secret, signing, plaintext, ...header, ...change });
const open = (frame: Uint8Array, change: object = {}) =>
  openGroupRecord({ socketId, secret, verifyKey: signing.publicKey, record: parseGroupRecord(frame), ...change });

describe("a group record", () => {
  it("opens to what was sealed, for everybody who has the key, and shows a bucket's length only", async () => {
    const frame = await seal();
    expect(await open(frame)).toEqual(plaintext);
    expect(frame.length).toBe(33 + 256 + 16 + 64);
    expect(parseGroupRecord(frame)).toMatchObject(header);
    expect((await seal({ plaintext: new Uint8Array(252) })).length).toBe(frame.length);
  });

  it("of a whole message, with its head, fits", async () => {
    const longest = new Uint8Array(limits.messageBytes + limits.messageHeadBytes + 11);
    expect((await open(await seal({ plaintext: longest }))).length).toBe(longest.length);
    const tooLong = await seal({ plaintext: new Uint8Array(limits.applicationPlaintextBytes) });
    expect(() => parseGroupRecord(tooLong)).toThrow(ProtocolError);
  });

  it("does not open with a byte altered anywhere, signature and header included", async () => {
    const frame = await seal();
    let refused = 0;
    for (const altered of alterations(frame)) {
      const error = await Promise.resolve()
        .then(() => open(altered))
        .then(
          () => null,
          (caught: unknown) => caught,
        );
      expect(error instanceof CryptoError || error instanceof ProtocolError).toBe(true);
      refused += 1;
    }
    expect(refused).toBe(frame.length);
  });

  it("does not open with another key, on another socket, nor under another signature", async () => {
    const frame = await seal();
    await expectRefused("record", () => open(frame, { secret: new Uint8Array(32) }));
    await expectRefused("record", () => open(frame, { socketId: "socket-2" }));
    const { identity: other } = await generateIdentity();
    await expectRefused("record", () => open(frame, { verifyKey: other.publicKey }));
  });

  it("cannot be forged by somebody who can open it", async () => {
    // A member has G, and a signing key of their own.
    const { identity: member } = await generateIdentity();
    await expectRefused("record", async () => open(await seal({ signing: member })));
  });

  it("never shares key and nonce with another one of the same replica, whatever the socket", () => {
    const replica = createRecordWriter(undefined, 3);
    const seen = Array.from({ length: 7 }, () => replica.next()).map(
      ({ writer: id, counter }) => `${Buffer.from(id).toString("hex")} ${counter}`,
    );
    expect(new Set(seen).size).toBe(7);
  });
});
