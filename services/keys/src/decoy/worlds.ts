import type { Caller } from "@portcullis/bus";
import { deliverToSession, placedMessage, socketMessage } from "@portcullis/contracts";
import type { Rooms } from "@portcullis/state";

export type WorldCaller = Pick<Caller, "call" | "emit">;

/** What goes to everybody on a socket, or in a room. */
const toPlaces: readonly unknown[] = [placedMessage, socketMessage];

/**
 * For the parts of the real world: they speak to sockets, and never into a room. No session of theirs is in one; should anything ever lead them to
 * the name of one, nothing real is said there.
 */
export function callerOfSockets(caller: Caller, rooms: Pick<Rooms, "is">): WorldCaller {
  return {
    call: (contract, body, options) => caller.call(contract, body, options),
    emit(contract, body, route) {
      if (toPlaces.includes(contract) && (route === undefined || rooms.is(route)))
        throw new TypeError("a message of a socket was to go into a room");
      caller.emit(contract, body, route);
    },
  };
}

/**
 * For those of the decoys' world: they speak into rooms, and hand something to sessions that they have found in their own store. Of everything else that
 * `keys` may say they can say nothing: there is nothing to ask `identity` for, and no socket to speak to.
 */
export function callerOfRooms(caller: Caller, rooms: Pick<Rooms, "is">): WorldCaller {
  const handsOver: unknown = deliverToSession;
  return {
    async call(contract, body, options) {
      if (contract !== handsOver) throw new TypeError(`a decoy says nothing by ${contract.name}`);
      return caller.call(contract, body, options);
    },
    emit(contract, body, route) {
      if (!toPlaces.includes(contract) || route === undefined || !rooms.is(route))
        throw new TypeError("a message of a room was to go somewhere else");
      caller.emit(contract, body, route);
    },
  };
}
