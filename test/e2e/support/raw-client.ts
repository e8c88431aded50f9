import { setTimeout as sleep } from "node:timers/promises";
import {
  appKeyPsk,
  appKeyPskId,
  chooseSuite,
  handshakeKeys,
  openRecord,
  parseAppKey,
  sealOpen,
  sealRecord,
  verifyBundle,
} from "@portcullis/crypto";
import {
  type Answer,
  type Cancel,
  encodePlaintext,
  type Hello,
  type Offer,
  type OpenPayload,
  parseHandshakeId,
  parseHello,
  parseRecord,
  parseServerPlaintext,
  recordTypes,
  type ServerPlaintext,
  type SuiteId,
  subprotocol,
  suiteIds,
} from "@portcullis/protocol";
import WebSocket from "ws";

export type Heard =
  | { readonly is: "text"; readonly text: string }
  | { readonly is: "sealed"; readonly plaintext: ServerPlaintext }
  | { readonly is: "closed"; readonly code: number };

/** Says what it is told to, whenever it is told to, right or wrong: what the SDK would never do. */
export interface RawClient {
  readonly hello: Hello;
  readonly edge: string;
  /** Sends `open`. A payload of one's own replaces parts of the honest one. */
  open(payload?: Partial<OpenPayload>): Promise<void>;
  /** Seals under the handshake's keys, numbered like an honest client. */
  say(plaintext: Omit<Answer, "n"> | Omit<Offer, "n"> | Omit<Cancel, "n">): Promise<void>;
  /** The next thing that comes. @throws after `timeoutMs` (2 s). */
  next(timeoutMs?: number): Promise<Heard>;
  /** The next frame, not opened. */
  nextFrame(): Promise<{ readonly binary: boolean; readonly type: number; readonly bytes: Uint8Array }>;
  /** Whether nothing comes for so long. */
  silent(ms: number): Promise<boolean>;
  /** Anything at all. */
  send(frame: Uint8Array | string): void;
  /** The code with which it ends, whatever comes before. */
  readonly closed: Promise<number>;
  close(): void;
}

export interface RawOptions {
  /** `pc1.…`; null: Base mode. */
  readonly appKey: string | null;
  readonly suite?: SuiteId;
}

type Frame = { readonly data: Buffer; readonly binary: boolean } | { readonly code: number };

export async function rawClient(url: string, { appKey, suite: wanted }: RawOptions): Promise<RawClient> {
  const socket = new WebSocket(url, subprotocol, { perMessageDeflate: false });
  const frames: Frame[] = [];
  let wake = () => {};
  const put = (frame: Frame) => {
    frames.push(frame);
    wake();
  };
  socket.on("message", (data, binary) => Buffer.isBuffer(data) && put({ data, binary }));
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  void closed.then((code) => put({ code }));
  socket.on("error", () => undefined);

  async function frame(timeoutMs: number): Promise<Frame | null> {
    const untilMs = performance.now() + timeoutMs;
    while (frames.length === 0) {
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0) return null;
      await Promise.race([new Promise<void>((resolve) => (wake = resolve)), sleep(leftMs)]);
    }
    return frames.shift() ?? null;
  }

  const first = await frame(5_000);
  if (first === null || "code" in first || first.binary) {
    socket.terminate();
    throw new Error(`no hello: ${first === null ? "nothing" : "code" in first ? first.code : "binary"}`);
  }
  const hello = parseHello(first.data.toString("utf8"));
  const key = appKey === null ? null : parseAppKey(appKey);
  const { bundle } = await verifyBundle({
    hello,
    pinnedFingerprint: key?.fingerprint ?? null,
    nowMs: Date.now(),
  });
  const { suite, publicKey } = await chooseSuite(bundle.suites, wanted === undefined ? suiteIds : [wanted]);
  let secrets: Awaited<ReturnType<typeof handshakeKeys>> | null = null;
  let said = 0;

  return {
    hello,
    edge: parseHandshakeId(hello.hid).edgeId,
    async open(payload = {}) {
      const { pathname, search, searchParams } = new URL(url);
      const [label = "", ...path] = pathname.slice(1).split("/");
      const dst = { label, path: path.join("/"), query: search.slice(1), id: searchParams.get("id") };
      const psk = key === null ? null : { id: appKeyPskId(key.keyId), secret: await appKeyPsk(key.secret) };
      const sealed = await sealOpen({ hello, suite, publicKey, psk, payload: { dst, ...payload } });
      secrets = await handshakeKeys(sealed.handshake.prk);
      socket.send(sealed.frame);
    },
    async say(plaintext) {
      if (secrets === null) throw new Error("open first");
      const bytes = encodePlaintext({ ...plaintext, n: said + 1 });
      const header = { type: recordTypes.handshakeUp, generation: 0, counter: said } as const;
      said += 1;
      socket.send(await sealRecord({ ...header, secret: secrets.client, plaintext: bytes }));
    },
    async next(timeoutMs = 2_000) {
      const found = await frame(timeoutMs);
      if (found === null) throw new Error(`nothing came within ${timeoutMs} ms`);
      if ("code" in found) return { is: "closed", code: found.code };
      if (!found.binary) return { is: "text", text: found.data.toString("utf8") };
      if (secrets === null) throw new Error("a record before open");
      const record = parseRecord(new Uint8Array(found.data));
      return { is: "sealed", plaintext: parseServerPlaintext(await openRecord({ secret: secrets.server, record })) };
    },
    async nextFrame() {
      const found = await frame(2_000);
      if (found === null || "code" in found) throw new Error("no frame came");
      return { binary: found.binary, type: found.data[0] ?? -1, bytes: new Uint8Array(found.data) };
    },
    async silent(ms) {
      const found = await frame(ms);
      if (found !== null) frames.unshift(found);
      return found === null;
    },
    send: (bytes) => socket.send(bytes),
    closed,
    close: () => socket.terminate(),
  };
}

/** Tries until an edge says hello, for 5 s. */
export async function helloComes(url: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      (await rawClient(url, { appKey: null })).close();
      return;
    } catch (error) {
      if (attempt === 50) throw error;
      await sleep(100);
    }
  }
}
