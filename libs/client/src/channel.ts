import {
  type ApplicationSecrets,
  advanceChain,
  applicationSecrets,
  chainStart,
  finish,
  type HandshakeSecrets,
  handshakeKeys,
  openRecord,
  parkedPsk,
  sealRecord,
} from "@portcullis/crypto";
import {
  type Accepted,
  type Answer,
  base64url,
  type Cancel,
  encodePlaintext,
  equalBytes,
  type Offer,
  ProtocolError,
  parseRecord,
  parseServerPlaintext,
  type Resend,
  recordTypes,
  type ServerPlaintext,
  type Start,
} from "@portcullis/protocol";
import { onDemand } from "./on-demand.ts";

type Numberless<Plaintext> = Plaintext extends unknown ? Omit<Plaintext, "n"> : never;

/** What a session has over one connection; `resume` is what it goes on with over another. */
export interface ApplicationKeys extends Omit<ApplicationSecrets, "words"> {
  /** Six words that only the two sides of this connection know. */
  readonly words: string;
}

/** Of a session that is not taken. */
export function eraseKeys({ client, server, resume }: ApplicationKeys): void {
  for (const key of [client, server, resume]) key.fill(0);
}

/** The sealed half of a handshake, as the client keeps it. One call at a time. */
export interface Channel {
  /** @returns the frame to send. */
  say(plaintext: Numberless<Answer | Offer | Start | Resend | Cancel>): Promise<Uint8Array>;
  /**
   * @returns null for a record that came before, byte for byte: it says nothing new.
   * @throws {ProtocolError | CryptoError} on everything that the server would not have sent now
   */
  hear(frame: Uint8Array): Promise<ServerPlaintext | null>;
  /** True for a record that was heard. */
  had(frame: Uint8Array): boolean;
  /** Transcript hash, which answers may be bound to. */
  readonly th: Uint8Array;
  /** Whether the server has said anything: then there is a handshake to come back to. */
  readonly begun: boolean;
  /** The secret by which this handshake goes on over another connection. */
  park(): Promise<Uint8Array>;
  /**
   * Compares F and derives what comes after it.
   *
   * @returns the secrets of the session, and the words that both sides can show.
   * @throws {ProtocolError} `out-of-order`: the two sides do not mean the same conversation.
   */
  finish(accepted: Accepted): Promise<ApplicationKeys>;
  /** Nothing can be said or heard any more. */
  erase(): void;
}

// A server says one thing per answer, and takes 64 frames at most.
const heardMax = 128;

export async function createChannel({ th, prk }: HandshakeSecrets): Promise<Channel> {
  const secrets = await handshakeKeys(prk);
  const heard: Uint8Array[] = [];
  /** At [n] the chain after the client's plaintext n: the server may not have read the last ones. */
  const clientChains: Uint8Array[] = [chainStart()];
  let serverCount = 0;
  /** Before the last plaintext, which `accepted` needs, and after it. */
  let serverChains = { before: chainStart(), after: chainStart() };

  const had = (frame: Uint8Array) => heard.some((earlier) => equalBytes(earlier, frame));
  const erase = () => {
    for (const secret of [prk, secrets.client, secrets.server]) secret.fill(0);
  };

  return {
    had,
    erase,
    th,
    get begun() {
      return heard.length > 0;
    },
    park: () => parkedPsk(prk),
    async say(plaintext) {
      const counter = clientChains.length - 1;
      const bytes = encodePlaintext({ ...plaintext, n: counter + 1 });
      const header = { type: recordTypes.handshakeUp, generation: 0, counter };
      const frame = await sealRecord({ ...header, secret: secrets.client, plaintext: bytes });
      clientChains.push(await advanceChain(clientChains[counter] ?? chainStart(), bytes));
      return frame;
    },
    async hear(frame) {
      const record = parseRecord(frame);
      if (record.type !== recordTypes.handshakeDown) throw new ProtocolError("out-of-order", "record.type");
      if (had(frame)) return null;
      if (record.generation !== 0) throw new ProtocolError("out-of-order", "record.generation");
      if (heard.length >= heardMax) throw new ProtocolError("out-of-order", "record");
      const bytes = await openRecord({ secret: secrets.server, record });
      const plaintext = parseServerPlaintext(bytes);
      // Counters of a writer have gaps, and writers change between steps: the order is n's business alone.
      if (plaintext.n !== serverCount + 1) throw new ProtocolError("out-of-order", "n");
      if (plaintext.t === "revoked") throw new ProtocolError("out-of-order", "t");
      heard.push(frame);
      serverCount += 1;
      serverChains = { before: serverChains.after, after: await advanceChain(serverChains.after, bytes) };
      return plaintext;
    },
    async finish(accepted) {
      const clientChain = clientChains[accepted.nC];
      if (clientChain === undefined) throw new ProtocolError("out-of-order", "accepted.nC");
      const expected = await finish({
        th,
        clientCount: accepted.nC,
        clientChain,
        serverCount: serverCount - 1,
        serverChain: serverChains.before,
      });
      if (!equalBytes(expected, base64url.decode(accepted.F))) throw new ProtocolError("out-of-order", "accepted.F");
      const { wordsOf } = await onDemand(() => import("@portcullis/crypto/words"));
      const { words: secret, ...keys } = await applicationSecrets(prk, expected);
      const words = wordsOf(secret);
      secret.fill(0);
      erase();
      return { ...keys, words };
    },
  };
}
