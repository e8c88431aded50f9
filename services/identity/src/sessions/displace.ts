import type { Caller } from "@portcullis/bus";
import { displaceConnection } from "@portcullis/contracts";
import { parseHandshakeId } from "@portcullis/protocol";
import type { Logger } from "@portcullis/runtime";

/** Closes the connection that a session has left, or that holds one which gave way; where that is lost, the edge finds it at its next check. */
export function displace(
  { caller, log }: { readonly caller: Pick<Caller, "emit">; readonly log: Pick<Logger, "warn"> },
  hid: string,
): void {
  try {
    caller.emit(displaceConnection, { hid }, parseHandshakeId(hid).edgeId);
  } catch {
    log.warn("the connection that a session has left could not be closed", {});
  }
}
