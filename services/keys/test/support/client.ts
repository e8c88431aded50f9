import { randomBytes } from "node:crypto";
import type { handshakeOpen, Step } from "@portcullis/contracts";
import {
  advanceChain,
  appKeyPsk,
  applicationSecrets,
  chainStart,
  chooseSuite,
  finish,
  handshakeKeys,
  openRecord,
  parkedPsk,
  parkedPskId,
  parseAppKey,
  resumePskId,
  sealOpen,
  sealRecord,
  verifyBundle,
} from "@portcullis/crypto";
import {
  base64url,
  type ClientPlaintext,
  encodePlaintext,
  type OpenPayload,
  parseServerPlaintext,
  recordTypes,
  type SuiteId,
  suiteIds,
} from "@portcullis/protocol";
import type { z } from "zod";

export type OpenRequest = z.infer<(typeof handshakeOpen)["request"]>;

export interface GivenBundle {
  readonly bundle: Uint8Array;
  readonly signature: Uint8Array;
  readonly kid: string;
}

export interface ClientOptions {
  /** `pc1.…`; null: Base mode. */
  readonly appKey: string | null;
  readonly suite?: SuiteId;
  readonly hid?: string;
  /** Where the edge says that the connection is. */
  readonly at?: Partial<{ label: string; path: string; query: string }>;
  /** What is different in the box. */
  readonly payload?: Partial<OpenPayload>;
  /** In the place of the key's own secret. */
  readonly psk?: Uint8Array;
  /** Goes on with a handshake instead. */
  readonly parked?: { readonly hid: string; readonly secret: Uint8Array };
  /** Goes on with a session instead. */
  readonly resumed?: { readonly sid: string; readonly secret: Uint8Array };
  readonly nowMs: number;
}

export function freshHid(): string {
  return `edge-1.${randomBytes(16).toString("base64url")}`;
}

/** A client that has sealed its box, with all that it knows. */
export async function clientOf(given: GivenBundle, options: ClientOptions) {
  const { appKey, suite: wanted, at, payload, nowMs } = options;
  const connection = { label: "one", path: "a-path", query: "id=bob", address: "192.0.2.1", origin: null, ...at };
  const hello = {
    bundle: given.bundle,
    sig: given.signature,
    hid: options.hid ?? freshHid(),
    nonce: new Uint8Array(randomBytes(32)),
  };
  const key = appKey === null ? null : parseAppKey(appKey);
  const { bundle } = await verifyBundle({ hello, pinnedFingerprint: key?.fingerprint ?? null, nowMs });
  const { suite, publicKey } = await chooseSuite(bundle.suites, wanted === undefined ? suiteIds : [wanted]);
  const { parked, resumed } = options;
  const ownPsk = key === null ? null : { id: `k:${key.keyId}`, secret: options.psk ?? (await appKeyPsk(key.secret)) };
  const goesOn = resumed === undefined ? null : { id: resumePskId(resumed.sid), secret: resumed.secret.slice() };
  const psk = parked === undefined ? (goesOn ?? ownPsk) : { id: parkedPskId(parked.hid), secret: parked.secret };
  const { label, path, query } = connection;
  const dst = { label, path, query, id: new URLSearchParams(query).get("id") };
  const sealed = await sealOpen({ hello, suite, publicKey, psk, payload: { dst, ...payload } });
  const secrets = await handshakeKeys(sealed.handshake.prk);
  const open: OpenRequest = {
    kid: given.kid,
    hid: hello.hid,
    nonce: hello.nonce,
    open: new Uint8Array(Buffer.from(sealed.frame)),
    connection,
  };
  let client = { count: 0, chain: chainStart() };
  let server = { count: 0, chain: chainStart() };

  /** A record of one's own making; `say` is the honest way. */
  async function seal(plaintext: ClientPlaintext, counter: number, secret = secrets.client) {
    const header = { type: recordTypes.handshakeUp, generation: 0, counter } as const;
    return sealRecord({ ...header, secret, plaintext: encodePlaintext(plaintext) });
  }
  async function opened(frame: Step["frames"][number] | undefined) {
    if (frame?.kind !== "binary") throw new Error(`no record: ${frame === undefined ? "nothing" : frame.data}`);
    const bytes = await openRecord({ secret: secrets.server, record: frame.data });
    return { bytes, plaintext: parseServerPlaintext(bytes) };
  }
  return {
    hid: hello.hid,
    open,
    psk: psk?.secret ?? null,
    /** Transcript hash. */
    th: sealed.handshake.th,
    prk: sealed.handshake.prk,
    secrets,
    seal,
    /** By what it may come back. */
    park: async () => ({ hid: hello.hid, secret: await parkedPsk(sealed.handshake.prk) }),
    async say(
      plaintext:
        | { t: "answer"; cid: string; gate: string; value: string }
        | { t: "start"; cid: string; gate: string }
        | { t: "resend"; cid: string }
        | { t: "cancel" },
    ) {
      const whole = { ...plaintext, n: client.count + 1 };
      const record = await seal(whole, client.count);
      client = { count: client.count + 1, chain: await advanceChain(client.chain, encodePlaintext(whole)) };
      return record;
    },
    async hear(step: Pick<Step, "frames">) {
      const { bytes, plaintext } = await opened(step.frames[0]);
      if (plaintext.t !== "accepted")
        server = { count: server.count + 1, chain: await advanceChain(server.chain, bytes) };
      return plaintext;
    },
    /** Finish value and application secrets, as the client works them out itself. */
    async finish() {
      const F = await finish({
        th: sealed.handshake.th,
        clientCount: client.count,
        clientChain: client.chain,
        serverCount: server.count,
        serverChain: server.chain,
      });
      return { F: base64url.encode(F), secrets: await applicationSecrets(sealed.handshake.prk, F) };
    },
  };
}

export type Client = Awaited<ReturnType<typeof clientOf>>;
