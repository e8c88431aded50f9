import type { Caller } from "@portcullis/bus";
import { type Admitted, handshakeLeft, sessionEnded, sessionPresence } from "@portcullis/contracts";
import { closeCodes } from "@portcullis/protocol";
import type { Logger } from "@portcullis/runtime";
import type { z } from "zod";

/** RFC 6455 section 7.1.5: a close frame without a code. */
const noReasonCode = 1005;

/** What `identity` is told of the end of a connection. Neither statement is needed for safety: both expire by themselves. */
export interface Reports {
  /** It ended before a verdict. @param closeCode ours or the peer's */
  left(closeCode: number): void;
  /** @param closeCode likewise */
  ended(admitted: Pick<Admitted, "sid" | "socketId">, closeCode: number): void;
}

export function createReports(options: {
  readonly caller: Pick<Caller, "emit">;
  readonly log: Pick<Logger, "warn">;
  readonly hid: string;
  readonly pathTag: string;
}): Reports {
  const { caller, log, hid, pathTag } = options;
  const report = (emit: () => void) => {
    try {
      emit();
    } catch {
      log.warn("the end of a connection could not be reported", { path: pathTag });
    }
  };
  return {
    left: (closeCode) => report(() => caller.emit(handshakeLeft, { hid, why: whyOf(closeCode) })),
    ended: ({ sid, socketId }, closeCode) =>
      report(() => {
        caller.emit(sessionEnded, { sid, socketId, hid, why: isLost(closeCode) ? "lost" : "left" });
        caller.emit(sessionPresence, { sid, socketId, hid, is: "gone" });
      }),
  };
}

/**
 * Whether the client may come back to its session. Who closes, and who breaks a rule, gives it up. Who was replaced does not: of two
 * connections that were let in at once it may have been the one that counts.
 */
function isLost(closeCode: number): boolean {
  const isFarewell =
    closeCode === noReasonCode || closeCode === closeCodes.closed.code || closeCode === closeCodes["going-away"].code;
  return !isFarewell && (closeCode < 4500 || closeCode === closeCodes.replaced.code);
}

function whyOf(closeCode: number): z.infer<typeof handshakeLeft.event>["why"] {
  switch (closeCode) {
    case closeCodes.deadline.code:
      return "deadline";
    case closeCodes.malformed.code:
    case closeCodes["out-of-order"].code:
    case closeCodes.unsupported.code:
      return "malformed";
    case closeCodes["too-large"].code:
    case closeCodes.rate.code:
      return "limits";
    case noReasonCode:
    case closeCodes.closed.code:
    case closeCodes["going-away"].code:
      return "closed";
    default:
      // A broken connection, a restart, a part that is missing: the client may come back to where it was.
      return "lost";
  }
}
