import { type CloseCodeName, closeCodes } from "@portcullis/protocol";
import { WebSocket } from "ws";

/** What `ws` closes with by itself when a frame breaks RFC 6455, and what that is in our table. */
const byStandardCode: ReadonlyMap<number, CloseCodeName> = new Map([
  [1002, "malformed"],
  [1007, "malformed"],
  [1008, "too-large"],
  [1009, "too-large"],
]);

/** So that a peer reads one table of close codes, whichever layer noticed. */
export class EdgeSocket extends WebSocket {
  /** Set where `ws` itself refused what came. */
  refused: CloseCodeName | null = null;

  override close(code?: number, reason?: string | Buffer): void {
    // An echo of the peer's own close carries a reason, if an empty one.
    const name = reason === undefined && code !== undefined ? byStandardCode.get(code) : undefined;
    if (name === undefined) super.close(code, reason);
    else {
      this.refused = name;
      super.close(closeCodes[name].code, closeCodes[name].name);
    }
  }
}
