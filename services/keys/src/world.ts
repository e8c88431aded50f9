import type { RecordWriter } from "@portcullis/crypto";
import type { Clock, Ids, Logger, Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import type { WorldCaller } from "./decoy/worlds.ts";
import type { Directory } from "./directory/directory.ts";
import { createGroups } from "./groups/groups.ts";
import type { MessageContext } from "./messages/context.ts";
import { createDeliveries } from "./messages/deliveries.ts";
import { createDeliveryMeter } from "./messages/delivery-meter.ts";
import type { takeDirected } from "./messages/directed.ts";
import { createHistory } from "./messages/history.ts";
import { createOrder } from "./messages/order.ts";
import { createParkedMessages } from "./messages/parked.ts";
import { createPool } from "./messages/pool.ts";
import { createReceivers } from "./messages/receivers.ts";
import { createLiveSessions } from "./sessions/live-sessions.ts";
import { createSessionSecrets, type SessionSecrets } from "./sessions/session-secrets.ts";
import { createWordsOf } from "./sessions/words.ts";

/** All that holds sessions and what is said in them. There are two: that of the sockets, and that of the decoys. */
export interface World extends Omit<MessageContext, "ticks"> {
  readonly secrets: SessionSecrets;
}

/** @param parts.state of this world, and `caller`: nothing here reaches beyond these two, but to read what the directory says to everybody. */
export function createWorld(parts: {
  readonly state: State;
  readonly caller: WorldCaller;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: (length: number) => Uint8Array;
  readonly writer: RecordWriter;
  readonly log: Logger;
  readonly isKeyLive: (keyId: string | null) => Promise<boolean>;
  readonly direct: typeof takeDirected;
  readonly taken: MessageContext["taken"];
  readonly directory: Directory;
}): World {
  const { state, caller, vault, clock, ids, random, writer, log, isKeyLive, direct, taken, directory } = parts;
  const secrets = createSessionSecrets(state, vault, clock);
  const live = createLiveSessions(state, secrets, clock);
  const receivers = createReceivers({ live, writer, caller });
  return {
    secrets,
    live,
    groups: createGroups({ state, vault, clock, random }),
    order: createOrder(state, vault.subkey("message-order")),
    history: createHistory(state, vault),
    parked: createParkedMessages(state, vault, clock),
    receivers,
    pool: createPool(state, receivers),
    deliveries: createDeliveries(state),
    meter: createDeliveryMeter(),
    nameKey: vault.subkey("message-names"),
    wordsOf: createWordsOf(live, log),
    writer,
    caller,
    clock,
    ids,
    isKeyLive,
    direct,
    taken,
    directory,
  };
}
