import { type MessageUp, ProtocolError } from "@portcullis/protocol";
import type { Directed, DirectedContext } from "../messages/directed.ts";
import type { Receiver } from "../messages/receivers.ts";

/** A message for a program of the owner's, in a room where there is none: taken in its order like any other, and said to have arrived. */
export async function takeNowhere(
  { order, live }: Pick<DirectedContext, "order" | "live">,
  { sid, session: { socketId } }: Receiver,
  { counter, body }: MessageUp,
  _to: string | null,
  ttlMs: number,
): Promise<Directed> {
  const taken = await order.place({ socketId, sid, counter, body, isForOne: true }, ttlMs, null);
  if (taken.is === "gap") throw new ProtocolError("out-of-order", "message.counter");
  return (await live.is(sid)) ? "delivered" : "over";
}
