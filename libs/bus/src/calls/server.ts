import { context, SpanKind } from "@opentelemetry/api";
import {
  type EventContract,
  type RequestContract,
  ServiceError,
  type ServiceName,
  services,
  subjectOf,
  subjectPatternOf,
} from "@portcullis/contracts";
import { busNameOf, endpointNameOf, recipientOf } from "../names.ts";
import type { Bus, Delivered, Message, ServiceRegistration, Subscription } from "../port.ts";
import { freshForMs, SealError, type ServiceSeal } from "../seal.ts";
import { startReceiving } from "./trace.ts";
import {
  decodeBody,
  encodeBody,
  encodeFailure,
  errorHeader,
  fromHeader,
  idHeader,
  idPattern,
  parseBody,
} from "./wire.ts";

export interface CallInfo {
  /** Authenticated by the seal. */
  readonly from: ServiceName;
  readonly requestId: string;
  /** Where the contract is routed. */
  readonly route: string | undefined;
}

export interface ServeOptions {
  /** Required where a request contract is routed; an event contract without one is heard for all routes. */
  readonly route?: string;
  /** Handled at once; more are answered `busy`, events dropped and reported. Default 512. */
  readonly inFlightMax?: number;
}

type Write = (message: string, fields?: Readonly<Record<string, string>>, error?: unknown) => void;

/** The part of a service's logger that is used here. */
export interface CallLog {
  readonly error: Write;
  readonly warn: Write;
}

export interface Server {
  /** @throws {TypeError} the contract belongs to another service @throws {BusUnavailableError} */
  serve<Request, Reply>(
    contract: RequestContract<Request, Reply>,
    handler: (body: Request, info: CallInfo) => Promise<Reply> | Reply,
    options?: ServeOptions,
  ): Promise<Subscription>;
  /**
   * The handler is called in the order of arrival and not awaited before the next.
   *
   * @throws {TypeError} this service is not the contract's subscriber @throws {BusUnavailableError}
   */
  on<Event>(
    contract: EventContract<Event>,
    handler: (body: Event, info: CallInfo) => Promise<void> | void,
    options?: ServeOptions,
  ): Promise<Subscription>;
  /** Takes no more and resolves when the handlers that run are done. */
  close(): Promise<void>;
}

/**
 * Remembers what was carried out, for all replicas of a service together: of any number of callers with one `id` within
 * `forMs` exactly one is answered true. Rejects while it cannot tell.
 */
export type Claim = (id: string, forMs: number) => Promise<boolean>;

export interface ServerOptions {
  readonly bus: Bus;
  readonly self: ServiceName;
  readonly seal: ServiceSeal;
  readonly claim: Claim;
  /** Takes what no handler should have thrown, after it was logged. */
  readonly onError?: (error: unknown, contractName: string) => void;
  readonly log: CallLog;
  /** SemVer, for operators' tools. Default `1.0.0`, the version in the subjects. */
  readonly version?: string;
}

const inFlightMaxDefault = 512;

/** A message of a clock that is 30 s ahead opens for a minute; the rest is for the engine's own clock. */
const claimedForMs = 3 * freshForMs;

interface Envelope extends CallInfo {
  readonly subject: string;
}

/** @throws {SealError} it does not say who sent it */
function envelopeOf(contract: { readonly name: string; readonly routed: boolean }, delivered: Delivered): Envelope {
  const from = services.find((name) => name === delivered.headers[fromHeader]);
  const requestId = delivered.headers[idHeader];
  if (from === undefined || requestId === undefined || !idPattern.test(requestId)) throw new SealError();
  const { subject } = delivered;
  const route = contract.routed ? subject.slice(subject.lastIndexOf(".") + 1) : undefined;
  return { from, requestId, route, subject };
}

/** The answering side of the contracts: schemas, seal, trace, errors and a cap on what runs at once, over a bus. */
export function createServer({ bus, self, seal, claim, onError, log, version = "1.0.0" }: ServerOptions): Server {
  let registration: Promise<ServiceRegistration> | undefined;
  const subscriptions = new Set<Subscription>();

  const report = (error: unknown, contractName: string) => {
    // Issues say where a body broke its contract; they hold no values.
    const at = error instanceof Error && error.cause instanceof ServiceError ? error.cause.issues : [];
    const issues = at.map(({ path, message }) => `${path}: ${message}`).join("; ");
    log.error("a bus handler failed", { contract: contractName, ...(issues === "" ? {} : { issues }) }, error);
    onError?.(error, contractName);
  };
  const publicError = (error: unknown, contractName: string): ServiceError => {
    if (error instanceof ServiceError && error.code !== "internal") return error;
    report(error, contractName);
    return error instanceof ServiceError ? error : new ServiceError("internal", { cause: error });
  };
  const refuse = (contractName: string, error: unknown): never => {
    const reason = error instanceof SealError ? error.message : "";
    log.warn("a message on the bus was refused", { contract: contractName, reason });
    throw error;
  };
  /** @throws {SealError} it was carried out before @throws {ServiceError} `unavailable` */
  const claimOnce = async ({ from, requestId }: Envelope): Promise<void> => {
    let first: boolean;
    try {
      // The id is bound by the seal: to carry another one is to be another message, which only the sender can make.
      first = await claim(`${from}.${requestId}`, claimedForMs);
    } catch (cause) {
      throw new ServiceError("unavailable", { cause });
    }
    if (!first) throw new SealError("it was carried out before: sent again");
  };

  const registered = () => {
    registration ??= bus.register({ name: busNameOf(self), version, description: `Portcullis ${self}` });
    // A failed registration must not stay: the next `serve` tries again.
    registration.catch(() => {
      registration = undefined;
    });
    return registration;
  };
  const keep = (subscription: Subscription): Subscription => {
    const own: Subscription = {
      close() {
        subscriptions.delete(own);
        return subscription.close();
      },
    };
    subscriptions.add(own);
    return own;
  };

  return {
    async serve(contract, handler, { route, inFlightMax = inFlightMaxDefault } = {}) {
      if (contract.server !== self) throw new TypeError(`${self} does not serve ${contract.name}`);
      const subject = subjectOf(contract, route);
      let inFlight = 0;

      const succeed = ({ from, requestId: id, subject: to }: Envelope, body: Uint8Array): Message => ({
        data: seal.seal(from, { subject: to, direction: "rep", id }, body),
        headers: { [fromHeader]: self },
      });
      const fail = ({ from, requestId: id, subject: to }: Envelope, error: ServiceError): Message => ({
        data: seal.seal(from, { subject: to, direction: "err", id }, encodeFailure(error)),
        headers: { [fromHeader]: self, [errorHeader]: error.code },
      });
      /** @throws {SealError} @throws {ServiceError} and whatever the handler throws */
      const answer = async (envelope: Envelope, data: Uint8Array): Promise<Uint8Array> => {
        const { from, requestId, route: to } = envelope;
        const opened = seal.open(from, { subject: envelope.subject, direction: "req", id: requestId }, data);
        // Permissions on the bus say the same; this holds if they are wrong.
        if (!contract.callers.includes(from)) throw new ServiceError("forbidden");
        if (contract.replay === "refused") await claimOnce(envelope);
        const reply = await handler(decodeBody(contract.request, opened), { from, requestId, route: to });
        try {
          return encodeBody(parseBody(contract.reply, reply));
        } catch (cause) {
          throw new ServiceError("internal", { cause });
        }
      };

      const endpoint = async (delivered: Delivered): Promise<Message> => {
        const traced = startReceiving(contract.name, SpanKind.SERVER, self, delivered.headers);
        inFlight += 1;
        let failure: unknown;
        try {
          const envelope = envelopeOf(contract, delivered);
          try {
            // Sealed for the claimed sender, whom nobody else can read for: no need to open the request first.
            if (inFlight > inFlightMax) throw new ServiceError("busy");
            const body = await context.with(traced.context, () => answer(envelope, delivered.data));
            return succeed(envelope, body);
          } catch (error) {
            if (error instanceof SealError) throw error;
            const public_ = publicError(error, contract.name);
            failure = public_;
            return fail(envelope, public_);
          }
        } catch (error) {
          failure = error;
          return refuse(contract.name, error);
        } finally {
          inFlight -= 1;
          traced.end(failure);
        }
      };

      const { add } = await registered();
      return keep(await add({ name: endpointNameOf(contract), subject, queue: busNameOf(self), handler: endpoint }));
    },

    async on(contract, handler, { route, inFlightMax = inFlightMaxDefault } = {}) {
      if (recipientOf(contract) !== self) throw new TypeError(`${self} does not subscribe to ${contract.name}`);
      const pattern = route === undefined ? subjectPatternOf(contract) : subjectOf(contract, route);
      let inFlight = 0;

      // Synchronous up to the handler, so that handlers start in the order of arrival.
      const receive = (delivered: Delivered): void | Promise<void> => {
        const envelope = envelopeOf(contract, delivered);
        const { from, requestId, subject } = envelope;
        const opened = seal.open(from, { subject, direction: "evt", id: requestId }, delivered.data);
        if (!contract.publishers.includes(from)) throw new ServiceError("forbidden");
        return handler(decodeBody(contract.event, opened), { from, requestId, route: envelope.route });
      };

      const consume = (delivered: Delivered): void | Promise<void> => {
        if (inFlight >= inFlightMax) {
          report(new ServiceError("busy"), contract.name);
          return;
        }
        const traced = startReceiving(contract.name, SpanKind.CONSUMER, self, delivered.headers);
        inFlight += 1;
        const settle = (error?: unknown) => {
          inFlight -= 1;
          traced.end(error);
          if (error instanceof SealError)
            log.warn("an event on the bus was dropped", { contract: contract.name, reason: error.message });
          else if (error !== undefined) report(error, contract.name);
        };
        try {
          const running = context.with(traced.context, () => receive(delivered));
          if (running === undefined) settle();
          else return running.then(() => settle(), settle);
        } catch (error) {
          settle(error);
        }
      };

      const options = contract.shared ? { queue: busNameOf(self) } : {};
      return keep(await bus.subscribe(pattern, consume, options));
    },

    async close() {
      const service = await registration?.catch(() => undefined);
      await Promise.all([service?.close(), ...[...subscriptions].map((subscription) => subscription.close())]);
    },
  };
}
