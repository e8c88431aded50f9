import { setTimeout as sleep } from "node:timers/promises";
import { closeCodes, encodeRecordHeader, limits, pad, utf8 } from "@portcullis/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { makeMember, makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { type Close, dial } from "./support/attacker.ts";
import { type Bystanders, startBystanders } from "./support/bystander.ts";
import { destinationIn, type Knock, knock, makeOpen, message } from "./support/knock.ts";
import { clientFrame, rawConnect, rawUpgrade, upgradeRequest } from "./support/raw.ts";

// What is not closed as it should be must not hold up the rest.
vi.setConfig({ testTimeout: 8_000 });

const malformed = closeOf("malformed");
const outOfOrder = closeOf("out-of-order");
const tooLarge = closeOf("too-large");
const rate = closeOf("rate");

function closeOf(name: keyof typeof closeCodes): Close {
  return { code: closeCodes[name].code, reason: name };
}

let world: World;
let bystanders: Bystanders;
/** `key` alone: whoever has it is in at once. */
let quick: OwnedSocket;
/** `key` and `otp`: stays in the handshake. */
let slow: OwnedSocket;
let port: number;
let target: string;

beforeAll(async () => {
  world = await startWorld({ env: { CONNECTIONS_PER_ADDRESS_MAX: "1000", PING_INTERVAL: "200ms" } });
  bystanders = await startBystanders(world);
  quick = await makeSocket(world.owner, {
    gates: [{ gate: "key" }],
    anonymous: true,
    messaging: { maxBytes: 1_000, perSecond: 20 },
  });
  slow = await makeSocket(world.owner, { gates: [{ gate: "key" }, { gate: "otp" }], onFailure: { attempts: 10 } });
  await makeMember(world.owner, slow, "bob");
  port = Number(new URL(world.url).port);
  target = new URL(quick.url).pathname;
});
afterEach(() => bystanders.undisturbed());
afterAll(async () => {
  await bystanders.leave();
  await world.close();
});

const asked = (): Promise<Knock> =>
  knock(`${slow.url}?id=bob`, { appKey: slow.appKey }).then(async (attacker) => {
    await attacker.challenge();
    return attacker;
  });

const inside = async (): Promise<Knock> => {
  const attacker = await knock(quick.url, { appKey: quick.appKey });
  if ((await attacker.hear())?.t !== "accepted") throw new Error("not accepted");
  return attacker;
};

const record = (type: number, bytes = 256 + 16): Buffer =>
  Buffer.concat([
    Uint8Array.of(type),
    encodeRecordHeader({ type: 0x10, generation: 0, counter: 0 }).subarray(1),
    Buffer.alloc(bytes),
  ]);

/** The text of a good `open`, changed, on a connection of its own. */
async function sendOpen(change: (text: string) => string | Uint8Array): Promise<Close> {
  const attacker = await dial(quick.url);
  const hello = await attacker.hello();
  const { frame } = await makeOpen(hello, { appKey: quick.appKey, dst: destinationIn(quick.url) });
  attacker.send(change(frame));
  const close = await attacker.closed;
  expect(attacker.heard).toHaveLength(1);
  return close;
}

describe("an open that is not as it should be ends the connection and says no more than the table does", () => {
  test.each<[string, (text: string) => string | Uint8Array, Close]>([
    ["no JSON", (text) => text.slice(1), malformed],
    ["an empty text", () => "", malformed],
    ["JSON that is no object", () => "[]", malformed],
    ["null", () => "null", malformed],
    ["something behind it", (text) => `${text} {}`, malformed],
    ["a byte order mark", (text) => `\ufeff${text}`, malformed],
    ["another type", (text) => text.replace('"open"', '"offer"'), malformed],
    ["an unknown field", (text) => text.replace("{", '{"ticket":"x",'), malformed],
    ["__proto__ as a field", (text) => text.replace("{", '{"__proto__":{"suite":"0020"},'), malformed],
    ["a missing field", (text) => text.replace(/"psk":"[^"]*",/, ""), malformed],
    ["a number for a text", (text) => text.replace(/"psk":"[^"]*"/, '"psk":1'), malformed],
    ["null for a text", (text) => text.replace(/"psk":"[^"]*"/, '"psk":null'), malformed],
    ["an array for a text", (text) => text.replace(/"enc":("[^"]*")/, '"enc":[$1]'), malformed],
    ["a field twice", (text) => text.replace("{", '{"suite":"647a",'), malformed],
    ["a field twice, once escaped", (text) => text.replace("{", '{"\\u0073uite":"647a",'), malformed],
    ["a lone surrogate", (text) => text.replace('"k:', '"k:\\ud800'), malformed],
    ["base64 with padding", (text) => text.replace(/("box":"[^"]*)"/, '$1=="'), malformed],
    ["base64 with unused bits", (text) => text.replace(/("enc":"[^"]*)."/, '$1B"'), malformed],
    ["enc of another length", (text) => text.replace(/"enc":"..../, '"enc":"'), malformed],
    ["a box in no bucket", (text) => text.replace(/"box":"..../, '"box":"'), malformed],
    ["no key id", (text) => text.replace(/"psk":"k:/, '"psk":"k'), malformed],
    ["a PSK id of no kind", (text) => text.replace('"k:', '"x:'), malformed],
    ["a suite that nobody knows", (text) => text.replace('"0020"', '"ffff"'), closeOf("unsupported")],
    ["a suite that is none", (text) => text.replace('"0020"', '"20"'), malformed],
    ["binary where text is due", (text) => utf8(text), outOfOrder],
    ["an empty binary frame", () => new Uint8Array(), outOfOrder],
    ["one byte more than the longest text", () => " ".repeat(limits.openBytes + 1), tooLarge],
    ["a box over its limit", (text) => text.replace(/"box":"[^"]*"/, `"box":"${"A".repeat(11_200)}"`), tooLarge],
  ])("%s", async (_what, change, close) => {
    expect(await sendOpen(change)).toEqual(close);
  });

  test("but the longest text that is allowed is: blanks are JSON, and it opens", async () => {
    const attacker = await dial(quick.url);
    const { frame } = await makeOpen(await attacker.hello(), { appKey: quick.appKey, dst: destinationIn(quick.url) });
    attacker.send(frame.replace("{", `{${" ".repeat(limits.openBytes - frame.length)}`));
    expect(await attacker.next()).toBeInstanceOf(Buffer);
    attacker.leave();
  });
});

describe("bytes that are no WebSocket frames get the codes of the table", () => {
  test.each<[string, Buffer, Close]>([
    ["text that is no UTF-8", clientFrame(0x81, Uint8Array.of(0xc3, 0x28)), malformed],
    ["an overlong UTF-8 form", clientFrame(0x81, Uint8Array.of(0xc0, 0xaf)), malformed],
    ["a reserved data opcode", clientFrame(0x83, "x"), malformed],
    ["a reserved control opcode", clientFrame(0x8b, "x"), malformed],
    ["a frame that is not masked", Buffer.from([0x81, 0x02, 0x7b, 0x7d]), malformed],
    ["a compressed frame that nobody agreed on", clientFrame(0xc1, "x"), malformed],
    ["a reserved bit", clientFrame(0x91, "x"), malformed],
    ["a fragmented ping", clientFrame(0x09, "x"), malformed],
    ["a ping of 126 bytes", clientFrame(0x89, new Uint8Array(126)), malformed],
    ["a continuation of nothing", clientFrame(0x80, "x"), malformed],
    ["a message within a message", Buffer.concat([clientFrame(0x01, "{"), clientFrame(0x81, "{}")]), malformed],
    ["a close frame of one byte", clientFrame(0x88, "x"), malformed],
    ["a close code that may not be sent", clientFrame(0x88, Uint8Array.of(0x03, 0xed)), malformed],
    ["a frame that claims 2 GiB", clientFrame(0x82, "x", 2 ** 31), tooLarge],
    ["a frame that claims 2^62 bytes", clientFrame(0x82, "x", 2 ** 62), tooLarge],
  ])("%s", async (_what, bytes, close) => {
    const raw = await rawUpgrade(port, target);
    raw.write(bytes);
    expect(await raw.close()).toEqual(close);
  });

  test("a frame that never ends is cut off when it is more than a stranger may send", async () => {
    const raw = await rawUpgrade(port, target);
    raw.write(clientFrame(0x82, new Uint8Array(1_000), 900_000));
    for (let n = 0; n < 80 && !raw.socket.closed; n += 1) {
      raw.write(new Uint8Array(1_000));
      await sleep(1);
    }
    expect(await raw.close()).toEqual(tooLarge);
  });

  test("so is a message of fragments without an end", async () => {
    const raw = await rawUpgrade(port, target);
    raw.write(clientFrame(0x01, "{"));
    const fragment = clientFrame(0x00, new Uint8Array(100).fill(0x20));
    for (let n = 0; n < 100 && !raw.socket.closed; n += 1) {
      raw.write(Buffer.concat(Array.from({ length: 10 }, () => fragment)));
      await sleep(1);
    }
    expect(await raw.close()).toEqual(tooLarge);
  });

  test("so are pings and pongs without an end", async () => {
    for (const opcode of [0x89, 0x8a]) {
      const raw = await rawUpgrade(port, target);
      const control = clientFrame(opcode, new Uint8Array(100));
      for (let n = 0; n < 100 && !raw.socket.closed; n += 1) {
        raw.write(Buffer.concat(Array.from({ length: 10 }, () => control)));
        await sleep(1);
      }
      expect(await raw.close()).toEqual(tooLarge);
    }
  });

  test("an open in fragments of one byte, with pings between them, is an open like any other", async () => {
    const raw = await rawUpgrade(port, target);
    const attacker = await dial(quick.url);
    const { frame } = await makeOpen(await attacker.hello(), { appKey: quick.appKey, dst: destinationIn(quick.url) });
    attacker.leave();
    // Of another connection's hello, so it does not open; that it got so far shows that it was read.
    const bytes = utf8(frame);
    raw.write(clientFrame(0x01, bytes.subarray(0, 1)));
    for (const [index, byte] of bytes.subarray(1, -1).entries()) {
      if (index % 100 === 0) raw.write(clientFrame(0x89, ""));
      raw.write(clientFrame(0x00, Uint8Array.of(byte)));
    }
    raw.write(clientFrame(0x80, bytes.subarray(-1)));
    expect(await raw.close()).toEqual(closeOf("denied"));
  });

  test("a frame in the same packet as the upgrade counts", async () => {
    const raw = await rawConnect(port);
    raw.write(Buffer.concat([Buffer.from(upgradeRequest(target)), clientFrame(0x82, record(0x10))]));
    expect(await raw.close()).toEqual(outOfOrder);
  });

  test("a peer that closes by the book is answered by the book, one that just goes is forgotten", async () => {
    const polite = await rawUpgrade(port, target);
    polite.write(clientFrame(0x88, Uint8Array.of(0x03, 0xe8)));
    expect(await polite.close()).toEqual({ code: 1000, reason: "" });
    const rude = await rawUpgrade(port, target);
    rude.socket.resetAndDestroy();
    await rude.gone;
  });

  test("a peer that is there no more, but did not say so, is let go after it left pings unanswered", async () => {
    const half = await rawUpgrade(port, target);
    const startedAt = Date.now();
    await half.gone;
    // Two unanswered pings at 200 ms, well before the 10 s for `open`.
    expect(Date.now() - startedAt).toBeLessThan(3_000);
  });

  test("a peer that closed its own half is let go at once", async () => {
    const half = await rawUpgrade(port, target);
    half.socket.end();
    await half.gone;
  });
});

describe("an upgrade that is not one is answered 400, whatever is wrong with it, and closed", () => {
  test.each<[string, string]>([
    ["no subprotocol", upgradeRequest("/x/y", { "Sec-WebSocket-Protocol": null })],
    ["another subprotocol", upgradeRequest("/x/y", { "Sec-WebSocket-Protocol": "portcullis.v2, chat" })],
    ["the subprotocol in capitals", upgradeRequest("/x/y", { "Sec-WebSocket-Protocol": "PORTCULLIS.V1" })],
    ["no key", upgradeRequest("/x/y", { "Sec-WebSocket-Key": null })],
    ["a key of the wrong length", upgradeRequest("/x/y", { "Sec-WebSocket-Key": "AAAA" })],
    ["another version", upgradeRequest("/x/y", { "Sec-WebSocket-Version": "99" })],
    ["no version", upgradeRequest("/x/y", { "Sec-WebSocket-Version": null })],
    ["another protocol to upgrade to", upgradeRequest("/x/y", { Upgrade: "h2c" })],
    ["a label that is too long", upgradeRequest(`/${"x".repeat(64)}/y`)],
    ["a path that is too long", upgradeRequest(`/x/${"y".repeat(2_049)}`)],
    ["a query that is too long", upgradeRequest(`/x/y?${"z".repeat(2_049)}`)],
    ["an origin that is too long", upgradeRequest("/x/y", { Origin: `https://${"o".repeat(300)}` })],
    ["no request line", "\0\0\0\r\n\r\n"],
    ["two lengths of a body", upgradeRequest("/x/y", { "Content-Length": "1\r\nContent-Length: 2" })],
    ["a header broken over two lines", upgradeRequest("/x/y", { "X-Y": "a\r\n b" })],
  ])("%s", async (_what, request) => {
    const raw = await rawConnect(port);
    raw.write(request);
    const head = await raw.head();
    await raw.gone;
    expect(head).toMatch(/^HTTP\/1\.1 400 /);
    expect(head.toLowerCase()).not.toMatch(/server:|x-powered-by|portcullis/);
    expect(raw.received().toString()).toMatch(/\r\n\r\n$/);
  });

  test("a POST is no upgrade", async () => {
    const raw = await rawConnect(port);
    raw.write(upgradeRequest(target, {}, "POST"));
    expect(await raw.head()).toMatch(/^HTTP\/1\.1 40[045] /);
    raw.socket.destroy();
  });

  test("headers over 16 KiB are refused", async () => {
    const raw = await rawConnect(port);
    raw.write(upgradeRequest(target, { "X-Large": "x".repeat(20_000) }));
    expect(await raw.head()).toMatch(/^HTTP\/1\.1 4(00|31) /);
    await raw.gone;
  });

  test("compression is not agreed to, whoever asks for it", async () => {
    const raw = await rawConnect(port);
    raw.write(upgradeRequest(target, { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" }));
    const head = await raw.head();
    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    expect(head.toLowerCase()).not.toContain("extensions");
    raw.socket.destroy();
  });
});

describe("in a handshake", () => {
  const reserved = [0x00, 0x01, 0x0f, 0x12, 0x1f, 0x22, 0x2f, 0x30, 0x3f, 0x42, 0x4f, 0x50, 0x80, 0xff];
  test.each<[string, string | Uint8Array, Close]>([
    ["an empty binary frame", new Uint8Array(), malformed],
    ["an empty text frame", "", outOfOrder],
    ["text where a record is due", '{"n":1,"t":"cancel"}', outOfOrder],
    ["a header alone", record(0x10, 0), malformed],
    ["a record in no bucket", record(0x10, 257 + 16), malformed],
    [
      "a counter past the life of a key",
      Buffer.concat([Uint8Array.of(0x10, 0, 0, 0, 0), Buffer.alloc(8, 0x7f), Buffer.alloc(272)]),
      malformed,
    ],
    ["the longest record that there is, sealed by nobody", record(0x10, 8_192 + 16), malformed],
    ["a record over the limit", record(0x10, 12_288 + 16), tooLarge],
    ["a record of the other direction", Buffer.concat([Uint8Array.of(0x11), Buffer.alloc(28 + 272)]), outOfOrder],
    ["an application record", record(0x20), outOfOrder],
    [
      "an application record of the other direction",
      Buffer.concat([Uint8Array.of(0x21), Buffer.alloc(28 + 272)]),
      outOfOrder,
    ],
    ["a message", message(0, "let me in"), outOfOrder],
    ["a message downwards", Buffer.concat([Uint8Array.of(0x41), Buffer.alloc(20)]), outOfOrder],
    ["a record that does not open", record(0x10), malformed],
    ...reserved.map((type): [string, Uint8Array, Close] => [
      `type ${type.toString(16).padStart(2, "0")}`,
      record(type),
      outOfOrder,
    ]),
  ])("%s ends it", async (_what, frame, close) => {
    const attacker = await asked();
    attacker.send(frame);
    expect(await attacker.hear()).toBeNull();
    expect(await attacker.closed).toEqual(close);
  });

  const answer = { n: 1, t: "answer", cid: "x", gate: "otp", value: "000000" };
  test.each<[string, unknown, Close]>([
    ["no JSON", utf8("{"), malformed],
    ["nothing", new Uint8Array(), malformed],
    ["no UTF-8", Uint8Array.of(0x7b, 0xff, 0x7d), malformed],
    ["an unknown field", { ...answer, admin: true }, malformed],
    ["__proto__ as a field", utf8('{"n":1,"t":"cancel","__proto__":{"admin":true}}'), malformed],
    ["a missing field", { n: 1, t: "answer", cid: "x", gate: "otp" }, malformed],
    ["a field twice", utf8('{"n":7,"t":"cancel","n":1}'), malformed],
    ["an n with a fraction", { ...answer, n: 1.5 }, malformed],
    ["an n that is a text", { ...answer, n: "1" }, malformed],
    ["an n past its range", { ...answer, n: 2 ** 32 }, malformed],
    ["a value that is no text", { ...answer, value: 0 }, malformed],
    ["a value of 4097 characters", { ...answer, value: "0".repeat(limits.answerChars + 1) }, malformed],
    ["a lone surrogate", utf8(JSON.stringify({ ...answer, value: "?" }).replace("?", "\\ud83d")), malformed],
    ["a gate in capitals", { ...answer, gate: "OTP" }, malformed],
    [
      "seventeen answers",
      { n: 1, t: "offer", answers: Array.from({ length: 17 }, () => ({ gate: "otp", value: "1" })) },
      malformed,
    ],
    ["no answers at all", { n: 1, t: "offer", answers: [] }, malformed],
    ["what is reserved for later", { n: 1, t: "resend" }, malformed],
    ["what only the server says", { n: 1, t: "denied", code: "denied" }, malformed],
    ["10,000 levels", utf8(`{"n":1,"t":"offer","answers":${"[".repeat(4_000)}${"]".repeat(4_000)}}`), malformed],
  ])("sealed by whoever opened it, %s ends it", async (_what, plaintext, close) => {
    const attacker = await asked();
    await attacker.say(plaintext);
    expect(await attacker.hear()).toBeNull();
    expect(await attacker.closed).toEqual(close);
  });

  test("a record that was altered anywhere does not open", async () => {
    for (const position of [5, 12, 13, 100, -17, -1]) {
      const attacker = await asked();
      const frame = Buffer.from(await attacker.seal({ n: 1, t: "cancel" }));
      const index = position < 0 ? frame.length + position : position;
      frame[index] = (frame[index] ?? 0) ^ 1;
      attacker.send(frame);
      const { code } = await attacker.closed;
      // Within the counter it is the wrong counter, or one past the life of a key.
      expect([closeCodes.malformed.code, ...(index < 13 ? [closeCodes["out-of-order"].code] : [])]).toContain(code);
    }
  });

  const padded = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(pad(utf8('{"n":1,"t":"cancel"}')));
    change(bytes);
    return bytes;
  };
  test.each<[string, Buffer]>([
    ["padding that carries something", padded((bytes) => bytes.fill(1, 255))],
    ["a length that goes past the end", padded((bytes) => bytes.writeUInt32BE(253))],
    ["a length of 4 GiB", padded((bytes) => bytes.writeUInt32BE(2 ** 32 - 1))],
    ["a bucket larger than needed", Buffer.concat([padded(() => {}), Buffer.alloc(768)])],
  ])("%s, sealed by whoever opened it, is as good as not sealed", async (_what, bytes) => {
    const attacker = await asked();
    attacker.send(await attacker.sealPadded(bytes));
    expect(await attacker.hear()).toBeNull();
    expect(await attacker.closed).toEqual(malformed);
  });

  // Repeated byte for byte, a record is answered again: it counts for nothing but what it costs.
  test("frames are bounded over the whole handshake: one more than 64 is too many", async () => {
    const attacker = await knock(`${slow.url}?id=bob`, { appKey: slow.appKey });
    const { cid } = await attacker.challenge();
    const record = await attacker.seal({ n: 1, t: "answer", cid, gate: "otp", value: "000000" });
    for (let frames = 1; frames < limits.handshakeFrames; frames += 1) {
      attacker.send(record);
      expect(await attacker.next()).toBeInstanceOf(Buffer);
    }
    attacker.send(record);
    expect(await attacker.closed).toEqual(outOfOrder);
  });

  test("so are bytes: no more than 64 KiB without a verdict", async () => {
    const attacker = await knock(`${slow.url}?id=bob`, { appKey: slow.appKey });
    const { cid } = await attacker.challenge();
    const heavy = await attacker.seal({ n: 1, t: "answer", cid, gate: "otp", value: "0".repeat(4_000) });
    let sent = attacker.openFrame.length;
    for (; sent + heavy.length <= limits.unauthenticatedBytes; sent += heavy.length) {
      attacker.send(heavy);
      expect(await attacker.next()).toBeInstanceOf(Buffer);
    }
    attacker.send(heavy);
    expect(await attacker.closed).toEqual(tooLarge);
  });

  test("a flood while the server thinks is cut off, by number and by size", async () => {
    const many = await asked();
    for (let n = 0; n < 30; n += 1) many.send(record(0x10));
    expect([malformed, outOfOrder]).toContainEqual(await many.closed);
    const big = await asked();
    for (let n = 0; n < 7; n += 1) big.send(record(0x10, 8_192 + 16));
    expect([malformed, tooLarge]).toContainEqual(await big.closed);
  });
});

describe("in a session", () => {
  test.each<[string, string | Uint8Array, Close]>([
    ["a text frame", "hello", outOfOrder],
    ["an empty binary frame", new Uint8Array(), malformed],
    ["a message without its header", Uint8Array.of(0x40, 0, 0), malformed],
    [
      "a message whose counter is no safe number",
      Buffer.concat([Uint8Array.of(0x40), Buffer.alloc(8, 0xff)]),
      malformed,
    ],
    ["a message over the socket's limit", message(0, new Uint8Array(1_001)), tooLarge],
    ["a message over the protocol's limit", Buffer.alloc(limits.messageBytes + 10, 0x40), tooLarge],
    ["a sealed application record", record(0x20), outOfOrder],
    ["a group record", record(0x30), outOfOrder],
    [
      "a message downwards, as if from somebody else",
      Buffer.concat([Uint8Array.of(0x41), Buffer.alloc(40)]),
      outOfOrder,
    ],
    ["a reserved type", record(0x42), outOfOrder],
  ])("%s ends it", async (_what, frame, close) => {
    const attacker = await inside();
    attacker.send(frame);
    expect(await attacker.closed).toEqual(close);
  });

  test("a handshake record is dropped unread for five seconds, then it ends it", async () => {
    const attacker = await inside();
    attacker.send(record(0x10));
    attacker.send(message(0, "still in"));
    expect(String(await attacker.next())).toContain("still in");
    world.advance(5_001);
    attacker.send(record(0x10));
    expect(await attacker.closed).toEqual(outOfOrder);
  });

  test("more messages than the socket allows in a second end it", async () => {
    const attacker = await inside();
    for (let counter = 0; counter < 30; counter += 1) attacker.send(message(counter, "x"));
    expect(await attacker.closed).toEqual(rate);
  });

  test("so do more pings than anybody needs", async () => {
    const attacker = await inside();
    for (let n = 0; n < 40; n += 1) attacker.websocket.ping();
    expect(await attacker.closed).toEqual(rate);
  });
});
