import type { Caller, Server } from "@portcullis/bus";
import type { ServiceName } from "@portcullis/contracts";
import type { Documents } from "@portcullis/documents";
import type { Jobs } from "@portcullis/jobs";
import type { Clock, Closer, Health, Ids, Logger, Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";

/**
 * What a service stands on: everything outside it, already chosen, connected and watched by `/readyz`. A service's `run`
 * takes this and its own configuration, so it is the same code embedded and distributed, and a test can hand it fakes.
 */
export interface Platform {
  readonly service: ServiceName;
  /** Names this process life among the replicas, `[A-Za-z0-9_-]{1,32}`. */
  readonly instance: string;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Cryptographically secure. */
  readonly random: (length: number) => Uint8Array;
  readonly log: Logger;
  readonly health: Health;
  /** What the service opened is closed in reverse order. */
  readonly closer: Closer;
  /** Typed, sealed, traced calls to other services. */
  readonly caller: Caller;
  readonly server: Server;
  /** @throws {TypeError} in a service that did not ask for it: an edge has no database. */
  readonly documents: Documents;
  readonly state: State;
  readonly jobs: Jobs;
  /** Envelope encryption under this service's own master key. */
  readonly vault: Vault;
}
