import { metrics, SpanKind } from "@opentelemetry/api";
import {
  type EventContract,
  type RequestContract,
  ServiceError,
  type ServiceName,
  subjectOf,
} from "@portcullis/contracts";
import { recipientOf } from "../names.ts";
import type { Bus, Message } from "../port.ts";
import { BusUnavailableError } from "../port.ts";
import { SealError, type ServiceSeal } from "../seal.ts";
import { scopeOf, startSending } from "./trace.ts";
import {
  decodeBody,
  decodeFailure,
  encodeBody,
  errorHeader,
  fromHeader,
  idHeader,
  idPattern,
  parseBody,
} from "./wire.ts";

export interface CallOptions {
  /** Where the contract is routed. */
  readonly route?: string;
  /** Default: the contract's. */
  readonly timeoutMs?: number;
}

export interface Caller {
  /**
   * Asks. It may have been carried out although it failed; repeat it only as the contract's idempotency says.
   *
   * @throws {ServiceError} what the server said; `unavailable` if nobody answered in time; `invalid` if `body` breaks the
   * contract; `internal` if the answer does
   * @throws {TypeError} this service is no caller of the contract, or the route is unfit
   */
  call<Request, Reply>(contract: RequestContract<Request, Reply>, body: Request, options?: CallOptions): Promise<Reply>;
  /**
   * States. At most once to whoever listens now.
   *
   * @throws {ServiceError} `unavailable` while the bus is gone; `invalid` if `body` breaks the contract
   * @throws {TypeError} this service is no publisher of the contract, or the route is unfit
   */
  emit<Event>(contract: EventContract<Event>, body: Event, route?: string): void;
}

/** One question over the bus, when it is asked. */
export interface RoundTrip {
  readonly requestId: string;
  readonly from: ServiceName;
  readonly to: ServiceName;
  /** All zeros where nothing is traced. */
  readonly traceId: string;
}

export interface CallerOptions {
  readonly bus: Bus;
  readonly self: ServiceName;
  readonly seal: ServiceSeal;
  /** Epoch ms; measures how long calls take. */
  readonly clock: () => number;
  /** A fresh id of `[A-Za-z0-9_-]{1,64}` for each message. */
  readonly ids: () => string;
  readonly onRoundTrip?: (contractName: string, roundTrip: RoundTrip) => void;
}

function asServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  // An answer that does not open came from nobody who could give one.
  if (error instanceof BusUnavailableError || error instanceof SealError) {
    return new ServiceError("unavailable", { cause: error });
  }
  return new ServiceError("internal", { cause: error });
}

/** The asking side of the contracts: schemas, seal, trace and errors over a bus. */
export function createCaller({ bus, self, seal, clock, ids, onRoundTrip }: CallerOptions): Caller {
  const meter = metrics.getMeter(scopeOf(self));
  const requests = meter.createCounter("portcullis.bus.requests", { description: "Questions asked, by outcome" });
  const durations = meter.createHistogram("portcullis.bus.request.duration", { unit: "s" });
  const events = meter.createCounter("portcullis.bus.events", { description: "Events published" });

  const freshId = (): string => {
    const id = ids();
    if (!idPattern.test(id)) throw new TypeError("an id is not [A-Za-z0-9_-]{1,64}");
    return id;
  };

  const read = <Request, Reply>(
    contract: RequestContract<Request, Reply>,
    subject: string,
    id: string,
    { headers, data }: Message,
  ): Reply => {
    const failed = headers[errorHeader];
    if (failed !== undefined) {
      const error = decodeFailure(seal.open(contract.server, { subject, direction: "err", id }, data));
      // The header is for operators; what counts is what was sealed.
      if (error.code !== failed) throw new SealError();
      throw error;
    }
    const body = seal.open(contract.server, { subject, direction: "rep", id }, data);
    try {
      return decodeBody(contract.reply, body);
    } catch (cause) {
      // `invalid` would tell the caller's user that their request was wrong.
      throw new ServiceError("internal", { cause });
    }
  };

  return {
    async call(contract, body, { route, timeoutMs = contract.timeoutMs } = {}) {
      if (!contract.callers.includes(self)) throw new TypeError(`${self} may not call ${contract.name}`);
      const subject = subjectOf(contract, route);
      const data = encodeBody(parseBody(contract.request, body));
      const id = freshId();
      const headers: Record<string, string> = { [fromHeader]: self, [idHeader]: id };
      const traced = startSending(contract.name, SpanKind.CLIENT, self, headers);
      const { traceId } = traced.span.spanContext();
      const startedAt = clock();
      const finish = (error?: ServiceError) => {
        const labels = {
          "portcullis.contract": contract.name,
          ...(error === undefined ? {} : { "error.type": error.code }),
        };
        requests.add(1, labels);
        durations.record((clock() - startedAt) / 1_000, labels);
        traced.end(error);
      };
      try {
        onRoundTrip?.(contract.name, { requestId: id, from: self, to: contract.server, traceId });
        const sealed = seal.seal(contract.server, { subject, direction: "req", id }, data);
        const reply = await bus.request(subject, { data: sealed, headers }, { timeoutMs });
        const answer = read(contract, subject, id, reply);
        finish();
        return answer;
      } catch (error) {
        const public_ = asServiceError(error);
        finish(public_);
        throw public_;
      }
    },

    emit(contract, body, route) {
      if (!contract.publishers.includes(self)) throw new TypeError(`${self} may not publish ${contract.name}`);
      const receiver = recipientOf(contract);
      const subject = subjectOf(contract, route);
      const data = encodeBody(parseBody(contract.event, body));
      const id = freshId();
      const headers: Record<string, string> = { [fromHeader]: self, [idHeader]: id };
      const traced = startSending(contract.name, SpanKind.PRODUCER, self, headers);
      try {
        bus.publish(subject, { data: seal.seal(receiver, { subject, direction: "evt", id }, data), headers });
        events.add(1, { "portcullis.contract": contract.name });
        traced.end();
      } catch (error) {
        const public_ = asServiceError(error);
        traced.end(public_);
        throw public_;
      }
    },
  };
}
