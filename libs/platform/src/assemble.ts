import { type Bus, type Claim, createCaller, createServer, type RoundTrip, type ServiceSeal } from "@portcullis/bus";
import type { ServiceName } from "@portcullis/contracts";
import type { Documents } from "@portcullis/documents";
import type { Jobs } from "@portcullis/jobs";
import {
  type Clock,
  type Closer,
  createIds,
  type Health,
  type Logger,
  type Random,
  type Vault,
} from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import type { Platform } from "./platform.ts";

/** What a service may use beside the bus. What it does not name it does not get, in the embedded form either. */
export interface Needs {
  readonly documents?: boolean;
  readonly state?: boolean;
  readonly jobs?: boolean;
  readonly vault?: boolean;
}

export interface Parts {
  readonly service: ServiceName;
  readonly instance: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly health: Health;
  readonly closer: Closer;
  readonly bus: Bus;
  readonly seal: ServiceSeal;
  readonly documents: Documents | null;
  readonly state: State | null;
  readonly jobs: Jobs | null;
  readonly vault: Vault | null;
  readonly onRoundTrip?: (contractName: string, roundTrip: RoundTrip) => void;
}

/** A service's memory of what any of its replicas carried out. */
export function claimIn(state: State | null, service: ServiceName): Claim {
  return async (id, forMs) => {
    if (state === null) throw new TypeError(`${service} has no state to remember in what it was asked`);
    return (await state.create(`bus.${service}.${id}`, new Uint8Array(), forMs)) !== null;
  };
}

export function assemble(parts: Parts): Platform {
  const { service, instance, clock, random, log, health, closer, bus, seal, onRoundTrip } = parts;
  const ids = createIds(random);
  const server = createServer({ bus, self: service, seal, claim: claimIn(parts.state, service), log });
  closer.add("bus handlers", () => server.close());
  const need = <T>(what: string, part: T | null): T => {
    if (part === null) throw new TypeError(`${service} did not ask for ${what}`);
    return part;
  };
  return {
    service,
    instance,
    clock,
    ids,
    random,
    log,
    health,
    closer,
    caller: createCaller({
      bus,
      self: service,
      seal,
      clock,
      ids: () => ids.id(),
      ...(onRoundTrip === undefined ? {} : { onRoundTrip }),
    }),
    server,
    get documents() {
      return need("documents", parts.documents);
    },
    get state() {
      return need("state", parts.state);
    },
    get jobs() {
      return need("jobs", parts.jobs);
    },
    get vault() {
      return need("a vault", parts.vault);
    },
  };
}
