import type { Caller } from "@portcullis/bus";
import type { Clock, Ids, Logger, Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import type { Alerts } from "../alerts/alerts.ts";
import type { Declines } from "../alerts/declines.ts";
import type { Audit } from "../audit/audit.ts";
import type { Decoys } from "../decoy/decoys.ts";
import type { Penalties } from "../penalties/penalties.ts";
import type { Announce } from "../people/announce.ts";
import type { EdgeWatch } from "../sessions/edges.ts";
import type { SessionRegistry } from "../sessions/registry.ts";
import type { Revocation } from "../sessions/revocation.ts";
import type { PathTag } from "../sockets/paths.ts";
import type { SocketStore } from "../sockets/store.ts";
import type { TicketStore } from "../tickets/store.ts";
import type { Guessing } from "./guessing.ts";
import type { NetworkRisk } from "./risk.ts";
import type { HandshakeStore } from "./store.ts";
import type { Verdicts } from "./verdicts.ts";

/** What the handshakes stand on. */
export interface EngineContext {
  readonly store: SocketStore;
  readonly handshakes: HandshakeStore;
  readonly sessions: SessionRegistry;
  readonly revocation: Revocation;
  readonly edges: EdgeWatch;
  readonly verdicts: Verdicts;
  readonly risk: NetworkRisk;
  readonly penalties: Penalties;
  readonly guessing: Guessing;
  readonly declines: Declines;
  readonly alerts: Alerts;
  readonly audit: Audit;
  readonly state: State;
  readonly decoys: Decoys;
  readonly caller: Caller;
  readonly pathTag: PathTag;
  readonly tickets: TicketStore;
  readonly vault: Pick<Vault, "unwrap">;
  /** For the HMAC of what came with a step; a plain hash of a six-digit code would be the code. */
  readonly stepKey: Uint8Array;
  /** For the HMAC of a client's network. */
  readonly networkKey: Uint8Array;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Of a wait that people of the socket are to be told of. */
  readonly announce: Announce;
  readonly log: Logger;
}
