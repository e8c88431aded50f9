import type { Step } from "@portcullis/contracts";
import type { CloseCodeName } from "@portcullis/protocol";

/** The connection, as the phases of its life see it. Everything that ends it is idempotent: the first end counts. */
export interface Line {
  /** The frames of a step, in order. */
  send(step: Pick<Step, "frames">): void;
  /** Closes with the code that somebody else decided. */
  close(closeCode: number): void;
  terminate(name: CloseCodeName): void;
  /** The same, where the peer broke a rule; counted. */
  refuse(name: CloseCodeName): void;
  isClosed(): boolean;
}
