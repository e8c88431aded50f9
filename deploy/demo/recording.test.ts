import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { searchFor } from "./canaries.ts";
import { type RecordedFlow, readRecording } from "./recording.ts";
import { takeApart } from "./web-socket-frames.ts";

const secret = randomBytes(32);
const canary = { name: "planted", values: [secret] };
const head = Buffer.from("GET /label/path HTTP/1.1\r\nhost: localhost\r\n\r\n");
const opcodes = { continuation: 0, text: 1, binary: 2, close: 8 } as const;

function frame(
  payload: Buffer,
  options: { readonly opcode?: number; readonly isFinal?: boolean; readonly masked?: boolean } = {},
): Buffer {
  const { opcode = opcodes.binary, isFinal = true, masked = true } = options;
  const { length } = payload;
  const size = length < 126 ? Buffer.of(length) : Buffer.of(126, length >> 8, length & 255);
  size[0] = (size[0] ?? 0) | (masked ? 0x80 : 0);
  // Not zero in any byte, or masking would leave that one readable.
  const mask = masked ? Buffer.from(randomBytes(4).map((byte) => byte | 1)) : Buffer.alloc(0);
  const body = masked ? Buffer.from(payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0))) : payload;
  return Buffer.concat([Buffer.of((isFinal ? 0x80 : 0) | opcode), size, mask, body]);
}

function flowOf(...parts: Buffer[]): RecordedFlow {
  const raw = Buffer.concat([head, ...parts]);
  return { connection: 1, direction: "up", raw, ...takeApart(raw) };
}

const around = (bytes: Buffer | string) => Buffer.concat([randomBytes(200), Buffer.from(bytes), randomBytes(7)]);
const found = (...parts: Buffer[]) => searchFor([canary], [flowOf(...parts)]).map(({ form }) => form);

describe("the search of a recording", () => {
  test("does not find what is not there", () => {
    expect(found(frame(around("")), frame(around(""), { masked: false }))).toEqual([]);
    const almost = Buffer.from(secret);
    almost[31] = (almost[31] ?? 0) ^ 1;
    expect(found(frame(around(almost)))).toEqual([]);
  });

  test("finds a secret behind a client's mask, which hides it from a plain search", () => {
    const masked = frame(around(secret));
    expect(masked.includes(secret)).toBe(false);
    expect(found(masked)).toEqual(["raw"]);
    expect(found(frame(around("")), masked, frame(around("")))).toEqual(["raw"]);
  });

  test("finds a secret in a server's frame and in the upgrade", () => {
    expect(found(frame(around(secret), { masked: false }))).toEqual(["raw"]);
    const raw = Buffer.concat([Buffer.from(`GET /?key=${secret.toString("base64url")} HTTP/1.1\r\n\r\n`)]);
    const flow = { connection: 1, direction: "up", raw, ...takeApart(raw) } as const;
    expect(searchFor([canary], [flow])).toHaveLength(1);
  });

  test("finds a secret that is split over fragments, with a control frame between", () => {
    const payload = around(secret);
    const [first, second] = [payload.subarray(0, 215), payload.subarray(215)];
    expect(
      found(
        frame(first, { isFinal: false }),
        frame(Buffer.from("ping"), { opcode: 9 }),
        frame(second, { opcode: opcodes.continuation }),
      ),
    ).toEqual(["raw"]);
  });

  test("finds a secret in the reason of a close, and in a frame that was cut off", () => {
    expect(found(frame(Buffer.concat([Buffer.of(3, 232), secret]), { opcode: opcodes.close }))).toEqual(["raw"]);
    expect(found(frame(around(secret)).subarray(0, -5))).toEqual(["raw"]);
  });

  test.each([
    ["hex", secret.toString("hex")],
    ["hex", secret.toString("hex").toUpperCase()],
    ["base64", Buffer.concat([Buffer.from("a"), secret, Buffer.from("xyz")]).toString("base64")],
    ["base64", Buffer.concat([Buffer.from("ab"), secret, Buffer.from("xyz")]).toString("base64")],
    ["base64", Buffer.concat([Buffer.from("abc"), secret, Buffer.from("xyz")]).toString("base64")],
    ["base64url", Buffer.concat([Buffer.from("ab"), secret]).toString("base64url")],
  ])("finds a secret as %s, wherever in the encoded text it begins", (_, text) => {
    expect(found(frame(around(text)))).toHaveLength(1);
  });

  test("finds the text of a code", () => {
    const code = { name: "code", values: ["493817"] };
    const sealedNot = flowOf(frame(Buffer.from('{"t":"answer","value":"493817"}'), { opcode: opcodes.text }));
    expect(searchFor([code], [sealedNot])).toEqual([{ canary: "code", form: "raw", connection: 1, direction: "up" }]);
  });

  test("refuses a canary that is too short to mean anything", () => {
    expect(() => searchFor([{ name: "empty", values: [""] }], [flowOf()])).toThrow("too short");
  });
});

describe("the recorder", () => {
  let folder: string;
  let recorder: ChildProcess;
  const server = createServer();
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "portcullis-recorder-"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(async () => {
    recorder.kill();
    server.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function throughRecorder(): Promise<{ client: Socket; edge: Socket }> {
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const script = fileURLToPath(new URL("recorder.ts", import.meta.url));
    recorder = fork(script, [`${port}`, folder], { execArgv: ["--disable-warning=ExperimentalWarning"] });
    const [{ port: own }] = (await once(recorder, "message")) as [{ port: number }];
    const client = connect({ host: "127.0.0.1", port: own }).setNoDelay(true);
    const [edge] = (await once(server, "connection")) as [Socket];
    return { client, edge };
  }

  test("writes down what went either way, byte for byte, and passes it on unchanged", async () => {
    const { client, edge } = await throughRecorder();
    const up = Buffer.concat([head, frame(around(secret))]);
    const down = Buffer.concat([
      Buffer.from("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
      frame(around(secret), { masked: false }),
    ]);
    const received = { up: [] as Buffer[], down: [] as Buffer[] };
    edge.on("data", (bytes) => received.up.push(bytes));
    client.on("data", (bytes) => received.down.push(bytes));
    // In pieces, so that the secret arrives in several.
    for (let at = 0; at < up.length; at += 13) {
      client.write(up.subarray(at, at + 13));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    edge.write(down);
    client.end();
    await once(client, "close");
    expect(Buffer.concat(received.up)).toEqual(up);
    expect(Buffer.concat(received.down)).toEqual(down);

    recorder.disconnect();
    await once(recorder, "exit");
    const recording = await readRecording(folder);
    for (const { direction, raw } of recording) expect(raw).toEqual({ up, down }[direction]);
    const seen = searchFor([canary], recording).map(({ direction }) => direction);
    expect(seen.sort()).toEqual(["down", "up"]);
  });
});
