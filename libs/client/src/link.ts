import { openRecord, sealRecord } from "@portcullis/crypto";
import {
  type Accepted,
  type ApplicationDown,
  type ControlUp,
  closeCodes,
  encodeControl,
  encodeMessageUp,
  type GroupDown,
  type GroupGrant,
  limits,
  type MessageUpHead,
  ProtocolError,
  parseApplicationDown,
  parseGroupDown,
  parseGroupRecord,
  parseMessageDown,
  parseRecord,
  recordTypes,
} from "@portcullis/protocol";
import type { ApplicationKeys } from "./channel.ts";
import { createGroupKeys, unknownEpoch } from "./group-keys.ts";
import type { Wire } from "./wire.ts";

export type Heard = ApplicationDown | GroupDown;

/** What can be sent and read over one connection of a session. */
export interface Link {
  readonly wire: Wire;
  /** Without the key of the group: as a text it cannot be erased. */
  readonly accepted: Omit<Accepted, "group">;
  readonly bufferedBytes: number;
  /** Six words, the same on the other side of this connection and nowhere else. */
  readonly words: string;
  /** Transcript hash of what is asked over this connection while the session lives. */
  readonly stepUp: Uint8Array;
  send(counter: number, body: Uint8Array, head: MessageUpHead): Promise<void>;
  ask(control: ControlUp): Promise<void>;
  /** True for a frame that can be read without waiting. */
  isPlain(frame: Uint8Array): boolean;
  readPlain(frame: Uint8Array): Heard;
  /** @throws {ProtocolError | CryptoError} */
  read(frame: Uint8Array): Promise<Heard | typeof unknownEpoch | null>;
  /** Of another epoch. */
  learn(grant: GroupGrant): void;
  erase(): void;
}

export function createLink(parts: {
  readonly wire: Wire;
  readonly accepted: Accepted;
  readonly keys: ApplicationKeys;
  /** True for a record of the handshake: repeated, it means nothing. */
  readonly had: (frame: Uint8Array) => boolean;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** Records under one key. Default, and most: 2^23. */
  readonly recordsMax?: number;
}): Link {
  const { wire, keys, had, clock, recordsMax = limits.recordsPerKey } = parts;
  const { group, ...accepted } = parts.accepted;
  const { sealed } = accepted;
  const groupKeys = createGroupKeys(clock);
  let counter = 0;
  let isErased = false;
  let sending: Promise<void> = Promise.resolve();

  if (group !== undefined) groupKeys.learn(group);

  /** One after the other: what is sealed first is sent first. */
  function seal(plaintext: Uint8Array): Promise<void> {
    sending = sending.then(async () => {
      // What is left over goes with the next connection, which has keys of its own; these may be zeros by now, which everybody has.
      if (isErased || counter >= recordsMax) return;
      const header = { type: recordTypes.applicationUp, generation: 0, counter };
      counter += 1;
      const record = await sealRecord({ ...header, secret: keys.client, plaintext });
      if (isErased) return;
      wire.send(record);
      if (counter === recordsMax) wire.close(closeCodes.unavailable.code, closeCodes.unavailable.name);
    });
    return sending;
  }

  async function readGroup(frame: Uint8Array): Promise<Heard | typeof unknownEpoch | null> {
    const plaintext = await groupKeys.open(parseGroupRecord(frame));
    return plaintext === null || plaintext === unknownEpoch ? plaintext : parseGroupDown(plaintext);
  }

  return {
    wire,
    accepted,
    words: keys.words,
    get bufferedBytes() {
      return wire.bufferedBytes;
    },
    stepUp: keys.stepUp,
    async send(messageCounter, body, head) {
      const message = encodeMessageUp({ counter: messageCounter, head, body });
      if (sealed) await seal(message);
      else wire.send(message);
    },
    ask: (control) => seal(encodeControl(control)),
    isPlain: (frame) => frame[0] === recordTypes.messageDown,
    readPlain(frame) {
      // What can be read by everybody on the way is not what was agreed.
      if (sealed) throw new ProtocolError("out-of-order", "record.type");
      return { t: "message", ...parseMessageDown(frame) };
    },
    async read(frame) {
      if (frame[0] === recordTypes.group && sealed) return readGroup(frame);
      if (frame[0] === recordTypes.applicationDown) {
        const record = parseRecord(frame);
        if (record.generation !== 0) throw new ProtocolError("out-of-order", "record.generation");
        return parseApplicationDown(await openRecord({ secret: keys.server, record }));
      }
      if (had(frame)) return null;
      throw new ProtocolError("out-of-order", "record.type");
    },
    learn: groupKeys.learn,
    erase() {
      isErased = true;
      for (const secret of [keys.client, keys.server]) secret.fill(0);
      groupKeys.erase();
    },
  };
}
