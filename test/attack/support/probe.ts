import { createConnection, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { type OpenPayload, parseHello } from "@portcullis/protocol";
import type { Features } from "./classifier.ts";
import { makeOpen } from "./knock.ts";
import { clientFrame, upgradeRequest } from "./raw.ts";

/** Where a probe goes, and with which key. */
export interface Target {
  readonly port: number;
  readonly dst: OpenPayload["dst"];
  readonly appKey: string | null;
}

/** Behind the last refusal, when nothing of that probe is under way any more; and long before the next one leaves. */
const phaseMs = 5;
let lastRefusalAtMs = 0;
const textFrame = 0x81;
const closeFrame = 0x88;
/** A hello is text of more than 125 bytes and less than 64 KiB. */
const helloHeaderBytes = 4;

/**
 * One try to get in from nowhere, over a bare TCP connection: everything that can be seen of the answer, as numbers. Of bytes their count and a sum in which each place
 * has its own weight, so that another byte, or the same ones in another order, is another number; of time how long each answer took.
 */
export async function probe({ port, dst, appKey }: Target): Promise<Features> {
  await untilPhase();
  const tap = await openTap(port);
  const target = `/${dst.label}/${dst.path}${dst.query === "" ? "" : `?${dst.query}`}`;
  tap.write(upgradeRequest(target));
  const head = await tap.until((bytes) => bytes.indexOf("\r\n\r\n") + 4, 4);
  const helloBytes = await tap.until((bytes) => {
    if (bytes.length < helloHeaderBytes) return 0;
    return helloHeaderBytes + bytes.readUInt16BE(2);
  }, 1);
  const hello = parseHello(helloBytes.bytes.subarray(helloHeaderBytes).toString());
  const { frame } = await makeOpen(hello, { appKey, dst });
  tap.write(clientFrame(textFrame, frame));
  const verdict = await tap.until((bytes) => (bytes.length < 2 ? 0 : 2 + ((bytes[1] ?? 0) & 0x7f)), 1);
  lastRefusalAtMs = verdict.atMs;
  const close = await tap.until((bytes) => (bytes.length < 2 ? 0 : 2 + ((bytes[1] ?? 0) & 0x7f)), 1);
  tap.write(clientFrame(closeFrame, close.bytes.subarray(2)));
  const end = await tap.ended();
  const { hid, nonce } = hello;
  return [
    ...shapeOf(head.bytes),
    head.ms,
    helloBytes.bytes.length,
    hid.length,
    nonce.length,
    helloBytes.ms,
    ...shapeOf(verdict.bytes),
    verdict.ms,
    ...shapeOf(close.bytes),
    close.ms,
    end.bytes.length,
    end.ms,
  ];
}

/**
 * Refusals leave by a clock, and a hunter knows it: who asks at the same phase of it each time finds differences that chance would hide. It is fixed by the
 * last refusal and not by when this probe is ready: what it took to make up a key is the hunter's own work, and would show in how long the answer takes.
 */
async function untilPhase(): Promise<void> {
  while (performance.now() < lastRefusalAtMs + phaseMs) await turn();
}

export function shapeOf(bytes: Uint8Array): [length: number, sum: number] {
  return [bytes.length, bytes.reduce((sum, byte, at) => sum + byte * (at + 1), 0)];
}

interface Part {
  readonly bytes: Buffer;
  /** From when something was last sent. */
  readonly ms: number;
  readonly atMs: number;
}

interface Tap {
  write(bytes: string | Uint8Array): void;
  /** The next part, as soon as it is there. @param lengthOf says how long it is, and at most `unknownMax` while it cannot know */
  until(lengthOf: (bytes: Buffer) => number, unknownMax: number): Promise<Part>;
  /** What came until the connection was gone. */
  ended(): Promise<Part>;
}

function openTap(port: number): Promise<Tap> {
  return new Promise((resolve, reject) => {
    const socket: Socket = createConnection({ port, host: "127.0.0.1", noDelay: true });
    let bytes = Buffer.alloc(0);
    let sentAt = 0;
    let heardAt = 0;
    let gone = false;
    let wake = () => {};
    socket.on("data", (chunk: Buffer) => {
      heardAt = performance.now();
      bytes = Buffer.concat([bytes, chunk]);
      wake();
    });
    socket.once("close", () => {
      heardAt = performance.now();
      gone = true;
      wake();
    });
    socket.once("error", reject);
    const more = () =>
      new Promise<void>((next) => {
        wake = next;
      });
    socket.once("connect", () =>
      resolve({
        write(data) {
          socket.write(data);
          sentAt = performance.now();
        },
        async until(lengthOf, unknownMax) {
          for (;;) {
            const length = lengthOf(bytes);
            if (length >= unknownMax && bytes.length >= length) {
              const part = bytes.subarray(0, length);
              bytes = bytes.subarray(length);
              return { bytes: part, ms: heardAt - sentAt, atMs: heardAt };
            }
            if (gone) throw new Error("the connection ended before its time");
            await more();
          }
        },
        async ended() {
          while (!gone) await more();
          return { bytes, ms: heardAt - sentAt, atMs: heardAt };
        },
      }),
    );
  });
}
