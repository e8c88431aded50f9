import {
  type CloseCodeName,
  closeCodeOf,
  closeCodes,
  type Goodbye,
  type Revocation,
  type Revoked,
} from "@portcullis/protocol";
import { errorOfClose } from "./errors.ts";

/** How a session ended. */
export interface Closing {
  readonly code: number;
  /** Of the close code; "unknown" for one that is not in the protocol's table. */
  readonly name: CloseCodeName | "unknown";
  /** Whether coming back makes sense. */
  readonly retry: boolean;
  /** Milliseconds that the server asks to wait first; null where it asked for nothing. */
  readonly retryAfterMs: number | null;
  /**
   * `revoked` and `goodbye` are the server's sealed word. `lost`: the connection closed, with whatever code; anybody between can
   * do that, so it says nothing about the session's rights. `local`: closed or aborted here. `overflow`: messages were not
   * read. `protocol`: what came was not the protocol.
   */
  readonly reason: "revoked" | "goodbye" | "lost" | "local" | "overflow" | "protocol";
  /** Why it was revoked, `expired` where its time had come, `policy-changed` where it can come back by another policy; null unless the server said so under seal. */
  readonly what: Revocation | null;
  /** True exactly for `revoked` and `goodbye`. */
  readonly sealed: boolean;
}

export function closingOfName(
  name: CloseCodeName,
  reason: Closing["reason"],
  rest: Partial<Pick<Closing, "retryAfterMs" | "what" | "sealed">> = {},
): Closing {
  const { code, retry } = closeCodes[name];
  return { code, name, retry, reason, retryAfterMs: null, what: null, sealed: false, ...rest };
}

export function closingOfSealed(plaintext: Revoked | Goodbye): Closing {
  if (plaintext.t === "goodbye") {
    const { code, retryAfterMs = null } = plaintext;
    return closingOfName(code, "goodbye", { retryAfterMs, sealed: true });
  }
  const { what } = plaintext;
  return closingOfName(
    what === "expired" || what === "policy-changed" || what === "step-up" ? "session-expired" : "revoked",
    "revoked",
    {
      what,
      sealed: true,
    },
  );
}

/** Of a raw close. Codes that are not in the table are judged by their range. */
export function closingOfCode(code: number): Closing {
  const known = closeCodeOf(code);
  if (known !== undefined) return closingOfName(known.name as CloseCodeName, "lost");
  const { retryable: retry } = errorOfClose(code, null, true);
  return { code, name: "unknown", retry, retryAfterMs: null, reason: "lost", what: null, sealed: false };
}
