import type { Closing } from "../closing.ts";
import type { PortcullisError } from "../errors.ts";
import type { SessionState } from "../options.ts";
import type { Session } from "../session.ts";
import type { Waiting } from "../waiting.ts";

/** Where the person stands: at the gates (`connecting` to `cancelled`), and what happens to their session. No key, code or text of the server's. */
export type GateState =
  | { readonly is: "connecting" }
  | { readonly is: "choosing" }
  | { readonly is: "asking"; readonly gate: string }
  | { readonly is: "waiting"; readonly gate: string; readonly by: Waiting["by"]; readonly status: Waiting["status"] }
  | { readonly is: "accepted" }
  | { readonly is: "denied" }
  | { readonly is: "cancelled" }
  | { readonly is: "closed"; readonly closing: Closing }
  | SessionState;

/** Details of the events. None of them bubbles: what is in them is for who listens at the element. */
export interface GateEvents {
  /** They are in. The session is the page's from now on. */
  readonly accepted: { readonly session: Session };
  /** Not let in, for whatever reason but that the person left. */
  readonly denied: { readonly error: PortcullisError };
  /** The person left; `not-recognised` where they did because of the server. */
  readonly cancelled: { readonly error: PortcullisError };
  readonly state: GateState;
}
