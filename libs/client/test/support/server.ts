import type { AddressInfo } from "node:net";
import {
  type AppKey,
  type ApplicationSecrets,
  advanceChain,
  appKeyPsk,
  applicationSecrets,
  chainStart,
  createRecordWriter,
  finish,
  formatAppKey,
  generateAppKey,
  generateIdentity,
  generateKemKeyPair,
  type HandshakeSecrets,
  handshakeKeys,
  helloHash,
  type Identity,
  type KemKeyPair,
  openBox,
  openRecord,
  parkedPsk,
  signBundle,
} from "@portcullis/crypto";
import {
  type Accepted,
  type ApplicationUp,
  base64url,
  type ClientPlaintext,
  type CloseCodeName,
  closeCodes,
  encodeDenied,
  encodeHello,
  encodeMessageDown,
  encodePlaintext,
  formatHandshakeId,
  type Hello,
  type MessageUp,
  type OpenPayload,
  parseApplicationUp,
  parseClientPlaintext,
  parseMessageUp,
  parseOpen,
  parseOpenPayload,
  recordTypes,
  type ServerPlaintext,
  subprotocol,
} from "@portcullis/protocol";
import { type RawData, type WebSocket, WebSocketServer } from "ws";

/** A session that goes on ends when it would have ended. */
const expiresAt = Date.now() + 3_600_000;

const text = new TextEncoder();
export const bytesOf = (value: string): Uint8Array => text.encode(value);

/** What a real server would be: identity, KEM key, app key. */
export interface World {
  readonly identity: Identity;
  readonly kem: KemKeyPair;
  readonly appKey: AppKey;
  readonly appKeyText: string;
}

export async function createWorld(suite: "0020" | "647a" = "0020"): Promise<World> {
  const { identity } = await generateIdentity();
  const appKey = generateAppKey(identity.fingerprint);
  return { identity, kem: await generateKemKeyPair(suite), appKey, appKeyText: formatAppKey(appKey) };
}

export interface FakeServer {
  /** For `connect`, with the path form of the address. */
  readonly url: string;
  /** What the script threw, once it has ended. */
  readonly scripts: Promise<void>[];
  readonly peers: Peer[];
  stop(): Promise<void>;
}

/** Runs `script` for every connection. */
export async function startServer(
  world: World,
  script: (peer: Peer) => Promise<void>,
  protocols: () => string | false = () => subprotocol,
): Promise<FakeServer> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: protocols });
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const scripts: Promise<void>[] = [];
  const peers: Peer[] = [];
  server.on("connection", (socket) => {
    const peer = createPeer(world, socket);
    peers.push(peer);
    const running = script(peer);
    running.catch(() => socket.terminate());
    scripts.push(running);
  });
  return {
    url: `ws://127.0.0.1:${port}/demo/secret-path?id=bob&room=2`,
    scripts,
    peers,
    async stop() {
      for (const client of server.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Frame = Uint8Array | string;
export type Peer = ReturnType<typeof createPeer>;

/** The server's half of one conversation, each step callable out of turn. Every sealed step has a writer of its own. */
function createPeer(world: World, socket: WebSocket) {
  const frames: Frame[] = [];
  let wake = () => {};
  let over = false;
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on("close", (code, reason) => {
      over = true;
      wake();
      resolve({ code, reason: reason.toString() });
    });
  });
  socket.on("message", (data: RawData, binary) => {
    const bytes = data as Buffer;
    frames.push(binary ? new Uint8Array(bytes) : bytes.toString());
    wake();
  });
  socket.on("error", () => {});

  let hello: Hello | undefined;
  let handshake: HandshakeSecrets | undefined;
  let keys: { client: Uint8Array; server: Uint8Array } | undefined;
  let application: ApplicationSecrets | undefined;
  let clientCount = 0;
  let clientChain = chainStart();
  let serverCount = 0;
  let serverChain = chainStart();

  const got = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error("out of turn");
    return value;
  };

  const peer = {
    socket,
    closed,
    /** The box's content, after `readOpen`. */
    payload: null as OpenPayload | null,
    async next(): Promise<Frame> {
      while (frames.length === 0) {
        if (over) throw new Error("closed");
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return got(frames.shift());
    },
    pending: () => frames.length,
    /** @param alter the hello between signing and sending, as somebody between could. */
    async hello(alter: (hello: Hello) => Hello = (same) => same, expSeconds = Date.now() / 1_000 + 60): Promise<void> {
      const { kem, identity } = world;
      const content = { kid: "kid1", suites: { [kem.suite]: kem.publicKey }, exp: Math.floor(expSeconds) };
      const signed = await signBundle(identity, content);
      const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
      hello = alter({ ...signed, hid: formatHandshakeId("edge-a", random(16)), nonce: random(32) });
      socket.send(encodeHello(hello));
    },
    /** @param secret of a handshake or session that goes on */
    async readOpen(secret?: Uint8Array): Promise<OpenPayload> {
      const frame = await peer.next();
      if (typeof frame !== "string") throw new Error("not text");
      const open = parseOpen(frame);
      const psk = open.psk === "" ? null : (secret ?? (await appKeyPsk(world.appKey.secret)));
      const opened = await openBox({
        h0: await helloHash(got(hello)),
        privateKey: world.kem.privateKey,
        open,
        psk,
      });
      handshake = opened.handshake;
      keys = await handshakeKeys(handshake.prk);
      peer.payload = parseOpenPayload(opened.payload);
      return peer.payload;
    },
    /** @returns the frame, not sent. */
    async seal(plaintext: ServerPlaintext, generation = 0): Promise<Uint8Array> {
      const bytes = encodePlaintext(plaintext);
      const frame = await createRecordWriter().seal(recordTypes.handshakeDown, got(keys).server, bytes, generation);
      serverCount += 1;
      serverChain = await advanceChain(serverChain, bytes);
      return frame;
    },
    challenge: (fields: Partial<Extract<ServerPlaintext, { t: "challenge" }>> = {}) =>
      peer.seal({
        n: serverCount + 1,
        t: "challenge",
        cid: `cid-${serverCount}`,
        options: [{ at: "1", gate: "otp", prompt: { digits: 6 } }],
        attemptsLeft: 3,
        answerMs: 30_000,
        retry: false,
        ...fields,
      }),
    async ask(fields: Partial<Extract<ServerPlaintext, { t: "challenge" }>> = {}): Promise<ClientPlaintext> {
      socket.send(await peer.challenge(fields));
      return peer.readPlaintext();
    },
    async readPlaintext(): Promise<ClientPlaintext> {
      const frame = await peer.next();
      if (typeof frame === "string") throw new Error("not binary");
      const bytes = await openRecord({ secret: got(keys).client, record: frame });
      clientCount += 1;
      clientChain = await advanceChain(clientChain, bytes);
      return parseClientPlaintext(bytes);
    },
    /** F, as it stands now. */
    async finish(): Promise<string> {
      const { th } = got(handshake);
      return base64url.encode(await finish({ th, clientCount, clientChain, serverCount, serverChain }));
    },
    async accepted(fields: Partial<Accepted> = {}): Promise<Uint8Array> {
      const { th, prk } = got(handshake);
      const F = await finish({ th, clientCount, clientChain, serverCount, serverChain });
      application = await applicationSecrets(prk, F);
      return peer.seal({
        n: serverCount + 1,
        t: "accepted",
        nC: clientCount,
        F: base64url.encode(F),
        sid: "sid-bob",
        member: "bob",
        assurance: { key: true, memberBound: true, gates: ["otp"] },
        gates: ["key", "otp"],
        policyHash: base64url.encode(new Uint8Array(32)),
        sealed: false,
        expiresAt,
        limits: { maxBytes: 1_000, perSecond: 1_000 },
        ...fields,
      });
    },
    async accept(fields: Partial<Accepted> = {}): Promise<void> {
      socket.send(await peer.accepted(fields));
    },
    async deny(code: CloseCodeName, retryAfterMs?: number): Promise<void> {
      const hint = retryAfterMs === undefined ? {} : { retryAfterMs };
      socket.send(await peer.seal({ n: serverCount + 1, t: "denied", code, ...hint }));
      peer.close("denied");
    },
    bareDenied(retryAfterMs?: number): void {
      socket.send(encodeDenied({ code: "denied", ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }));
    },
    async lastWord(plaintext: ServerPlaintext, generation = 0): Promise<void> {
      const bytes = encodePlaintext(plaintext);
      const secret = got(application).server;
      socket.send(await createRecordWriter().seal(recordTypes.applicationDown, secret, bytes, generation));
    },
    message(sid: string, sequence: number, body: string): void {
      const head = { sid, msgid: `${sid}-${sequence}`, member: sid };
      socket.send(encodeMessageDown({ sequence, head, body: bytesOf(body) }));
    },
    async readMessage(): Promise<MessageUp> {
      const frame = await peer.next();
      if (typeof frame === "string") throw new Error("not binary");
      return parseMessageUp(frame);
    },
    /** Under seal, of a session. */
    async readApplication(): Promise<ApplicationUp> {
      const frame = await peer.next();
      if (typeof frame === "string") throw new Error("not binary");
      return parseApplicationUp(await openRecord({ secret: got(application).client, record: frame }));
    },
    async tell(plaintext: Uint8Array): Promise<void> {
      socket.send(await createRecordWriter().seal(recordTypes.applicationDown, got(application).server, plaintext));
    },
    /** By which the handshake goes on. */
    park: () => parkedPsk(got(handshake).prk),
    /** By which the session goes on. */
    get resume(): Uint8Array {
      return got(application).resume;
    },
    /** Of the session, both directions. */
    get keys(): Readonly<Record<"client" | "server", Uint8Array>> {
      return got(application);
    },
    close(name: CloseCodeName): void {
      socket.close(closeCodes[name].code, name);
    },
    /** Through hello, open and one code to the verdict. */
    async letIn(fields: Partial<Accepted> = {}): Promise<void> {
      await peer.hello();
      await peer.readOpen();
      await peer.accept(fields);
    },
  };
  return peer;
}
