import type { Caller } from "@portcullis/bus";
import { type Admitted, ServiceError, socketMessage } from "@portcullis/contracts";
import { type CloseCodeName, ProtocolError, parseMessageUp, recordTypes } from "@portcullis/protocol";
import type { Clock, Ids } from "@portcullis/runtime";
import type { EdgeTelemetry } from "../telemetry.ts";
import { createTokenBucket } from "../wire/token-bucket.ts";
import type { Relay } from "./relay.ts";

export interface UpstreamOptions {
  readonly admitted: Admitted;
  readonly caller: Pick<Caller, "emit">;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly telemetry: EdgeTelemetry;
  /** Where messages go through `keys`; null: straight to everybody. */
  readonly relay: Pick<Relay, "take"> | null;
}

// Pings and pongs cost a peer nothing and are not messages; keep-alives need far fewer.
const controlFramesPerSecond = 10;

// An offer that was on its way when the one before it was accepted is late, not wrong.
const lateOfferMs = 5_000;

export interface Upstream {
  /** @returns why the session must end, or null */
  message(data: Uint8Array, binary: boolean): CloseCodeName | null;
  /** A ping or pong of the peer's. */
  control(): CloseCodeName | null;
}

/** What an accepted client may send: messages, numbered without a gap, within the limits of its socket. */
export function createUpstream({ admitted, caller, clock, ids, telemetry, relay }: UpstreamOptions): Upstream {
  const { sid, socketId, memberProven, maxBytes, perSecond } = admitted;
  const rate = createTokenBucket(perSecond, clock);
  const controlRate = createTokenBucket(controlFramesPerSecond, clock);
  const lateOffersUntilMs = clock() + lateOfferMs;
  // A name that was merely claimed must not be read by others as who speaks.
  const member = memberProven ? admitted.member : null;
  let expected = admitted.next;

  const publish = (counter: number, body: Uint8Array): CloseCodeName | null => {
    try {
      caller.emit(socketMessage, { sid, member, seq: counter, msgid: ids.id(), body }, socketId);
    } catch (error) {
      // The bus is gone, and with it this message. A gap that only the sender could explain is worse than a new session.
      if (error instanceof ServiceError) return "unavailable";
      throw error;
    }
    expected += 1;
    telemetry.messageIn();
    return null;
  };
  const take = (data: Uint8Array): CloseCodeName | null => {
    // Whoever speaks with a head is answered by `keys`, which this goes past.
    if (data[0] === recordTypes.addressedUp) return "out-of-order";
    const { counter, body } = parseMessageUp(data);
    if (body.length > maxBytes) return "too-large";
    return counter === expected ? publish(counter, body) : "out-of-order";
  };

  return {
    message(data, binary) {
      if (!binary) return "out-of-order";
      // Before anything is read: a flood of nonsense is a flood.
      if (!rate.take()) return "rate";
      if (data[0] === recordTypes.handshakeUp && clock() < lateOffersUntilMs) return null;
      try {
        return relay === null ? take(data) : relay.take(data);
      } catch (error) {
        if (error instanceof ProtocolError) return error.code;
        throw error;
      }
    },
    control: () => (controlRate.take() ? null : "rate"),
  };
}
