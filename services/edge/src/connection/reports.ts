import type { Caller } from "@portcullis/bus";
import { type Admitted, handshakeLeft, sessionEnded } from "@portcullis/contracts";
import { closeCodes } from "@portcullis/protocol";
import type { Logger } from "@portcullis/runtime";

/** What `identity` is told of the end of a connection. Neither statement is needed for safety: both expire by themselves. */
export interface Reports {
  /** It ended before a verdict. @param closeCode null: the client went */
  left(closeCode: number | null): void;
  ended(admitted: Pick<Admitted, "sid" | "socketId">): void;
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
    ended: ({ sid, socketId }) => report(() => caller.emit(sessionEnded, { sid, socketId })),
  };
}

function whyOf(closeCode: number | null): "closed" | "deadline" | "malformed" | "limits" {
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
    default:
      return "closed";
  }
}
